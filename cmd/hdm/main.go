// Command hdm runs scenarios of HDM migrations in simulated worlds and tells
// whether every promise held.
//
// This package is wiring only: it reads flags and files, hands them to the
// harness, and prints what the reports make of it. Results go to stdout, logs
// and progress to stderr. A command with bad input writes nothing.
//
// Exit codes: 0 every promise held, 1 one was broken, 2 wrong usage or input,
// 3 the machine failed (a disk is full, a port is taken) or hdm has a bug, 130
// interrupted. A broken promise comes before what else failed.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	// A reader that goes away is an error of the write, so that reports are still
	// finished; a terminal that goes away ends a command as an interrupt does.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	os.Exit(execute(ctx, os.Args[0], os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
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

// execute runs one command of the program, as it was called, and returns its
// exit code.
func execute(ctx context.Context, program string, args []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(stderr, "hdm: panic: %v: this is a bug; report it with the command\n%s", p, debug.Stack())
			code = exitEnvironment
		}
	}()
	out := &output{to: stdout}
	t := &terminal{program: program, in: stdin, out: out, err: stderr, live: isScreen(stderr), width: func() int { return widthOf(stderr) }}
	root := newRoot(t)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(out)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if failed := out.err(); failed != nil && !isBroken(err) {
		err = environment(fmt.Errorf("writing to stdout: %w", failed))
	}
	if err == nil {
		return exitHeld
	}
	code = exitUsage // what cobra refuses: an unknown command, too many arguments
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

// isBroken: a broken promise is told by the exit code, whatever else failed.
func isBroken(err error) bool {
	typed := new(exitError)
	return errors.As(err, &typed) && typed.code == exitBroken
}

// output is stdout, which runs and people's answers may write at once. It keeps
// the first error, so that no command has to look for it.
type output struct {
	to io.Writer

	mu    sync.Mutex
	first error
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.to.Write(p)
	if o.first == nil {
		o.first = err
	}
	return n, err
}

func (o *output) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.first
}

// terminal is where a command reads and writes.
type terminal struct {
	program string // as it was called
	in      io.Reader
	out     *output
	err     io.Writer
	live    bool       // err is a screen
	width   func() int // of that screen, now
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
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(newHelp())
	root.AddCommand(newRun(t), newReplay(t), newServe(t), newClient(t), newExplore(t), newReport(t), newExplain(t), newSchema(t), newVersion(t))
	return root
}

// newHelp is cobra's help, but what it does not know is wrong usage.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Tell about a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usage(fmt.Errorf("there is no command %q", strings.Join(args, " ")))
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}
