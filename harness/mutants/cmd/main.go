// Command cmd plants the mistakes of harness/mutants in the product and tells
// which are noticed (make mutants), or runs the whole suite with each and tells
// which clauses notice it (make mutants-matrix).
//
// It is wiring only. Results go to stdout, progress to stderr. Exit codes: 0 enough
// were caught, or few enough clauses notice none; 1 too few, or too many; 2 wrong
// usage or a record that does not fit; 3 the machine failed or the product itself
// breaks a promise.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hdm-project/hdm/harness/mutants"
	"github.com/hdm-project/hdm/scenarios"
)

const (
	exitEnough = iota
	exitMissed
	exitUsage
	exitEnvironment
)

// root is the module's folder, in which this is run.
const root = "."

// enough is the share of mutants that must be caught, and most that of clauses
// that may notice none.
const (
	enough = 0.95
	most   = 0.1
)

type options struct {
	matrix, fit bool
	brief       bool
	product     string
	only        *regexp.Regexp
	state, out  string
	workers     int
	again       int
	limit       time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx)
	stop()
	os.Exit(code)
}

func execute(ctx context.Context) int {
	o, err := parse()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	}
	code, err := run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = exitEnvironment
		if record := new(mutants.RecordError); errors.As(err, &record) {
			code = exitUsage
		}
	}
	return code
}

func parse() (o options, err error) {
	var only string
	f := flag.CommandLine
	f.BoolVar(&o.matrix, "matrix", false, "run the whole suite with each mutant, and write which clauses notice it")
	f.BoolVar(&o.brief, "brief", false, "of a matrix: run a mutant only with what could notice it for a clause that has noticed none so far")
	f.StringVar(&o.product, "product", "", "of a matrix: what its page says it was made with")
	f.BoolVar(&o.fit, "fit", false, "only see that every record fits the product and compiles")
	f.StringVar(&only, "only", "", "only mutants whose name, package or file this expression finds")
	f.StringVar(&o.state, "state", "out/mutants/found.jsonl", "where what was found out is kept, so that the work can go on after an interruption")
	f.StringVar(&o.out, "out", "docs/mutants.md", "where the matrix goes")
	f.IntVar(&o.workers, "workers", 2, "mutants that are looked for at once; of a matrix, scenarios")
	f.IntVar(&o.again, "again", 5, "run each so many-th catch again, with the mutant and without; 0: none")
	f.DurationVar(&o.limit, "limit", 10*time.Minute, "wall time of a command of hdm")
	flag.Parse()
	if flag.NArg() > 0 || o.workers < 1 || o.limit <= 0 || o.again < 0 {
		return o, errors.New("there are no arguments, and flags have values above zero: see -h")
	}
	if o.only, err = regexp.Compile(only); err != nil {
		return o, fmt.Errorf("-only: %w", err)
	}
	return o, nil
}

func run(ctx context.Context, o options) (code int, err error) {
	records, err := chosen(o.only)
	if err != nil {
		return 0, err
	}
	ledger, err := mutants.OpenLedger(o.state)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	dir, err := os.MkdirTemp("", "hdm-sound-*")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	b := mutants.Builder{Root: root, Go: "go"}
	if o.fit {
		return 0, fit(ctx, b, records, o.workers)
	}
	path, sum, err := b.Sound(ctx, dir)
	if err != nil {
		return 0, err
	}
	if b.Archives, err = b.Archived(ctx); err != nil {
		return 0, err
	}
	sound := mutants.Program{Path: path, Dir: dir, Limit: 2 * o.limit, Workers: o.workers}
	if o.matrix {
		return survey(ctx, o, records, &mutants.Survey{Builder: b, Sound: sound, Sum: sum, Ledger: ledger, Limit: o.limit, Workers: o.workers})
	}
	return hunt(ctx, o, records, &mutants.Hunt{Builder: b, Sound: sound, Sum: sum, Ledger: ledger, Limit: o.limit, Again: o.again})
}

func chosen(only *regexp.Regexp) (some []mutants.Record, err error) {
	all, err := mutants.All()
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		if only.MatchString(r.Name) || only.MatchString(r.Path()) {
			some = append(some, r)
		}
	}
	if len(some) == 0 {
		return nil, errors.New("-only finds no mutant")
	}
	var stale []error
	for i := range some {
		_, err := some[i].Apply(root)
		stale = append(stale, err)
	}
	return some, errors.Join(stale...)
}

// fit builds every mutant and runs none.
func fit(ctx context.Context, b mutants.Builder, records []mutants.Record, workers int) error {
	return mutants.Each(records, workers, func(_ int, r *mutants.Record) error {
		dir, err := os.MkdirTemp("", "hdm-mutant-*")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		_, err = b.Mutant(ctx, r, dir)
		return err
	})
}

func hunt(ctx context.Context, o options, records []mutants.Record, h *mutants.Hunt) (int, error) {
	took := mutants.Stopwatch()
	if err := h.Control(ctx, records); err != nil {
		return 0, err
	}
	var mu sync.Mutex
	caught, by := 0, map[string]int{}
	err := mutants.Each(records, o.workers, func(i int, r *mutants.Record) error {
		c, err := h.Mutant(ctx, i, r)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if c.Caught() {
			caught++
			by[c.Kind()]++
		}
		fmt.Print(c.Text(r))
		return nil
	})
	if err != nil {
		return 0, err
	}
	fmt.Printf("%d of %d mutants caught (%.1f %%): %d by their scenarios, %d by exploration, %d by a test; %v\n",
		caught, len(records), 100*float64(caught)/float64(len(records)), by["scenario"], by["seed"], by["test"], took().Round(time.Second))
	if float64(caught) < enough*float64(len(records)) {
		return exitMissed, nil
	}
	return exitEnough, nil
}

func survey(ctx context.Context, o options, records []mutants.Record, s *mutants.Survey) (int, error) {
	var ids []string
	for _, c := range scenarios.Clauses() {
		ids = append(ids, c.ID)
	}
	held, err := s.Held(ctx, ids)
	if err != nil {
		return 0, err
	}
	m := &mutants.Matrix{Clauses: held, Brief: o.brief, Product: o.product}
	tell := func(seen mutants.Sighting) {
		fmt.Printf("%4d scenarios  %3d clauses  %7v  %s\n", len(seen.Failed), len(seen.Noticing()), seen.Took.Round(time.Second), seen.Name)
	}
	var failed error
	if o.brief {
		m.Seen, failed = s.Brief(ctx, held, records, tell)
	} else {
		m.Seen, failed = s.Whole(ctx, records, tell)
	}
	m.Left = unseen(records, m.Seen)
	f, err := os.Create(o.out)
	if err != nil {
		return 0, errors.Join(failed, err)
	}
	idle := m.Idle()
	fmt.Printf("%d of %d clauses notice no mutant: %v; see %s\n", len(idle), len(held), idle, o.out)
	if err := errors.Join(failed, m.Write(f), f.Close()); err != nil {
		return 0, err
	}
	if float64(len(idle)) > most*float64(len(held)) {
		return exitMissed, nil
	}
	return exitEnough, nil
}

// unseen are the names of the records that were not run.
func unseen(records []mutants.Record, seen []mutants.Sighting) (names []string) {
	for i := range records {
		if !slices.ContainsFunc(seen, func(s mutants.Sighting) bool { return s.Name == records[i].Name }) {
			names = append(names, records[i].Name)
		}
	}
	return names
}
