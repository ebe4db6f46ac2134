// Command hdm runs scenarios of HDM migrations in simulated worlds and tells
// whether every promise held.
//
// This package is wiring only: it reads flags and files, hands them to the
// harness, and prints what the reports make of it. Results go to stdout, logs
// and progress to stderr. A command with bad input writes nothing.
//
// Exit codes: 0 every promise held, 1 one was broken, 2 wrong usage or input,
// 3 the machine failed (a disk is full, a port is taken), 130 interrupted.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	os.Exit(execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// The exit codes.
const (
	exitHeld        = 0
	exitBroken      = 1
	exitUsage       = 2
	exitEnvironment = 3
	exitInterrupted = 130
)

// exitError is an error with the exit code that it means. A nil err means that
// everything there is to say was said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return fmt.Sprint(e.err) }
func (e *exitError) Unwrap() error { return e.err }

// usage is an error of the user's: wrong flags, or a file that says what cannot
// be run.
func usage(err error) error { return &exitError{exitUsage, err} }

// environment is an error of the machine's.
func environment(err error) error { return &exitError{exitEnvironment, err} }

// execute runs one command and returns its exit code.
func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := &terminal{in: stdin, out: stdout, err: stderr, log: slog.New(slog.NewTextHandler(stderr, nil))}
	root := newRoot(t)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitHeld
	}
	code := exitUsage // what cobra refuses: an unknown command or flag, too many arguments
	if typed := new(exitError); errors.As(err, &typed) {
		code, err = typed.code, typed.err
	}
	if err != nil {
		fmt.Fprintf(stderr, "hdm: %v\n", err)
		if code == exitUsage {
			fmt.Fprintln(stderr, "See hdm --help, or hdm <command> --help.")
		}
	}
	return code
}

// terminal is where a command reads and writes.
type terminal struct {
	in       io.Reader
	out, err io.Writer
	log      *slog.Logger
}

func newRoot(t *terminal) *cobra.Command {
	root := &cobra.Command{
		Use:   "hdm",
		Short: "Migrate VMs between two simulated vCenters in virtual time, and prove it",
		Long: `hdm runs scenarios of HDM migrations in simulated worlds, in virtual time, and
tells whether every promise of the product held.

Exit codes: 0 every promise held, 1 one was broken, 2 wrong usage or input,
3 the machine failed, 130 interrupted.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newRun(t), newReplay(t), newExplore(t), newExplain(t), newSchema(t), newVersion(t))
	return root
}
