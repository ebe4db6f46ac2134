package reports

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hdm-project/hdm/reports/chrome"
	"github.com/hdm-project/hdm/reports/page"
	"github.com/hdm-project/hdm/reports/record"
)

// writePage draws report.html.
func (f *Folder) writePage(w io.Writer, c *Command, s *record.Suite) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := page.Suite{Record: s, Began: c.Started, Facts: facts(c, s), Runs: make([]page.Run, len(s.Runs))}
	for i := range s.Runs {
		t, is := f.traces[s.Runs[i].Scenario]
		if !is {
			continue // it could not be begun
		}
		t.End()
		p.Runs[i].Line = t.seen
		if wanted := evidence(&s.Runs[i]); len(wanted) > 0 {
			// Without its events the page still names their numbers: what is wrong with the
			// trace is told when it is written.
			_ = t.lines.read(func(r io.Reader) error {
				p.Runs[i].Evidence = find(r, s.Runs[i].Scenario, wanted)
				return nil
			})
		}
	}
	return page.Write(w, &p)
}

// mostEvidence bounds the events that are looked up for one run.
const mostEvidence = 400

// evidence are the numbers of the events that prove what was broken in a run.
func evidence(r *record.Run) map[uint64]bool {
	wanted := map[uint64]bool{}
	for i := range r.Violations {
		for _, n := range r.Violations[i].Evidence {
			if len(wanted) < mostEvidence {
				wanted[n] = true
			}
		}
	}
	return wanted
}

// find reads the wanted events of a run. What is not there is not found.
func find(r io.Reader, run string, wanted map[uint64]bool) []record.Event {
	var found []record.Event
	lines := newLines(r)
	for len(found) < len(wanted) && lines.Scan() {
		var head struct {
			Seq uint64 `json:"seq"`
		}
		line := lines.Bytes()
		if !bytes.Contains(line, []byte(`"seq":`)) || json.Unmarshal(line, &head) != nil || !wanted[head.Seq] {
			continue
		}
		if e := new(record.Event); json.Unmarshal(line, e) == nil && e.Run == run {
			found = append(found, *e)
		}
	}
	return found
}

// facts are what a reader of the page may ask about the command.
func facts(c *Command, s *record.Suite) []page.Fact {
	all := []page.Fact{
		{Name: "seed", Value: seedOf(s)},
		{Name: "transport", Value: s.Transport},
		{Name: "workers", Value: fmt.Sprint(s.Workers)},
	}
	if c.On.Version != "" {
		commit := c.On.Commit
		if len(commit) > 10 {
			commit = commit[:10]
		}
		all = append(all, page.Fact{Name: "program", Value: strings.TrimSpace("hdm "+c.On.Version+" "+commit) + ", " + c.On.Go})
	}
	if c.On.OS != "" {
		all = append(all, page.Fact{Name: "machine", Value: fmt.Sprintf("%s, %s, %d cores, %.0f GB", c.On.OS, c.On.Arch, c.On.Cores, float64(c.On.MemoryBytes)/1e9)})
	}
	return all
}

// writeViewer writes trace.json.
func (f *Folder) writeViewer(w io.Writer, s *record.Suite) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	file := chrome.NewFile(w)
	for i := range s.Runs {
		t, is := f.traces[s.Runs[i].Scenario]
		if !is {
			continue
		}
		err := t.slices.read(func(r io.Reader) error { return file.Process(i+1, &s.Runs[i], r) })
		if err = errors.Join(err, t.slices.discard()); err != nil {
			return fmt.Errorf("the slices of %s: %w", t.run, err)
		}
	}
	return file.Close()
}
