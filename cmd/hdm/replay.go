package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hdm-project/hdm/harness/loopback"
	"github.com/hdm-project/hdm/harness/recording"
	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/site"
)

// Speeds that are neither as fast as possible nor too slow for a clock.
const (
	minSpeed = 0.001
	maxSpeed = 1e6
)

func newReplay(t *terminal) *cobra.Command {
	var c common
	var speed float64
	var until time.Duration
	var step, events bool
	cmd := &cobra.Command{
		Use:   "replay FILE",
		Short: "Run one scenario again, exactly: at a pace, up to a time, or step by step",
		Long: `Run one scenario again: the same file and seed give the same trace, at every
speed. FILE may also be the recording of a served world: then everything that was
done to it is done again, and the hash must be the same. With --step, Enter runs the next event, a number so many, c goes on to
the end, q gives up.`,
		Example: "  hdm replay out/20260101T000000Z/cold.failure.yaml\n  hdm replay my.yaml --events --until 14m\n  hdm replay my.yaml --speed 60",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.check(cmd); err != nil {
				return err
			}
			switch {
			case checkSpeed(speed) != nil:
				return checkSpeed(speed)
			case cmd.Flags().Changed("until") && until <= 0:
				return usage(fmt.Errorf("--until %v: choose a virtual time after the start", until))
			case (step || events) && c.format != "text":
				return usage(errors.New("--step and --events print text: leave out --format"))
			case args[0] == "":
				return usage(errors.New("the argument is empty: name a scenario file"))
			case isFolder(args[0]):
				return usage(fmt.Errorf("%s is a folder: replay takes one scenario file; `hdm run` runs all of a folder", args[0]))
			}
			if recording.Is(args[0]) {
				if step || until != 0 || c.seeded || c.transport != string(site.Direct) {
					return usage(errors.New("a recording is run again as it was: leave out --step, --until, --seed and --transport"))
				}
				return repeat(cmd.Context(), t, args[0], speed, &tracer{out: t.out, print: events})
			}
			s, err := scenario.Parse(args[0])
			if err != nil {
				return usage(err)
			}
			ctx, cancel := context.WithCancel(cmd.Context())
			defer cancel()
			c.fromFiles, c.workers, c.trace = true, 1, traceAll
			o := c.options()
			o.Speed, o.Until = speed, until
			if step {
				o.Limits.Wall = -1 // people take their time
			}
			follow := &tracer{out: t.out, print: events || step}
			if step {
				follow.steps, follow.quit = t.in, cancel
			}
			return runSuite(ctx, t, &c, []*scenario.Scenario{s}, o, []string{"replay", args[0]}, follow)
		},
	}
	c.registerReports(cmd)
	c.registerChoice(cmd)
	f := cmd.Flags()
	f.Float64Var(&speed, "speed", 0, "virtual seconds per second; 0 is as fast as possible")
	f.DurationVar(&until, "until", 0, "stop at this virtual time; then nothing is judged")
	f.BoolVar(&step, "step", false, "wait before every event")
	f.BoolVar(&events, "events", false, "print every event")
	return cmd
}

// tracer follows one run: it prints its events and steps through them.
type tracer struct {
	out   io.Writer
	print bool
	steps io.Reader // nil: it is not stepped
	quit  func()
}

// Event implements run.Watcher.
func (f *tracer) Event(e record.Event) {
	if !f.print {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%6d %14s  %-16s %s", e.Seq, e.At, e.Kind, e.Subject)
	for _, a := range e.Attrs {
		fmt.Fprintf(&b, " %s=%s", a.Key, a.Value)
	}
	fmt.Fprintln(f.out, b.String())
}

// Driving implements run.Watcher.
func (f *tracer) Driving(d *kernel.Driver) {
	if f.steps == nil {
		return
	}
	d.Pause()
	fmt.Fprintln(f.out, stepHelp)
	go f.listen(d)
}

const stepHelp = "Enter: the next event; a number: so many; c: to the end; q: give up"

// listen obeys what is typed. It ends with its input, at the latest with the
// program.
func (f *tracer) listen(d *kernel.Driver) {
	lines := bufio.NewScanner(f.steps)
	for lines.Scan() {
		switch line := strings.TrimSpace(lines.Text()); line {
		case "":
			d.Step(1)
		case "c":
			d.Resume()
			return
		case "q":
			f.quit()
			return
		default:
			n, err := strconv.Atoi(line)
			if err != nil || n < 1 {
				fmt.Fprintln(f.out, stepHelp)
				continue
			}
			d.Step(n)
		}
	}
	f.quit()
}

// Close implements run.Watcher.
func (f *tracer) Close() error { return nil }

// repeat runs a recording again and tells whether it is the same run.
func repeat(ctx context.Context, t *terminal, file string, speed float64, follow *tracer) error {
	r, err := recording.Read(file)
	if err != nil {
		return usage(err)
	}
	out, err := loopback.Replay(ctx, file, r, speed, func(*scenario.Scenario, uint64) run.Watcher { return follow })
	switch {
	case errors.Is(err, kernel.ErrStopped):
		return &exitError{exitInterrupted, errors.New("interrupted")}
	case err != nil:
		return usage(err)
	case out.Differs != nil:
		fmt.Fprintf(t.out, "DIFFERS %s: %v\n", file, out.Differs)
		return &exitError{code: exitBroken}
	}
	_ = reports.TextRun(t.out, &out.Run) // output keeps the error
	for _, why := range out.ByPeople {
		fmt.Fprintf(t.err, "by a person: %s\n", why)
	}
	if !out.Whole {
		fmt.Fprintf(t.out, "%d steps were done again; the recording has no end, so there is no hash to compare at the last\n", len(r.Steps))
	} else {
		fmt.Fprintf(t.out, "the same: %d steps were done again, and the hash is %016x\n", len(r.Steps), uint64(r.End.Hash))
	}
	if out.Run.Verdict == record.Failed { // the same promise was broken again
		return &exitError{code: exitBroken}
	}
	return nil
}
