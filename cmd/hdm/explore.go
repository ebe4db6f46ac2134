package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hdm-project/hdm/harness/explore"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports"
	"github.com/hdm-project/hdm/reports/record"
)

const exploreSeeds = "1-1000"

func newExplore(t *terminal) *cobra.Command {
	var c common
	var seeds string
	var duration time.Duration
	var most int
	cmd := &cobra.Command{
		Use:   "explore",
		Short: "Run scenarios that nobody wrote, a seed each, until one breaks a promise",
		Long: `Run scenarios that nobody wrote: each seed draws a world, orders and faults, and
the oracles judge the run. A failure is kept under --out as a scenario file that
replays it.`,
		Example: "  hdm explore --seeds 1-5000\n  hdm explore --for 10m",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.check(cmd); err != nil {
				return err
			}
			o := explore.Options{Workers: c.workers, For: duration, Most: most}
			var err error
			if o.First, o.Last, err = seedRange(seeds); err != nil {
				return err
			}
			switch {
			case duration < 0:
				return usage(fmt.Errorf("--for %v: choose a time above zero", duration))
			case most < 1:
				return usage(fmt.Errorf("--most %d: choose 1 or more", most))
			case c.seeded:
				return usage(errors.New("--seed: an exploration has many seeds: give --seeds A-B"))
			case c.transport != "direct":
				return usage(errors.New("--transport: an exploration is in process; replay what it finds with --transport soap"))
			case duration > 0 && !cmd.Flags().Changed("seeds"):
				o.Last = math.MaxUint64 - 1
			}
			return exploreSeedsOf(cmd, t, &c, o)
		},
	}
	c.register(cmd)
	f := cmd.Flags()
	f.StringVar(&seeds, "seeds", exploreSeeds, "seeds to run, A-B or one")
	f.DurationVar(&duration, "for", 0, "begin no new seed after this time; without --seeds, go on from seed 1 until then")
	f.IntVar(&most, "most", 1, "failures after which it ends")
	return cmd
}

func seedRange(s string) (first, last uint64, err error) {
	a, b, isRange := strings.Cut(s, "-")
	if !isRange {
		b = a
	}
	first, errA := strconv.ParseUint(a, 10, 64)
	last, errB := strconv.ParseUint(b, 10, 64)
	if errA != nil || errB != nil || first > last || last == math.MaxUint64 {
		return 0, 0, usage(fmt.Errorf("--seeds %q: write A-B with A at most B, or one seed", s))
	}
	return first, last, nil
}

func exploreSeedsOf(cmd *cobra.Command, t *terminal, c *common, o explore.Options) error {
	began := time.Now()
	show := newShow(t, c.format, 0)
	o.Ended = show.ended
	summary, err := explore.Explore(cmd.Context(), o)
	show.over()
	if err != nil {
		return environment(err)
	}
	suite := record.Suite{
		Seed: o.First, Transport: c.transport, Workers: c.workers, WallSeconds: summary.WallSeconds,
		Interrupted: cmd.Context().Err() != nil,
	}
	if len(summary.Failures) > 0 {
		folder, err := reports.NewFolder(c.out, began)
		if err != nil {
			return environment(err)
		}
		for _, f := range summary.Failures {
			if err := keepFailure(folder, &f.Run, f.Scenario, c.transport); err != nil {
				return environment(err)
			}
			suite.Runs = append(suite.Runs, f.Run)
		}
		t.log.Info("failures kept", "folder", folder.Path())
	}
	if err := printExploration(t, c.format, &suite, summary); err != nil {
		return environment(err)
	}
	switch {
	case len(summary.Failures) > 0:
		return &exitError{code: exitBroken}
	case suite.Interrupted:
		return &exitError{exitInterrupted, errors.New("interrupted; what was done so far is told above")}
	}
	return nil
}

// printExploration prints the failures as runs are printed and, for people, what
// it comes to.
func printExploration(t *terminal, format string, suite *record.Suite, summary explore.Summary) error {
	if format != "text" {
		return printers[format](t.out, suite)
	}
	for i := range suite.Runs {
		if err := reports.TextRun(t.out, &suite.Runs[i]); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(t.out, "%d seeds run from %d on, %d failed; %v of virtual time in %v\n", summary.Runs, suite.Seed, len(summary.Failures),
		(time.Duration(summary.VirtualSeconds) * time.Second), time.Duration(summary.WallSeconds*float64(time.Second)).Round(time.Millisecond))
	return err
}

// keepFailure writes the scenario of a failed run, with its seed and its world
// in it, and makes that file what replays it.
func keepFailure(folder *reports.Folder, r *record.Run, of *scenario.Scenario, transport string) error {
	s := *of
	s.Seed, s.World.Name = r.Seed, ""
	text, err := scenario.Format(&s)
	if err != nil {
		return fmt.Errorf("keeping the scenario of a failed run: %w", err)
	}
	path, err := folder.SaveFailure(r.Scenario, text)
	if err != nil {
		return err
	}
	r.Replay = "hdm replay " + path
	if transport != "direct" {
		r.Replay += " --transport " + transport
	}
	return nil
}
