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
	"pgregory.net/rapid"

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
	seed := uint64(1)
	s := &record.Suite{Seed: &seed, Transport: "direct", Workers: 2, WallSeconds: 0.412, Runs: []record.Run{
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
		{Scenario: "looked-at", Seed: 1, Verdict: record.Stopped, Hash: record.Hash(4), VirtualSeconds: 90, Replay: "hdm replay looked-at.yaml"},
		{Scenario: "cut-short", Seed: 1, Verdict: record.Interrupted, Hash: record.Hash(3), Replay: "hdm replay cut-short.yaml"},
	}}
	s.Interrupted = true
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

func text(t *testing.T, whole bool) string {
	t.Helper()
	var b bytes.Buffer
	s := suite()
	for i := range s.Runs {
		require.NoError(t, reports.TextRun(&b, &s.Runs[i]))
	}
	require.NoError(t, reports.TextSummary(&b, s, whole))
	return b.String()
}

func TestTheTextReportReadsAsAgreed(t *testing.T) {
	golden(t, "suite.txt", []byte(text(t, true)))
}

func TestWhatIsUncoveredIsListedForTheWholeSuiteAndCountedForAnything(t *testing.T) {
	assert.Contains(t, text(t, true), "uncovered (2): WARM-01 WARM-02\n")
	assert.NotContains(t, text(t, false), "WARM-01")
	assert.Contains(t, text(t, false), "2 uncovered\n")
}

func TestOneRunDoesNotFillThePageWithItsViolations(t *testing.T) {
	r := record.Run{Verdict: record.Failed, Violations: make([]record.Violation, 500)}
	var b bytes.Buffer
	require.NoError(t, reports.TextRun(&b, &r))
	assert.Less(t, strings.Count(b.String(), "\n"), 30)
	assert.Contains(t, b.String(), "and 490 more")
}

func TestTheTextReportKeepsToItsWidth(t *testing.T) {
	for line := range strings.Lines(text(t, true)) {
		assert.LessOrEqual(t, len([]rune(strings.TrimRight(line, "\n"))), reports.Width, "%s", line)
	}
}

func TestJUnitReadsAsAgreedAndIsXML(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, reports.JUnit(&b, suite()))
	golden(t, "suite.xml", b.Bytes())
	require.NoError(t, xml.Unmarshal(b.Bytes(), new(struct{})))
}

func TestWhatRunsBreakTogetherIsToldWithThem(t *testing.T) {
	s := &record.Suite{Families: []record.Family{
		{Name: "fine", Runs: []string{"a", "b"}, Compared: true},
		{Name: "flush-interval", Runs: []string{"5m", "10m"}, Compared: true, Broken: []string{"a flush every 5m0s carried 1 bytes, fewer than the 2 of one every 10m0s"}},
	}}
	var text, xml bytes.Buffer
	require.NoError(t, reports.TextSummary(&text, s, false))
	assert.Contains(t, text.String(), "\nVIOLATED family=flush-interval  runs=5m,10m\n  a flush every 5m0s carried 1 bytes, fewer than the 2 of one every 10m0s\n")
	assert.NotContains(t, text.String(), "fine")
	require.NoError(t, reports.JUnit(&xml, s))
	assert.Contains(t, xml.String(), `<testsuite name="hdm" tests="1" failures="1"`)
	assert.Contains(t, xml.String(), `<testcase classname="hdm.family" name="flush-interval"`)
	assert.Contains(t, xml.String(), `message="a flush every 5m0s carried 1 bytes, fewer than the 2 of one every 10m0s"`)
}

func TestJSONHoldsExactlyTheAgreedKeysAndOfAFailedRunWhatFailed(t *testing.T) {
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
	require.Len(t, runs, 5)
	agreed := []string{"scenario", "seed", "verdict", "hash", "virtual_seconds", "wall_seconds", "events", "vsphere_calls"}
	for _, i := range []int{0, 3, 4} {
		assert.ElementsMatch(t, agreed, keys(runs[i]), "run %d did not fail", i)
	}
	assert.ElementsMatch(t, append(agreed, "violations", "replay"), keys(runs[1]))
	assert.ElementsMatch(t, append(agreed, "error", "replay"), keys(runs[2]))
	assert.JSONEq(t, `[{"oracle":"no-lost-write","clauses":["COLD-05"],"at":"14m7s","subject":"db-01",
		"what":"disk 1 block 0x41: write 412, acknowledged at 13m58s, is absent from the VM that it runs in now, cloud/db-01"}]`, string(runs[1]["violations"]))
	assert.Contains(t, string(runs[2]["error"]), "boom")
}

func TestJSONOfAnExplorationSaysWhichSeedsWereRunAndWhichFailed(t *testing.T) {
	s := suite()
	s.Runs, s.Clauses, s.Seeds = s.Runs[1:2], nil, &record.Seeds{First: 8400, Run: 20, Failed: []uint64{8412}}
	var b bytes.Buffer
	require.NoError(t, reports.JSON(&b, s))
	var got map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(b.Bytes(), &got))
	assert.JSONEq(t, "19", string(got["passed"]))
	assert.JSONEq(t, "1", string(got["failed"]))
	assert.JSONEq(t, `{"first":8400,"run":20,"failed":[8412]}`, string(got["seeds"]))
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

// named is a suite of runs of those names.
func named(names ...string) *record.Suite {
	s := &record.Suite{}
	for _, name := range names {
		s.Runs = append(s.Runs, record.Run{Scenario: name, Verdict: record.Passed})
	}
	return s
}

