package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hdm-project/hdm/core/protocol"
)

// guestFlags say how a VM is migrated and, if warm, who administrates its guest.
type guestFlags struct {
	mode, bulk         string
	user, passwordFile string
}

func (g *guestFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&g.mode, "mode", string(protocol.Cold), "cold or warm")
	f.StringVar(&g.bulk, "bulk", "", "how the data of a warm migration travels: online, over the WAN, or offline, by other means")
	f.StringVar(&g.user, "user", "", "an administrator of the guest, for a warm migration")
	f.StringVar(&g.passwordFile, "password-file", "", "file with the administrator's password (it is no flag, since others may see the flags of a process)")
}

// into completes a request. It says all that is wrong with the flags, and never
// what the file holds.
func (g *guestFlags) into(r *protocol.CloneRequest) error {
	r.Mode, r.BulkTransfer = protocol.Mode(g.mode), protocol.BulkTransfer(g.bulk)
	switch r.Mode {
	case protocol.Warm:
	case protocol.Cold:
		if g.bulk != "" || g.user != "" || g.passwordFile != "" {
			return usage(errors.New("--bulk, --user and --password-file are for a warm migration: add --mode warm, or leave them out"))
		}
		return nil
	default:
		return usage(fmt.Errorf("--mode %q: choose cold or warm", g.mode))
	}
	if r.BulkTransfer != protocol.Online && r.BulkTransfer != protocol.Offline {
		return usage(fmt.Errorf("--bulk %q: choose online or offline", g.bulk))
	}
	if g.user == "" || g.passwordFile == "" {
		return usage(errors.New("a warm migration needs --user and --password-file: an administrator of the guest, and a file with the password"))
	}
	text, err := readSmall(g.passwordFile)
	if err != nil {
		return usage(fmt.Errorf("--password-file %q: %w", g.passwordFile, err))
	}
	password := strings.TrimRight(string(text), "\r\n") // that an editor ends the file with
	if password == "" {
		return usage(fmt.Errorf("--password-file %q: it is empty: write the password into it", g.passwordFile))
	}
	r.Credentials = &protocol.Credentials{User: g.user, Password: protocol.NewSecret(password)}
	return nil
}
