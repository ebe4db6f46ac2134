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
	"github.com/spf13/pflag"

	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports"
	"github.com/hdm-project/hdm/sim/site"
)

// common are the flags that several commands have. Each registers those that it
// can use.
type common struct {
	seed      uint64
	seeded    bool // the flag was given
	out       string
	format    string
	transport string
	trace     string
	workers   int

	fromFiles bool   // scenarios were named; else they are those of the program
	inventory string // folder of the on-premises site; "" if the scenarios have their own
}

const maxWorkers = 256

var formats = []string{"text", "json", "junit"}

// How much of a trace is kept.
const (
	traceFailed = "failed"
	traceAll    = "all"
)

// registerReports registers what every command that runs scenarios has.
func (c *common) registerReports(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.out, "out", "out", "folder for reports; each command makes a folder of its own in it")
	f.StringVar(&c.format, "format", "text", "what to print on stdout: text, json or junit")
}

// registerChoice registers what a command has whose scenarios are files.
func (c *common) registerChoice(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Uint64Var(&c.seed, "seed", 0, "seed of all that is left to chance (default: each scenario's own)")
	f.StringVar(&c.transport, "transport", string(site.Direct), "way to the vCenters: direct (in process) or soap (over TLS on loopback)")
}

func (c *common) registerWorkers(cmd *cobra.Command) {
	cmd.Flags().IntVar(&c.workers, "workers", runtime.GOMAXPROCS(0), "scenarios that run at once")
}

// check is called once the flags are read.
func (c *common) check(cmd *cobra.Command) error {
	has := func(name string) bool { return cmd.Flags().Lookup(name) != nil }
	c.seeded = has("seed") && cmd.Flags().Changed("seed")
	switch {
	case !slices.Contains(formats, c.format):
		return usage(fmt.Errorf("--format %q: choose %s", c.format, strings.Join(formats, ", ")))
	case has("transport") && c.transport != string(site.Direct) && c.transport != string(site.SOAP):
		return usage(fmt.Errorf("--transport %q: choose %s or %s", c.transport, site.Direct, site.SOAP))
	case has("trace") && c.trace != traceFailed && c.trace != traceAll:
		return usage(fmt.Errorf("--trace %q: choose %s or %s", c.trace, traceFailed, traceAll))
	case has("workers") && (c.workers < 1 || c.workers > maxWorkers):
		return usage(fmt.Errorf("--workers %d: choose 1 to %d", c.workers, maxWorkers))
	case c.out == "":
		return usage(errors.New("--out is empty: name a folder"))
	}
	return nil
}

// checkOut says what is wrong with --out, before anything runs.
func (c *common) checkOut() error {
	err := reports.CheckOut(c.out)
	notFolder := new(reports.NotFolderError)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &notFolder):
		return usage(fmt.Errorf("--out %q: %w", c.out, err))
	}
	return environment(err)
}

func (c *common) options() run.Options {
	o := run.Options{Transport: site.Mode(c.transport), Workers: c.workers}
	if c.seeded {
		o.Seed = &c.seed
	}
	return o
}

// flagError says of a flag that cannot be read what can be written.
func flagError(cmd *cobra.Command, err error) error {
	invalid, unknown, missing := new(pflag.InvalidValueError), new(pflag.NotExistError), new(pflag.ValueRequiredError)
	switch {
	case errors.As(err, &invalid):
		flag := invalid.GetFlag()
		return usage(fmt.Errorf("--%s %q: write %s", flag.Name, invalid.GetValue(), values[flag.Value.Type()]))
	case errors.As(err, &missing):
		flag := missing.GetFlag()
		return usage(fmt.Errorf("--%s: write %s after it", flag.Name, values[flag.Value.Type()]))
	case errors.As(err, &unknown):
		var known []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, "--"+f.Name) })
		return usage(fmt.Errorf("%w: %s has %s", err, cmd.CommandPath(), strings.Join(known, ", ")))
	}
	return usage(err)
}

// values are what flags of each type take.
var values = map[string]string{
	"uint64": "a whole number from 0 to 18446744073709551615", "int": "a whole number", "float64": "a number",
	"duration": "a time with its unit, such as 90s, 14m or 1h30m", "bool": "true or false, or nothing",
	"string": "a word", "stringSlice": "names, with commas between them", "stringArray": "FROM=TO",
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
	return loadFiles(args, scenario.Parse)
}

// loadFiles reads the scenarios of files and folders.
func loadFiles(args []string, parse func(file string) (*scenario.Scenario, error)) ([]*scenario.Scenario, error) {
	var all []*scenario.Scenario
	var errs []error
	known := map[string]bool{} // by their real paths
	for _, arg := range args {
		files, err := filesIn(arg)
		errs = append(errs, err)
		for _, file := range files {
			if path := realPath(file); !known[path] {
				known[path] = true
				s, err := parse(file)
				all, errs = append(all, s), append(errs, err)
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, usage(err)
	}
	return all, nil
}

// realPath tells files apart that are named in two ways. What is not there keeps
// its name: scenario.Parse says so.
func realPath(file string) string {
	path, err := filepath.EvalSymlinks(file)
	if err != nil {
		return file
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// filesIn are the scenario files that an argument names, sorted. Folders called
// worlds hold worlds, and the clause catalogue is no scenario either.
func filesIn(arg string) ([]string, error) {
	if arg == "" {
		return nil, errors.New("an argument is empty: name a scenario file, or a folder of them")
	}
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

// only keeps the scenarios of those names. A name that several have means them
// all.
func only(all []*scenario.Scenario, names []string) ([]*scenario.Scenario, error) {
	full := run.Names(all)
	var kept []*scenario.Scenario
	for _, name := range names {
		found := false
		for i, s := range all {
			if run.Name(s) != name && full[i] != name {
				continue
			}
			found = true
			if !slices.Contains(kept, s) {
				kept = append(kept, s)
			}
		}
		if !found {
			return nil, usage(fmt.Errorf("--only %q: no such scenario; there are\n  %s", name, strings.Join(full, "\n  ")))
		}
	}
	return kept, nil
}
