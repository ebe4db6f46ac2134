package reports_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/reports"
	"github.com/hdm-project/hdm/reports/record"
)

var update = flag.Bool("update", false, "write the golden files anew")

// suite has a run and a clause of each kind.
func suite() *record.Suite {
	catalogue := record.Catalogue{
		{ID: "COLD-01", Must: "Bulk transfer exports the VM as OVF from the source and imports it on the target, both seen as vCenter tasks with progress."},
		{ID: "COLD-05", Must: "A cold migration never loses data."},
		{ID: "MIG-08", Must: "A migrated VM is powered off on premises in pool _HDM_MIGRATEPOOL and powered on in the cloud.", Parts: []record.Part{
			{ID: "cold", What: "cold migrations"}, {ID: "warm", What: "warm migrations"}, {ID: "tbc", What: "try before commit"},
		}},
		{ID: "WARM-01", Must: "Refused when the deployment mode is Appliance Only."},
		{ID: "WARM-02", Must: "Refused unless the VM is powered on with the latest tools."},
	}
	s := &record.Suite{Seed: 1, Transport: "direct", Workers: 2, WallSeconds: 0.412, Runs: []record.Run{
		{
			Scenario: "cold-of-a-running-vm", Seed: 1, Verdict: record.Passed, Hash: record.Hash(0x1f0c), VirtualSeconds: 8041.5,
			WallSeconds: 0.124, Events: 12345, VSphereCalls: 423, Covers: []string{"COLD-01", "MIG-08/cold"},
		},
		{
			Scenario: "appliance-restart-in-bulk-transfer", Seed: 8412, Verdict: record.Failed, Hash: record.Hash(1 << 63), VirtualSeconds: 847,
			WallSeconds: 0.09, Events: 577, VSphereCalls: 88, Replay: "hdm replay out/x/appliance-restart-in-bulk-transfer.failure.yaml",
			Violations: []record.Violation{{
				Oracle: "no-lost-write", Clauses: []string{"COLD-05"}, At: 14*time.Minute + 7*time.Second, Subject: "db-01",
				What: "disk 1 block 0x41: write 412, acknowledged at 13m58s, is absent from the VM that it runs in now, cloud/db-01", Evidence: []uint64{412, 503, 577},
			}},
		},
		{
			Scenario: "watchdog", Seed: 1, Verdict: record.Failed, Hash: record.Hash(2), VirtualSeconds: 3, WallSeconds: 1, Events: 1_000_000,
			Error: "panic in appliance/step at 3s: boom\nstack line one\nstack line two", Replay: "hdm replay out/x/watchdog.failure.yaml",
		},
		{Scenario: "cut-short", Seed: 1, Verdict: record.Interrupted, Hash: record.Hash(3), Replay: "hdm replay cut-short.yaml"},
	}}
	s.Clauses = catalogue.Judge(s.Runs)
	return s
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got), "if this is what it should be: go test ./reports -update")
}

func TestTheTextReportReadsAsAgreed(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, reports.Text(&b, suite()))
	golden(t, "suite.txt", b.Bytes())
}

func TestTheTextReportTellsTheSameAsItGoes(t *testing.T) {
	var whole, parts bytes.Buffer
	s := suite()
	require.NoError(t, reports.Text(&whole, s))
	for i := range s.Runs {
		require.NoError(t, reports.TextRun(&parts, &s.Runs[i]))
	}
	require.NoError(t, reports.TextSummary(&parts, s))
	assert.Equal(t, whole.String(), parts.String())
}

func TestTheTextReportKeepsToItsWidth(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, reports.Text(&b, suite()))
	for line := range strings.Lines(b.String()) {
		assert.LessOrEqual(t, len([]rune(strings.TrimRight(line, "\n"))), reports.Width, "%s", line)
	}
}

func TestJUnitReadsAsAgreedAndIsXML(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, reports.JUnit(&b, suite()))
	golden(t, "suite.xml", b.Bytes())
	require.NoError(t, xml.Unmarshal(b.Bytes(), new(struct{})))
}

