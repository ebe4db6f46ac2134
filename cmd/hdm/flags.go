package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/sim/site"
)

// common are the flags of every command that runs scenarios.
type common struct {
	seed      uint64
	seeded    bool // the flag was given
	out       string
	format    string
	transport string
	workers   int
}

const maxWorkers = 256

var formats = []string{"text", "json", "junit"}

func (c *common) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Uint64Var(&c.seed, "seed", 0, "seed of all that is left to chance (default: each scenario's own)")
	f.StringVar(&c.out, "out", "out", "folder for reports; each command makes a folder of its own in it")
	f.StringVar(&c.format, "format", "text", "what to print on stdout: text, json or junit")
	f.StringVar(&c.transport, "transport", "direct", "way to the vCenters: direct (in process) or soap (over TLS on loopback)")
	f.IntVar(&c.workers, "workers", runtime.GOMAXPROCS(0), "scenarios that run at once")
}

// check is called once the flags are read.
func (c *common) check(cmd *cobra.Command) error {
	c.seeded = cmd.Flags().Changed("seed")
	switch {
	case !slices.Contains(formats, c.format):
		return usage(fmt.Errorf("--format %q: choose %s", c.format, strings.Join(formats, ", ")))
	case c.transport != string(site.Direct) && c.transport != string(site.SOAP):
		return usage(fmt.Errorf("--transport %q: choose %s or %s", c.transport, site.Direct, site.SOAP))
	case c.workers < 1 || c.workers > maxWorkers:
		return usage(fmt.Errorf("--workers %d: choose 1 to %d", c.workers, maxWorkers))
	case c.out == "":
		return usage(errors.New("--out is empty: name a folder"))
	}
	return nil
}

func (c *common) options() run.Options {
	o := run.Options{Transport: site.Mode(c.transport), Workers: c.workers}
	if c.seeded {
		o.Seed = &c.seed
	}
	return o
}

// load reads the scenarios that were named: files, and folders with all that is
// in them; the conformance suite if none was.
func load(args []string) ([]*scenario.Scenario, error) {
	if len(args) == 0 {
		all, err := scenario.Embedded()
		if err != nil {
			return nil, environment(fmt.Errorf("the scenarios in this program are broken: %w", err))
		}
		return all, nil
	}
	var all []*scenario.Scenario
	var errs []error
	for _, arg := range args {
		files, err := filesIn(arg)
		errs = append(errs, err)
		for _, file := range files {
			s, err := scenario.Parse(file)
			all, errs = append(all, s), append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, usage(err)
	}
	return all, nil
}

// filesIn are the scenario files that an argument names, sorted. Folders called
// worlds hold worlds, and the clause catalogue is no scenario either.
func filesIn(arg string) ([]string, error) {
	if !isFolder(arg) {
		return []string{arg}, nil // if it is not there, scenario.Parse says so
	}
	var files []string
	err := filepath.WalkDir(arg, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "worlds":
			return filepath.SkipDir
		case !d.IsDir() && filepath.Ext(path) == ".yaml" && d.Name() != "clauses.yaml":
			files = append(files, path)
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s holds no scenario: name a .yaml file, or a folder of them", arg)
	}
	return scenario.WithoutWorlds(files), err
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// only keeps the scenarios of those names.
func only(all []*scenario.Scenario, names []string) ([]*scenario.Scenario, error) {
	if len(names) == 0 {
		return all, nil
	}
	var kept []*scenario.Scenario
	for _, name := range names {
		i := slices.IndexFunc(all, func(s *scenario.Scenario) bool { return run.Name(s) == name })
		if i < 0 {
			return nil, usage(fmt.Errorf("--only %s: no such scenario; there are\n  %s", name, strings.Join(namesOf(all), "\n  ")))
		}
		kept = append(kept, all[i])
	}
	return kept, nil
}

func namesOf(all []*scenario.Scenario) []string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = run.Name(s)
	}
	return names
}