func begin(t *testing.T) *reports.Folder {
	t.Helper()
	f, err := reports.NewFolder(filepath.Join(t.TempDir(), "out"), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	require.NoError(t, err)
	return f
}

func TestAFolderHoldsTracesInTheOrderOfTheRunsAndNothingHalfDone(t *testing.T) {
	f := begin(t)
	second, err := f.Trace("second")
	require.NoError(t, err)
	first, err := f.Trace("first")
	require.NoError(t, err)
	second.Add(&record.Event{Seq: 1, Kind: "k", Subject: "s"}, false)
	second.End()
	first.Add(&record.Event{Seq: 1, At: time.Second, Kind: "k", Subject: "s", Attrs: []record.Attr{{Key: "a", Value: "b"}}}, false)
	first.Add(&record.Event{Seq: 2, Kind: "k", Subject: "s"}, true)
	require.NoError(t, f.Finish(reports.Command{}, named("first", "second")))
	require.NoError(t, f.Close())
	assert.Equal(t, `{"run":"first","seq":1,"at_ns":1000000000,"kind":"k","subject":"s","attrs":{"a":"b"}}
{"run":"first","seq":2,"at_ns":0,"kind":"k","subject":"s"}
{"run":"second","seq":1,"at_ns":0,"kind":"k","subject":"s"}
`, traceIn(t, f))
	assert.ElementsMatch(t, []string{"run.json", "trace.jsonl", "trace.json", "verdicts.json", "junit.xml", "report.html"}, names(t, f.Path()))
}

func traceIn(t *testing.T, f *reports.Folder) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(f.Path(), "trace.jsonl"))
	require.NoError(t, err)
	return string(text)
}

func TestAThinTraceIsTheWholeOneWithoutItsBulk(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		bulk := rapid.SliceOf(rapid.Bool()).Draw(rt, "bulk")
		f := begin(t)
		whole, err := f.Trace("whole")
		require.NoError(t, err)
		thin, err := f.Trace("thin")
		require.NoError(t, err)
		var want []uint64
		for i, isBulk := range bulk {
			whole.Add(&record.Event{Seq: uint64(i)}, isBulk)
			thin.Add(&record.Event{Seq: uint64(i)}, isBulk)
			if !isBulk {
				want = append(want, uint64(i))
			}
		}
		whole.End()
		thin.End()
		thin.Thin()
		assert.Len(t, names(t, f.Path()), 4, "nothing is kept of what was left out")
		require.NoError(t, f.Finish(reports.Command{}, named("whole", "thin")))
		var got []uint64
		n := 0
		for line := range strings.Lines(traceIn(t, f)) {
			var e struct {
				Run string
				Seq uint64
			}
			require.NoError(t, json.Unmarshal([]byte(line), &e))
			if n++; e.Run == "thin" {
				got = append(got, e.Seq)
			}
		}
		assert.Equal(t, want, got)
		assert.Equal(t, len(bulk)+len(want), n)
	})
}

func TestTwoRunsOfOneNameAreNotMixed(t *testing.T) {
	f := begin(t)
	_, err := f.Trace("x")
	require.NoError(t, err)
	_, err = f.Trace("x")
	require.ErrorContains(t, err, "two runs are named x")
}

func TestAFailureIsNamedByItsRunAndAReplayedOneAsTheFirst(t *testing.T) {
	f := begin(t)
	for _, test := range []struct{ run, file string }{
		{"x", "x.failure.yaml"},
		{"x", "x.failure-2.yaml"},
		{"y.failure", "y.failure.yaml"},
		{"d1/same", "d1-same.failure.yaml"},
		{"../up", "-up.failure.yaml"},
	} {
		path, err := f.SaveFailure(test.run, []byte("title: x\n"))
		require.NoError(t, err)
		assert.Equal(t, filepath.Join(f.Path(), test.file), path)
	}
}

func TestReportsSayWhatRanOnWhat(t *testing.T) {
	f := begin(t)
	environment, err := reports.ReadEnvironment(reports.Build{Version: "v0", Commit: "abc", Go: "go1"})
	require.NoError(t, err)
	require.NoError(t, f.Finish(reports.Command{Args: []string{"run"}, On: environment}, suite()))
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

func TestWhetherAFolderCanBeMadeIsKnownBeforeAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	require.NoError(t, reports.CheckOut(dir))
	require.NoError(t, reports.CheckOut(filepath.Join(dir, "new", "deep")))
	for _, out := range []string{file, filepath.Join(file, "below")} {
		notFolder := new(reports.NotFolderError)
		require.ErrorAs(t, reports.CheckOut(out), &notFolder, out)
		assert.Equal(t, file, notFolder.Path)
	}
	assert.Equal(t, []string{"file"}, names(t, dir))
}

func TestATraceThatCannotBeWrittenIsAnErrorAndTheVerdictsAreThere(t *testing.T) {
	f := begin(t)
	trace, err := f.Trace("lost")
	require.NoError(t, err)
	trace.End()
	for _, part := range names(t, f.Path()) {
		require.NoError(t, os.Remove(filepath.Join(f.Path(), part)))
	}
	assert.ErrorContains(t, f.Finish(reports.Command{}, named("lost")), "of lost")
	require.NoError(t, f.Close())
	assert.ElementsMatch(t, []string{"run.json", "verdicts.json", "junit.xml", "report.html"}, names(t, f.Path()), "no half trace")
}

func TestClosingAFolderThatWasNotFinishedLeavesNoParts(t *testing.T) {
	f := begin(t)
	trace, err := f.Trace("cut")
	require.NoError(t, err)
	trace.Add(&record.Event{Seq: 1}, false)
	require.NoError(t, f.Close())
	assert.Empty(t, names(t, f.Path()))
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