func TestJSONHoldsExactlyTheAgreedKeys(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, reports.JSON(&b, suite()))
	var got map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(b.Bytes(), &got))
	assert.ElementsMatch(t, []string{"passed", "failed", "clauses", "runs"}, keys(got))
	assert.JSONEq(t, "1", string(got["passed"]))
	assert.JSONEq(t, "2", string(got["failed"]))
	assert.JSONEq(t, `{"COLD-01":"held","COLD-05":"violated","MIG-08":"partial","WARM-01":"uncovered","WARM-02":"uncovered"}`, string(got["clauses"]))
	var runs []map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(got["runs"], &runs))
	require.Len(t, runs, 4)
	assert.ElementsMatch(t, []string{"scenario", "seed", "verdict", "hash", "virtual_seconds", "wall_seconds", "events", "vsphere_calls"}, keys(runs[0]))
}

func TestJSONOfNothingHasNoNulls(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, reports.JSON(&b, &record.Suite{}))
	assert.JSONEq(t, `{"passed":0,"failed":0,"clauses":{},"runs":[]}`, b.String())
}

func keys(m map[string]json.RawMessage) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	return all
}

func TestAFolderHoldsTracesInTheOrderOfTheRunsAndNothingHalfDone(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	f, err := reports.NewFolder(out, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	require.NoError(t, err)
	first, err := f.Trace("first")
	require.NoError(t, err)
	second, err := f.Trace("second")
	require.NoError(t, err)
	second.Add(&record.Event{Seq: 1, Kind: "k", Subject: "s"})
	second.End()
	first.Add(&record.Event{Seq: 1, At: time.Second, Kind: "k", Subject: "s", Attrs: []record.Attr{{Key: "a", Value: "b"}}})
	first.Add(&record.Event{Seq: 2, Kind: "k", Subject: "s"})
	first.End()
	failure, err := f.SaveFailure("second", []byte("title: x\n"))
	require.NoError(t, err)
	again, err := f.SaveFailure("second", []byte("title: y\n"))
	require.NoError(t, err)
	environment, err := reports.ReadEnvironment(reports.Build{Version: "v0", Commit: "abc", Go: "go1"})
	require.NoError(t, err)
	require.NoError(t, f.Finish(reports.Command{Args: []string{"run"}, On: environment}, suite()))

	trace, err := os.ReadFile(filepath.Join(f.Path(), "trace.jsonl"))
	require.NoError(t, err)
	assert.Equal(t, `{"run":"first","seq":1,"at_ns":1000000000,"kind":"k","subject":"s","attrs":{"a":"b"}}
{"run":"first","seq":2,"at_ns":0,"kind":"k","subject":"s"}
{"run":"second","seq":1,"at_ns":0,"kind":"k","subject":"s"}
`, string(trace))
	assert.ElementsMatch(t, []string{"run.json", "trace.jsonl", "verdicts.json", "junit.xml", filepath.Base(failure), filepath.Base(again)}, names(t, f.Path()))
	assert.NotEqual(t, failure, again)

	var command reports.Command
	read(t, filepath.Join(f.Path(), "run.json"), &command)
	assert.Equal(t, environment, command.On)
	assert.Positive(t, command.On.MemoryBytes)
	assert.Positive(t, command.On.Cores)
	assert.NotEmpty(t, command.On.OS)
	var verdicts record.Suite
	read(t, filepath.Join(f.Path(), "verdicts.json"), &verdicts)
	assert.Equal(t, *suite(), verdicts, "verdicts.json holds everything")
}

func TestTwoCommandsNeverShareAFolder(t *testing.T) {
	out := t.TempDir()
	first, err := reports.NewFolder(out, time.Unix(0, 0))
	require.NoError(t, err)
	second, err := reports.NewFolder(out, time.Unix(0, 0))
	require.NoError(t, err)
	assert.NotEqual(t, first.Path(), second.Path())
}

func TestAFolderThatCannotBeMadeSaysWhatToDo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	_, err := reports.NewFolder(file, time.Unix(0, 0))
	assert.ErrorContains(t, err, "--out")
}

func TestATraceThatCannotBeWrittenIsAnErrorOfFinish(t *testing.T) {
	f, err := reports.NewFolder(t.TempDir(), time.Unix(0, 0))
	require.NoError(t, err)
	trace, err := f.Trace("lost")
	require.NoError(t, err)
	trace.End()
	require.NoError(t, os.Remove(filepath.Join(f.Path(), names(t, f.Path())[0])))
	assert.ErrorContains(t, f.Finish(reports.Command{}, suite()), "the trace of lost")
}

func names(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, into))
}
