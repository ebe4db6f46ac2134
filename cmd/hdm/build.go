package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/hdm-project/hdm/reports"
)

// commit is set by the linker (see Makefile), for builds that do not know their
// repository.
var commit string

// version is that of the next release.
const version = "0.1.0-dev"

// built says which program this is.
func built() reports.Build {
	b := reports.Build{Version: version, Commit: commit, Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok && b.Commit == "" {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Commit = s.Value
			}
		}
	}
	return b
}

func newVersion(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print what this program was built from",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			b := built()
			if b.Commit == "" {
				b.Commit = "unknown"
			}
			_, err := fmt.Fprintf(t.out, "hdm %s\ncommit %s\n%s %s/%s\n", b.Version, b.Commit, b.Go, runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
