package main

import (
	"context"
	"errors"
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
	cmd := &cobra.Command{
		Use:   "run [FILE or FOLDER...]",
		Short: "Run scenarios and judge them clause by clause",
		Long: `Run scenarios and judge them clause by clause: by default the whole conformance
suite. Prints a line for each and a table of clauses, and writes everything
else (trace, verdicts, what it ran on) into a folder of its own under --out.`,
		Example: "  hdm run\n  hdm run scenarios/conformance --format json\n  hdm run my.yaml --seed 7 --transport soap",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.check(cmd); err != nil {
				return err
			}
			all, err := load(args)
			if err != nil {
				return err
			}
			if all, err = only(all, names); err != nil {
				return err
			}
			return runSuite(cmd.Context(), t, &c, all, c.options(), append([]string{"run"}, args...), nil)
		},
	}
	c.register(cmd)
	cmd.Flags().StringSliceVar(&names, "only", nil, "run only the scenarios of these names")
	return cmd
}

// runSuite runs scenarios, prints and keeps what comes out, and returns the
// error that means the exit code. follow, if not nil, follows each run beside
// the trace.
func runSuite(ctx context.Context, t *terminal, c *common, all []*scenario.Scenario, o run.Options, args []string, follow run.Watcher) error {
	began := time.Now()
	on, err := reports.ReadEnvironment(built())
	if err != nil {
		return environment(err)
	}
	folder, err := reports.NewFolder(c.out, began)
	if err != nil {
		return environment(err)
	}
	watched := newWatched(folder, follow)
	o.Watch = watched.watch
	show := newShow(t, c.format, len(all))
	o.Ended = show.ended
	suite, err := run.Suite(ctx, all, catalogue(), o)
	show.over()
	if err = errors.Join(err, watched.err); err != nil {
		return environment(err)
	}
	if o.Until > 0 {
		unjudge(&suite)
	}
	if err := keepFailures(folder, all, &suite, c.transport); err != nil {
		return environment(err)
	}
	command := reports.Command{
		Args: args, Started: began.UTC(), Seconds: time.Since(began).Seconds(), Seed: suite.Seed,
		Transport: suite.Transport, Workers: suite.Workers, Scenarios: namesOf(all), On: on,
	}
	if err := folder.Finish(command, &suite); err != nil {
		return environment(err)
	}
	if err := show.suite(&suite); err != nil {
		return environment(err)
	}
	t.log.Info("reports written", "folder", folder.Path())
	switch {
	case suite.Count(record.Failed) > 0:
		return &exitError{code: exitBroken}
	case suite.Interrupted && o.Until == 0:
		return &exitError{exitInterrupted, errors.New("interrupted; what was done so far is told above")}
	}
	return nil
}

// unjudge: runs that were stopped at a time of the user's show nothing.
func unjudge(suite *record.Suite) {
	for i := range suite.Runs {
		if suite.Runs[i].Verdict == record.Passed {
			suite.Runs[i].Verdict = record.Interrupted
		}
	}
	suite.Clauses = catalogue().Judge(suite.Runs)
}

// keepFailures keeps the scenario of each failed run: see keepFailure.
func keepFailures(folder *reports.Folder, all []*scenario.Scenario, suite *record.Suite, transport string) error {
	for i := range suite.Runs {
		if r := &suite.Runs[i]; r.Verdict == record.Failed {
			if err := keepFailure(folder, r, all[i], transport); err != nil {
				return err
			}
		}
	}
	return nil
}
