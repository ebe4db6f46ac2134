package main

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/protocol"
)

const guestPassword = "pass word of the guest"

func TestClientCloneOrdersAWarmMigrationAndKeepsThePasswordToItself(t *testing.T) { // SQS-12
	for _, bulk := range []protocol.BulkTransfer{protocol.Online, protocol.Offline} {
		end := completed
		b := newBus(t, map[protocol.Type][]protocol.Response{protocol.TypeCloneRequest: {&end}})
		var asked []*protocol.CloneRequest
		b.asked = func(r protocol.Request) { asked = append(asked, r.(*protocol.CloneRequest)) }
		require.NoError(t, os.WriteFile("secret", []byte(guestPassword+"\n"), 0o600))
		r := call(t, context.Background(), "", "client", "clone", "db-01", "--bus", "bus.json",
			"--mode", "warm", "--bulk", string(bulk), "--user", "root", "--password-file", "secret")
		assert.Equal(t, exitHeld, r.code, r.err)
		assert.NotContains(t, r.stdout+r.err, guestPassword)
		require.Len(t, asked, 1)
		assert.Equal(t, []any{protocol.Warm, bulk, "root"}, []any{asked[0].Mode, asked[0].BulkTransfer, asked[0].Credentials.User})
		assert.True(t, asked[0].Credentials.Password.Equal(protocol.NewSecret(guestPassword)), "without the end of the file's line")
	}
}

func TestClientCloneSaysWhatIsWrongWithAWarmOrderBeforeItIsSent(t *testing.T) {
	newBus(t, nil)
	for name, text := range map[string]string{"secret": guestPassword, "empty": "\n", "large": strings.Repeat("x", mostRead+1), "long": strings.Repeat(guestPassword, 100)} {
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	for args, says := range map[string]string{
		"--mode hot":  `--mode "hot": choose cold or warm`,
		"--mode warm": `--bulk "": choose online or offline`,
		"--mode warm --bulk by-ship --user root --password-file secret": `--bulk "by-ship": choose online or offline`,
		"--mode warm --bulk online --user root":                         "needs --user and --password-file",
		"--mode warm --bulk online --password-file secret":              "needs --user and --password-file",
		"--mode warm --bulk online --user root --password-file none":    `--password-file "none"`,
		"--mode warm --bulk online --user root --password-file empty":   `--password-file "empty": it is empty`,
		"--mode warm --bulk online --user root --password-file large":   `--password-file "large": it has more than`,
		"--mode warm --bulk online --user root --password-file long":    "credentials.password",
		"--bulk online":                        "add --mode warm, or leave them out",
		"--mode cold --user root":              "add --mode warm, or leave them out",
		"--mode cold --password-file secret":   "add --mode warm, or leave them out",
		"--mode warm --bulk online --password": "unknown flag: --password",
	} {
		r := call(t, context.Background(), "", append([]string{"client", "clone", "db-01", "--bus", "bus.json"}, strings.Fields(args)...)...)
		assert.Equal(t, exitUsage, r.code, "%s: %s", args, r.err)
		assert.Contains(t, r.err, says, args)
		assert.NotContains(t, r.stdout+r.err, guestPassword, args)
	}
}
