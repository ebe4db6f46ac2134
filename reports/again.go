package reports

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hdm-project/hdm/reports/page"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/reports/timeline"
)

// NotKeptError says that a folder does not hold what Finish writes, or something
// else.
type NotKeptError struct {
	Path string
	Err  error
}

func (e *NotKeptError) Error() string {
	return fmt.Sprintf("%s cannot be read as a folder of reports (name one that holds verdicts.json, run.json and trace.jsonl): %v", e.Path, e.Err)
}

func (e *NotKeptError) Unwrap() error { return e.Err }

// Again draws the page anew from folders that were kept, as if one command had
// run all that is in them. A scenario that several hold is told apart by its
// folder. Of runs whose trace is thin the writes of guests are not known.
func Again(w io.Writer, catalogue record.Catalogue, folders []string) error {
	all := &page.Suite{Record: &record.Suite{}}
	known := map[string]bool{}
	for i, path := range folders {
		s, c, runs, err := readFolder(path)
		if err != nil {
			return &NotKeptError{path, err}
		}
		for j := range s.Runs {
			if known[s.Runs[j].Scenario] {
				s.Runs[j].Scenario += " (" + filepath.Base(path) + ")"
			}
			known[s.Runs[j].Scenario] = true
		}
		if i == 0 {
			*all.Record = *s
			all.Began, all.Facts = c.Started, facts(c, s)
			all.Runs = runs
			continue
		}
		all.Record.Runs = append(all.Record.Runs, s.Runs...)
		all.Record.WallSeconds += s.WallSeconds
		all.Record.Interrupted = all.Record.Interrupted || s.Interrupted
		all.Runs = append(all.Runs, runs...)
		all.Facts = append(all.Facts, page.Fact{Name: "and from", Value: filepath.Base(path)})
	}
	all.Record.Judge(catalogue)
	return page.Write(w, all)
}

func readFolder(path string) (*record.Suite, *Command, []page.Run, error) {
	s, c := new(record.Suite), new(Command)
	for name, into := range map[string]any{"verdicts.json": s, "run.json": c} {
		text, err := os.ReadFile(filepath.Join(path, name))
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			return nil, nil, nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	file, err := os.Open(filepath.Join(path, "trace.jsonl"))
	if err != nil {
		return nil, nil, nil, err
	}
	runs, err := readTraces(file, s)
	for i := range runs {
		runs[i].Thin = s.Runs[i].Verdict == record.Passed && c.Trace == "failed"
	}
	return s, c, runs, errors.Join(err, file.Close())
}

// readTraces makes the time lines of a suite's runs.
func readTraces(r io.Reader, s *record.Suite) ([]page.Run, error) {
	runs := make([]page.Run, len(s.Runs))
	at, wanted := map[string]int{}, make([]map[uint64]bool, len(s.Runs))
	builders := make([]*timeline.Builder, len(s.Runs))
	for i := range s.Runs {
		at[s.Runs[i].Scenario], wanted[i] = i, evidence(&s.Runs[i])
	}
	lines := newLines(r)
	for n := 1; lines.Scan(); n++ {
		var e record.Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("trace.jsonl:%d: %w", n, err)
		}
		i, is := at[e.Run]
		if !is {
			return nil, fmt.Errorf("trace.jsonl:%d: verdicts.json has no run %q", n, e.Run)
		}
		if builders[i] == nil {
			builders[i] = timeline.NewBuilder()
		}
		builders[i].Add(&e)
		if wanted[i][e.Seq] {
			runs[i].Evidence = append(runs[i].Evidence, e)
		}
	}
	for i, b := range builders {
		if b != nil {
			runs[i].Line = b.End()
		}
	}
	return runs, lines.Err()
}
