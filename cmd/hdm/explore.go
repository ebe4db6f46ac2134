package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hdm-project/hdm/harness/explore"
	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/site"
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
			case cmd.Flags().Changed("for") && duration <= 0:
				return usage(fmt.Errorf("--for %v: choose a time above zero", duration))
			case most < 1:
				return usage(fmt.Errorf("--most %d: choose 1 or more", most))
			case duration > 0 && !cmd.Flags().Changed("seeds"):
				o.Last = math.MaxUint64 - 1
			}
			if err := c.checkOut(); err != nil {
				return err
			}
			return exploreSeedsOf(cmd, t, &c, o)
		},
	}
	c.registerReports(cmd)
	c.registerWorkers(cmd)
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
	run.RoomyHeap()
	began := time.Now()
	show := newShow(t, c.format, nil, false, false)
	defer show.close()
	seeds := &record.Seeds{First: o.First, Failed: []uint64{}}
	o.Ended = func(r record.Run) {
		if r.Verdict == record.Failed {
			seeds.Failed = append(seeds.Failed, r.Seed)
		}
		show.ended(&r, nil)
	}
	summary, failed := explore.Explore(cmd.Context(), o)
	show.close()
	slices.Sort(seeds.Failed)
	seeds.Run = summary.Runs
	suite := record.Suite{
		Seeds: seeds, Transport: string(site.Direct), Workers: c.workers, WallSeconds: summary.WallSeconds,
		Interrupted: cmd.Context().Err() != nil,
	}
	var unkept error
	if len(summary.Failures) > 0 {
		unkept = keepFailures(t, c, &suite, summary.Failures, began)
	}
	if err := printExploration(t, c.format, &suite, &summary); err != nil {
		return environment(err)
	}
	return outcome(&suite, errors.Join(failed, unkept))
}

// keepFailures makes runs of the suite of what failed, and keeps their scenarios.
func keepFailures(t *terminal, c *common, suite *record.Suite, failures []explore.Failure, began time.Time) error {
	folder, err := reports.NewFolder(c.out, began)
	for _, f := range failures {
		r := f.Run
		r.Replay = t.command("explore", "--seeds", strconv.FormatUint(r.Seed, 10))
		if folder != nil {
			path, unkept := keepFailure(folder, &r, f.Scenario)
			if err = errors.Join(err, unkept); unkept == nil {
				r.Replay = t.command("replay", asPath(path))
			}
		}
		suite.Runs = append(suite.Runs, r)
	}
	return err
}

// printExploration prints the failures as runs are printed and, for people, what
// it comes to.
func printExploration(t *terminal, format string, suite *record.Suite, summary *explore.Summary) error {
	if format != "text" {
		return printers[format](t.out, suite)
	}
	for i := range suite.Runs {
		if err := reports.TextRun(t.out, &suite.Runs[i]); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(t.out, "%d seeds run from %d on, %d failed; %v of virtual time in %v\n", suite.Seeds.Run, suite.Seeds.First, len(suite.Seeds.Failed),
		time.Duration(summary.VirtualSeconds)*time.Second, time.Duration(summary.WallSeconds*float64(time.Second)).Round(time.Millisecond))
	return err
}

// keepFailure keeps the scenario of a failed run, with its seed and its world in
// it, and returns its path.
func keepFailure(folder *reports.Folder, r *record.Run, of *scenario.Scenario) (string, error) {
	s := *of
	s.Seed, s.World.Name = r.Seed, ""
	text, err := scenario.Format(&s)
	if err != nil {
		return "", fmt.Errorf("keeping the scenario of a failed run: %w", err)
	}
	return folder.SaveFailure(r.Scenario, text)
}
