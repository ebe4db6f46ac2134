//go:build check

package family_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/family"
	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
)

var (
	shard  = flag.String("shard", "1/1", "run the n-th of so many parts of each family: 1/4")
	only   = flag.String("only", "", "run the members whose names this regular expression finds")
	done   = flag.String("done", "", "a file that remembers the members that passed, so that they are not run again")
	misses = flag.String("misses", "", "a folder for the scenarios that failed")
)

// TestFamilies runs every member of every family once, all oracles on.
func TestFamilies(t *testing.T) {
	pairs, skipped := family.Pairs()
	n := 0
	for _, times := range skipped {
		n += times
	}
	t.Logf("%d pairs of a fault and a step apply; %d do not, for %d reasons (docs/outcomes.md)", len(pairs), n, len(skipped))
	for _, f := range []struct {
		name    string
		members []family.Member
	}{{"pairs", pairs}, {"components", family.Components()}, {"twos", family.Twos()}, {"durations", family.Durations()}} {
		t.Run(f.name, func(t *testing.T) { runAll(t, mine(t, f.members)) })
	}
}

// mine are the members of this part that are asked for.
func mine(t *testing.T, all []family.Member) (part []family.Member) {
	var n, of int
	_, err := fmt.Sscanf(*shard, "%d/%d", &n, &of)
	require.NoError(t, err, "-shard %s", *shard)
	require.True(t, n >= 1 && n <= of, "-shard %s", *shard)
	wanted, err := regexp.Compile(*only)
	require.NoError(t, err)
	for i, m := range all {
		if i%of == n-1 && wanted.MatchString(m.Name) {
			part = append(part, m)
		}
	}
	return part
}

func runAll(t *testing.T, members []family.Member) {
	passed := remembered(t)
	began := time.Now()
	var mu sync.Mutex
	var virtual float64
	kept, failed := 0, map[string]int{}
	next := make(chan family.Member)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for m := range next {
				r, err := run.One(context.Background(), m.Scenario, run.Options{})
				mu.Lock()
				virtual += r.VirtualSeconds
				if err == nil && r.Verdict == record.Passed {
					passed.add(t, m.Name)
				} else {
					failed[miss(t, m, r, err)]++
				}
				mu.Unlock()
			}
		}()
	}
	for _, m := range members {
		if passed.has(m.Name) {
			kept++
			continue
		}
		next <- m
	}
	close(next)
	workers.Wait()
	t.Logf("%d runs, %d remembered as passed, %.0f virtual hours in %v", len(members)-kept, kept, virtual/3600, time.Since(began).Round(time.Second))
	var why []string
	for what, n := range failed {
		why = append(why, fmt.Sprintf("%5d  %s", n, what))
	}
	slices.Sort(why)
	for _, what := range slices.Backward(why) {
		t.Log(what)
	}
}

// miss tells of a member that failed, and returns what broke, without names.
func miss(t *testing.T, m family.Member, r record.Run, err error) string {
	var b strings.Builder
	what := r.Error
	if err != nil {
		what = err.Error()
	}
	for i, v := range r.Violations {
		if i == 0 {
			what = v.Oracle + " " + strings.Join(v.Clauses, ",") + ": " + v.What
		}
		fmt.Fprintf(&b, "\n\t%v %s: %s: %s", v.At, v.Oracle, v.Subject, v.What)
	}
	t.Errorf("%s: %s%s", m.Name, r.Error, b.String())
	if *misses != "" {
		text, err := scenario.Format(m.Scenario)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(*misses, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(*misses, strings.ReplaceAll(m.Name, "/", "--")+".yaml"), text, 0o644))
	}
	return regexp.MustCompile(`[0-9]+[0-9hms.]*`).ReplaceAllString(what[:min(len(what), 120)], "#")
}

// memory is a file of names, one a line.
type memory struct {
	file  *os.File
	names map[string]bool
}

func (m *memory) has(name string) bool { return m.names[name] }

func (m *memory) add(t *testing.T, name string) {
	if m.file != nil {
		_, err := fmt.Fprintln(m.file, name)
		require.NoError(t, err)
	}
}

func remembered(t *testing.T) *memory {
	m := &memory{names: map[string]bool{}}
	if *done == "" {
		return m
	}
	var err error
	m.file, err = os.OpenFile(*done, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.file.Close()) })
	lines := bufio.NewScanner(m.file)
	for lines.Scan() {
		m.names[lines.Text()] = true
	}
	require.NoError(t, lines.Err())
	return m
}
