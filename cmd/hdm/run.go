package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports"
	"github.com/hdm-project/hdm/reports/record"
)

func newRun(t *terminal) *cobra.Command {
	var c common
	var names []string
	var saved string
	cmd := &cobra.Command{
		Use:   "run [FILE or FOLDER...]",
		Short: "Run scenarios and judge them clause by clause",
		Long: `Run scenarios and judge them clause by clause: by default the whole conformance
suite. Prints a line for each and a table of clauses, and writes everything
else (trace, verdicts, what it ran on) into a folder of its own under --out.

trace.jsonl holds every event of the runs that failed. Of those that passed it
leaves out the writes and flushes of guests, and when calls were sent and
answered, which are nearly all; --trace all keeps them.

--inventory takes a folder that "govc object.save -d FOLDER" wrote as the
on-premises site of what is run. Without files it orders each VM as a cold
migration to a cloud that takes all. What the site cannot carry is told on stderr.`,
		Example: "  hdm run\n  hdm run scenarios/conformance --format json\n  hdm run my.yaml --seed 7 --transport soap",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.check(cmd); err != nil {
				return err
			}
			all, err := loadRun(cmd, t, args, saved)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("only") {
				if len(names) == 0 || slices.Contains(names, "") {
					return usage(errors.New("--only: a name is empty: write names of scenarios, with commas between them"))
				}
				if all, err = only(all, names); err != nil {
					return err
				}
			}
			c.fromFiles, c.inventory = len(args) > 0, saved
			return runSuite(cmd.Context(), t, &c, all, c.options(), append([]string{"run"}, args...), nil)
		},
	}
	c.registerReports(cmd)
	c.registerChoice(cmd)
	c.registerWorkers(cmd)
	cmd.Flags().StringVar(&c.trace, "trace", traceFailed, "whose traces to keep whole: of runs that failed, or all")
	registerInventory(cmd, &saved)
	cmd.Flags().StringSliceVar(&names, "only", nil, "run only the scenarios of these names")
	return cmd
}

// runSuite runs scenarios, prints and keeps what comes out, and returns the
// error that means the exit code. follow, if not nil, follows each run beside
// the trace. What is told people comes before what is kept, so that a full disk
// loses no verdict.
func runSuite(ctx context.Context, t *terminal, c *common, all []*scenario.Scenario, o run.Options, args []string, follow run.Watcher) error {
	if err := c.checkOut(); err != nil {
		return err
	}
	run.RoomyHeap()
	began := time.Now()
	on, err := reports.ReadEnvironment(built())
	if err != nil {
		return environment(err)
	}
	folder, err := reports.NewFolder(c.out, began)
	if err != nil {
		return environment(err)
	}
	defer folder.Close()
	names := run.Names(all)
	show := newShow(t, c.format, names, !c.fromFiles && len(all) > 1, follow != nil)
	defer show.close()
	kept := newTraces(folder, all, c.trace == traceAll, follow)
	kept.progress = show.progress
	o.Watch = kept.watch
	settled := make([]*record.Run, len(all))
	var unkept []error
	o.Ended = func(r record.Run) {
		i := slices.Index(names, r.Scenario)
		settled[i] = &r
		unkept = append(unkept, c.settle(t, folder, &r, all[i]))
		show.ended(&r, kept.ended(&r))
	}
	suite, failed := run.Suite(ctx, all, catalogue(), o)
	for i := range suite.Runs {
		suite.Runs[i] = *settled[i]
	}
	show.suite(&suite)
	command := reports.Command{
		Args: args, Started: began.UTC(), Seconds: time.Since(began).Seconds(), Seed: suite.Seed,
		Transport: suite.Transport, Workers: suite.Workers, Trace: c.trace, Scenarios: names, On: on,
	}
	err = errors.Join(errors.Join(unkept...), kept.err, folder.Finish(command, &suite), folder.Close())
	if err == nil {
		fmt.Fprintf(t.err, "reports: %s\n", folder.Path())
	}
	return outcome(&suite, errors.Join(failed, err))
}

// settle makes the record of a run that ended whole: with the command that runs
// it again and, if it failed, with its scenario in the folder.
func (c *common) settle(t *terminal, folder *reports.Folder, r *record.Run, s *scenario.Scenario) error {
	r.Replay = c.again(t, s, r)
	if r.Verdict != record.Failed {
		return nil
	}
	path, err := keepFailure(folder, r, s)
	if err != nil {
		return err
	}
	r.Replay = t.command(append([]string{"replay", asPath(path)}, c.way()...)...)
	return nil
}

// outcome is the error that means the exit code. A broken promise comes before
// what else failed, and what failed before an interruption.
func outcome(suite *record.Suite, failed error) error {
	broken := slices.ContainsFunc(suite.Runs, func(r record.Run) bool {
		return r.Verdict == record.Failed && (len(r.Violations) > 0 || failed == nil)
	})
	broken = broken || slices.ContainsFunc(suite.Families, func(f record.Family) bool { return len(f.Broken) > 0 })
	switch {
	case broken:
		return &exitError{code: exitBroken, err: failed}
	case failed != nil:
		return environment(failed)
	case suite.Interrupted:
		return &exitError{exitInterrupted, errors.New("interrupted; what was done so far is told above")}
	}
	return nil
}
