package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/explore"
	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
)

// result is what a command left.
type result struct {
	code        int
	stdout, err string
	out         string // the folder for reports
}

// hdm runs a command in a folder of its own, with out as the folder for reports.
func hdm(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	return hdmIn(t, context.Background(), stdin, args...)
}

func hdmIn(t *testing.T, ctx context.Context, stdin string, args ...string) result {
	t.Helper()
	inFolder(t)
	return call(t, ctx, stdin, args...)
}

// inFolder goes to a folder with the files of these tests.
func inFolder(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("held.yaml", []byte(held), 0o644))
	require.NoError(t, os.WriteFile("broken.yaml", []byte(broken), 0o644))
	require.NoError(t, os.WriteFile("unknown-key.yaml", []byte("title: x\nworld: tiny\nstepz: []\n"), 0o644))
	require.NoError(t, os.Mkdir("empty", 0o755))
	require.NoError(t, os.WriteFile("file", nil, 0o644))
}

func call(t *testing.T, ctx context.Context, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := execute(ctx, "bin/hdm", args, strings.NewReader(stdin), &stdout, &stderr)
	return result{code: code, stdout: stdout.String(), err: stderr.String(), out: "out"}
}

const world = `
world:
  on-premises: {networks: [VM Network], vms: [{name: db-01, disks: [{capacity: 1 GB, used: 100 MB}]}]}
  cloud: {networks: [Cloud Net]}
steps:
  - {at: 1m, migrate: {vm: db-01, type: cold, target: {networks: {VM Network: Cloud Net}}}}
expect:
  - {vm: db-01, migration: %}
`

var (
	held   = "title: a cold migration\ncovers: [COLD-01]" + strings.Replace(world, "%", "completed", 1)
	broken = "title: a promise that nobody gave\ncovers: [COLD-01]" + strings.Replace(world, "%", "failed", 1)
)

func TestBadInputEndsWith2SaysWhatToDoAndWritesNothing(t *testing.T) {
	tests := []struct {
		name string
		args []string
		says []string
	}{
		{"unknown command", []string{"fly"}, []string{"fly", "hdm --help"}},
		{"unknown flag", []string{"run", "--sped", "1"}, []string{"--sped"}},
		{"flag of another command", []string{"run", "--speed", "1"}, []string{"--speed"}},
		{"seed that is no number", []string{"run", "--seed", "x"}, []string{"--seed"}},
		{"unknown format", []string{"run", "--format", "xml"}, []string{"choose text, json, junit"}},
		{"unknown transport", []string{"run", "--transport", "pigeon"}, []string{"choose direct or soap"}},
		{"no workers", []string{"run", "--workers", "0"}, []string{"choose 1 to 256"}},
		{"no folder", []string{"run", "--out", ""}, []string{"name a folder"}},
		{"file that is not there", []string{"run", "gone.yaml"}, []string{"gone.yaml"}},
		{"one good file, one not there", []string{"run", "held.yaml", "gone.yaml"}, []string{"gone.yaml"}},
		{"unknown key", []string{"run", "unknown-key.yaml"}, []string{"unknown-key.yaml:3:1", "stepz"}},
		{"folder without scenarios", []string{"run", "empty"}, []string{"empty holds no scenario"}},
		{"unknown name", []string{"run", "--only", "nobody", "held.yaml"}, []string{`--only "nobody"`, "held"}},
		{"replay of nothing", []string{"replay"}, []string{"1 arg"}},
		{"replay of a folder", []string{"replay", "."}, []string{"is a folder", "hdm run"}},
		{"empty file name", []string{"run", ""}, []string{"an argument is empty"}},
		{"empty file name to replay", []string{"replay", ""}, []string{"the argument is empty"}},
		{"no name", []string{"run", "--only", "", "held.yaml"}, []string{"--only", "empty"}},
		{"one name of two", []string{"run", "--only", "held,", "held.yaml"}, []string{"--only", "empty"}},
		{"unknown trace", []string{"run", "--trace", "some"}, []string{"choose failed or all"}},
		{"a file for reports", []string{"run", "held.yaml", "--out", "file"}, []string{"--out", "file is a file"}},
		{"reports below a file", []string{"replay", "held.yaml", "--out", "file/x"}, []string{"--out", "file is a file"}},
		{"a file for what an exploration finds", []string{"explore", "--seeds", "1", "--out", "file"}, []string{"--out", "file is a file"}},
		{"speed that is no number", []string{"replay", "held.yaml", "--speed", "NaN"}, []string{"--speed NaN"}},
		{"speed without end", []string{"replay", "held.yaml", "--speed", "Inf"}, []string{"--speed +Inf"}},
		{"speed that never comes anywhere", []string{"replay", "held.yaml", "--speed", "1e-300"}, []string{"0.001"}},
		{"no time", []string{"replay", "held.yaml", "--until", "0"}, []string{"--until 0s"}},
		{"time without unit", []string{"replay", "held.yaml", "--until", "14"}, []string{"--until", "90s, 14m"}},
		{"exploration for no time", []string{"explore", "--for", "0"}, []string{"--for 0s"}},
		{"flag without value", []string{"run", "--seed"}, []string{"--seed", "a whole number from 0"}},
		{"seed below zero", []string{"run", "--seed", "-1"}, []string{`--seed "-1"`, "a whole number from 0"}},
		{"workers for one scenario", []string{"replay", "held.yaml", "--workers", "2"}, []string{"--workers", "hdm replay has", "--speed"}},
		{"help on nothing there is", []string{"help", "nope"}, []string{"nope"}},
		{"part that there is not", []string{"explain", "MIG-08/hot"}, []string{"hot", "hdm explain MIG-08"}},
		{"negative speed", []string{"replay", "held.yaml", "--speed", "-1"}, []string{"as fast as possible"}},
		{"negative time", []string{"replay", "held.yaml", "--until", "-1s"}, []string{"--until"}},
		{"events as JSON", []string{"replay", "held.yaml", "--events", "--format", "json"}, []string{"leave out --format"}},
		{"seeds backwards", []string{"explore", "--seeds", "9-1"}, []string{"A-B"}},
		{"one seed for many", []string{"explore", "--seed", "9"}, []string{"--seeds"}},
		{"unknown clause", []string{"explain", "COLD-99"}, []string{"hdm explain"}},
		{"report on nothing", []string{"report"}, []string{"1 arg"}},
		{"report on what holds no reports", []string{"report", "empty"}, []string{"empty cannot be read as a folder of reports"}},
		{"unknown schema", []string{"schema", "moon"}, []string{"moon"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := hdm(t, "", test.args...)
			assert.Equal(t, exitUsage, r.code, r.err)
			assert.NotContains(t, r.err, "strconv")
			for _, s := range test.says {
				assert.Contains(t, r.err, s)
			}
			assert.Empty(t, r.stdout)
			assert.NoDirExists(t, r.out)
		})
	}
}

func TestARunThatHoldsEndsWith0AndLeavesItsReports(t *testing.T) {
	r := hdm(t, "", "run", "held.yaml")
	require.Equal(t, exitHeld, r.code, "%s%s", r.stdout, r.err)
	assert.Contains(t, r.stdout, "passed  held")
	assert.Contains(t, r.stdout, "COLD-01  held")
	assert.Contains(t, r.stdout, "1 passed, 0 failed")
	assert.ElementsMatch(t, kept, filesOf(t, r.out))
}

func TestABrokenPromiseEndsWith1AndItsReplayBreaksItAgainTheSameWay(t *testing.T) {
	r := hdm(t, "", "run", "broken.yaml", "--seed", "7", "--out", "it's here")
	require.Equal(t, exitBroken, r.code, "%s%s", r.stdout, r.err)
	assert.Contains(t, r.stdout, "VIOLATED expect  scenario=broken seed=7")
	assert.Contains(t, r.stdout, "COLD-01  violated")
	replay := regexp.MustCompile(`replay: bin/hdm replay (.*)\n`).FindStringSubmatch(r.stdout)
	require.NotNil(t, replay, r.stdout)
	require.Regexp(t, `^'it'\\''s here/\w+/broken.failure.yaml'$`, replay[1], "as a shell takes it")
	file := strings.ReplaceAll(strings.Trim(replay[1], "'"), `'\''`, "'")

	again := call(t, context.Background(), "", "replay", file)
	assert.Equal(t, exitBroken, again.code, again.err)
	hash := regexp.MustCompile(`[0-9a-f]{16}\n`)
	assert.Equal(t, hash.FindString(r.stdout), hash.FindString(again.stdout), "the same trace")
	assert.Regexp(t, `replay out/\w+/broken.failure.yaml\n`, again.stdout, "the name does not grow")
}

func TestAWordOfAShellIsThatWordWhateverItHolds(t *testing.T) {
	for _, test := range []struct{ text, word string }{
		{"out/a-b_c.yaml", "out/a-b_c.yaml"},
		{"a b", "'a b'"},
		{"it's", `'it'\''s'`},
		{"$(id);`id`", "'$(id);`id`'"},
		{"", "''"},
	} {
		assert.Equal(t, test.word, quote(test.text))
	}
	assert.Equal(t, "./-x.yaml", asPath("-x.yaml"))
}

func TestTheTraceOfARunThatFailedIsWholeAndOfOneThatPassedIfAskedFor(t *testing.T) {
	kinds := func(r result) map[string]int {
		n := map[string]int{}
		for line := range strings.Lines(traceOf(t, r.out)) {
			var e struct{ Kind string }
			require.NoError(t, json.Unmarshal([]byte(line), &e))
			n[e.Kind]++
		}
		return n
	}
	running := func(text string, args ...string) result {
		inFolder(t)
		writes := "vms: [{name: db-01, workload: {kind: random, rate: 2, span: 256 KB, flush-every: 3s}, "
		require.NoError(t, os.WriteFile("writes.yaml", []byte(strings.Replace(text, "vms: [{name: db-01, ", writes, 1)), 0o644))
		return call(t, context.Background(), "", append([]string{"run", "writes.yaml"}, args...)...)
	}
	passed := kinds(running(held))
	all := kinds(running(held, "--trace", "all"))
	failed := kinds(running(broken))
	for kind := range bulk {
		assert.Zero(t, passed[kind], kind)
		assert.Positive(t, all[kind], kind)
		assert.Positive(t, failed[kind], kind)
		delete(all, kind)
	}
	assert.Equal(t, all, passed, "and nothing else is left out")
}

func traceOf(t *testing.T, out string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(out, "*", "trace.jsonl"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	text, err := os.ReadFile(files[0])
	require.NoError(t, err)
	return string(text)
}

func TestScenariosOfOneNameAreToldApartAndOneNamedTwiceRunsOnce(t *testing.T) {
	inFolder(t)
	require.NoError(t, os.MkdirAll("d", 0o755))
	require.NoError(t, os.WriteFile("d/held.yaml", []byte(held), 0o644))
	r := call(t, context.Background(), "", "run", "held.yaml", "d/held.yaml", "./held.yaml", "d")
	require.Equal(t, exitHeld, r.code, r.err)
	assert.Regexp(t, `(?m)^passed  held `, r.stdout)
	assert.Regexp(t, `(?m)^passed  d/held `, r.stdout)
	assert.Contains(t, r.stdout, "2 passed")
}

func TestASmallRunListsWhatItPutToTheTestAndCountsTheRest(t *testing.T) {
	r := hdm(t, "", "run", "held.yaml")
	assert.Contains(t, r.stdout, "COLD-01  held")
	assert.NotContains(t, r.stdout, "WARM-01")
	assert.Regexp(t, `clauses: \d+ held, \d+ partial, 0 violated, \d{2,} uncovered`, r.stdout)
	assert.Contains(t, r.stdout, "seed: each scenario's own")
	assert.Contains(t, hdm(t, "", "run", "held.yaml", "--seed", "0").stdout, "seed: 0")
}

func TestSeveralFoldersBecomeOnePage(t *testing.T) {
	inFolder(t)
	require.Equal(t, exitHeld, call(t, context.Background(), "", "run", "held.yaml", "--out", "a").code)
	require.Equal(t, exitBroken, call(t, context.Background(), "", "run", "broken.yaml", "--out", "b").code)
	folders, err := filepath.Glob("[ab]/*")
	require.NoError(t, err)
	require.Len(t, folders, 2)
	r := call(t, context.Background(), "", append([]string{"report"}, folders...)...)
	require.Equal(t, exitHeld, r.code, r.err)
	for _, want := range []string{"1 run passed, 1 failed", ">held</span>", ">broken</span>", `<tr class="violated"><th scope="row" id="COLD-01">`} {
		assert.True(t, strings.Contains(r.stdout, want), want)
	}
	assert.Equal(t, 2, strings.Count(r.stdout, `<svg class="line"`), "each has its time line")
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestResultsThatCannotBePrintedEndWith3AndAreKept(t *testing.T) {
	for _, args := range [][]string{{"schema"}, {"version"}, {"explain"}, {"help"}, {"run", "held.yaml"}, {"replay", "held.yaml", "--format", "json"}} {
		inFolder(t)
		var stderr bytes.Buffer
		assert.Equal(t, exitEnvironment, execute(context.Background(), "hdm", args, nil, full{}, &stderr), "%v", args)
		assert.Contains(t, stderr.String(), "stdout")
		if len(args) > 1 {
			assert.Contains(t, filesOf(t, "out"), "verdicts.json")
		}
	}
	inFolder(t)
	assert.Equal(t, exitBroken, execute(context.Background(), "hdm", []string{"run", "broken.yaml"}, nil, full{}, io.Discard), "a broken promise comes first")
}

func TestWhatPeopleAreToldSurvivesAFolderThatGoesAway(t *testing.T) {
	inFolder(t)
	ended := false
	stdout := writer(func(p []byte) (int, error) {
		if !ended { // the run's own line is the first thing printed
			ended = true
			require.NoError(t, os.RemoveAll("out"))
		}
		return len(p), nil
	})
	var stderr bytes.Buffer
	assert.Equal(t, exitEnvironment, execute(context.Background(), "hdm", []string{"run", "held.yaml"}, nil, stdout, &stderr))
	assert.True(t, ended)
	assert.Contains(t, stderr.String(), "verdicts.json")
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestAPanicEndsWith3(t *testing.T) {
	inFolder(t)
	var stderr bytes.Buffer
	stdout := writer(func([]byte) (int, error) { panic("a bug, for example") })
	assert.Equal(t, exitEnvironment, execute(context.Background(), "hdm", []string{"version"}, nil, stdout, &stderr))
	assert.Contains(t, stderr.String(), "a bug, for example")
}

func TestJSONAndJUnitGoToStdoutAlone(t *testing.T) {
	r := hdm(t, "", "run", "held.yaml", "--format", "json")
	require.Equal(t, exitHeld, r.code)
	var got struct {
		Passed  int
		Clauses map[string]string
		Runs    []struct{ Scenario, Verdict string }
	}
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &got))
	assert.Equal(t, 1, got.Passed)
	assert.Equal(t, "held", got.Clauses["COLD-01"])
	assert.Equal(t, "uncovered", got.Clauses["WARM-01"])
	require.Len(t, got.Runs, 1)
	assert.Equal(t, "passed", got.Runs[0].Verdict)

	r = hdm(t, "", "run", "held.yaml", "--format", "junit")
	require.Equal(t, exitHeld, r.code)
	require.NoError(t, xml.Unmarshal([]byte(r.stdout), new(struct{})))
}

func TestAnInterruptedCommandEndsWith130AndTellsWhatItDid(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := hdmIn(t, ctx, "", "run", "held.yaml")
	assert.Equal(t, exitInterrupted, r.code, "%s%s", r.stdout, r.err)
	assert.Contains(t, r.stdout, "0 passed, 0 failed, interrupted")
}

func TestAnInterruptLeavesWholeReportsOfWhatWasDone(t *testing.T) {
	inFolder(t)
	require.NoError(t, os.WriteFile("next.yaml", []byte(held), 0o644))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stdout := writer(func(p []byte) (int, error) {
		cancel()
		return len(p), nil
	})
	code := execute(ctx, "hdm", []string{"run", "held.yaml", "next.yaml", "--workers", "1"}, nil, stdout, io.Discard)
	assert.Equal(t, exitInterrupted, code)
	assert.ElementsMatch(t, kept, filesOf(t, "out"))
}

func TestRunsThatPassedMayBreakAPromiseTogether(t *testing.T) {
	passed := record.Run{Verdict: record.Passed}
	suite := &record.Suite{Runs: []record.Run{passed, passed}, Families: []record.Family{{Name: "flush-interval", Compared: true}}}
	require.NoError(t, outcome(suite, nil))
	suite.Families[0].Broken = []string{"a shorter interval cost less"}
	err := new(exitError)
	require.ErrorAs(t, outcome(suite, nil), &err)
	assert.Equal(t, exitBroken, err.code)
}

func TestTheExitCodeTellsABrokenPromiseFirstAndAnInterruptLast(t *testing.T) {
	broke := record.Run{Verdict: record.Failed, Violations: []record.Violation{{}}}
	stuck := record.Run{Verdict: record.Failed, Error: "a watchdog, or a panic"}
	passed := record.Run{Verdict: record.Passed}
	full := errors.New("the disk is full")
	tests := []struct {
		name        string
		runs        []record.Run
		interrupted bool
		failed      error
		code        int
	}{
		{"all passed", []record.Run{passed}, false, nil, exitHeld},
		{"one broke", []record.Run{passed, broke}, false, nil, exitBroken},
		{"one did not come to its end", []record.Run{stuck}, false, nil, exitBroken},
		{"one broke, and the disk was full", []record.Run{broke}, true, full, exitBroken},
		{"one could not be run at all", []record.Run{stuck}, false, full, exitEnvironment},
		{"the disk was full", []record.Run{passed}, true, full, exitEnvironment},
		{"interrupted", []record.Run{passed}, true, nil, exitInterrupted},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := outcome(&record.Suite{Runs: test.runs, Interrupted: test.interrupted}, test.failed)
			code := exitHeld
			if typed := new(exitError); errors.As(err, &typed) {
				code = typed.code
			}
			assert.Equal(t, test.code, code)
			if test.failed != nil {
				assert.ErrorContains(t, err, "the disk is full", "and it is told")
			}
		})
	}
}

func TestWhatAnExplorationFindsIsKeptOrElseFoundAgainByItsSeed(t *testing.T) {
	inFolder(t)
	term := &terminal{program: "bin/hdm"}
	s := explore.Generate(3)
	found := []explore.Failure{{Run: record.Run{Scenario: run.Name(s), Seed: 3, Verdict: record.Failed}, Scenario: s}}
	var suite record.Suite
	require.NoError(t, keepFailures(term, &common{out: "out"}, &suite, found, time.Unix(0, 0)))
	require.Len(t, suite.Runs, 1)
	file, is := strings.CutPrefix(suite.Runs[0].Replay, "bin/hdm replay ")
	require.True(t, is, suite.Runs[0].Replay)
	kept, err := scenario.Parse(file)
	require.NoError(t, err)
	assert.Equal(t, uint64(3), kept.Seed)

	suite = record.Suite{}
	require.Error(t, keepFailures(term, &common{out: "file"}, &suite, found, time.Unix(0, 0)))
	require.Len(t, suite.Runs, 1)
	assert.Equal(t, "bin/hdm explore --seeds 3", suite.Runs[0].Replay)
}

func TestAMachineThatFailsEndsWith3(t *testing.T) {
	r := hdm(t, "", "run", "held.yaml", "--out", "/proc/nowhere/out")
	assert.Equal(t, exitEnvironment, r.code, r.err)
	assert.Contains(t, r.err, "--out")
}

func TestReplayPrintsEventsAndStops(t *testing.T) {
	r := hdm(t, "", "replay", "held.yaml", "--events", "--until", "90s")
	require.Equal(t, exitHeld, r.code, r.err)
	assert.Contains(t, r.stdout, "appliance.up")
	assert.NotContains(t, r.stdout, "lease.closed")
	assert.Contains(t, r.stdout, "1m30s")
	assert.Contains(t, r.stdout, "0 held", "what was not judged shows nothing")
	assert.Contains(t, r.stdout, "0 passed, 0 failed, 1 ended at --until, not judged\n")
}

func TestReplayStepsThroughEventsAndIsTheSameRun(t *testing.T) {
	stepped := hdm(t, "nonsense\n\n5\nc\n", "replay", "held.yaml", "--step")
	require.Equal(t, exitHeld, stepped.code, stepped.err)
	assert.Equal(t, 2, strings.Count(stepped.stdout, stepHelp), "at the beginning, and when it is not understood")
	whole := hdm(t, "", "run", "held.yaml")
	hash := regexp.MustCompile(`[0-9a-f]{16}\n`)
	assert.Equal(t, hash.FindString(whole.stdout), hash.FindString(stepped.stdout))

	quit := hdm(t, "\nq\n", "replay", "held.yaml", "--step")
	assert.Equal(t, exitInterrupted, quit.code)
}

func TestExploreRunsItsSeedsAndLeavesNothingIfAllHold(t *testing.T) {
	r := hdm(t, "", "explore", "--seeds", "1-3")
	require.Equal(t, exitHeld, r.code, "%s%s", r.stdout, r.err)
	assert.Contains(t, r.stdout, "3 seeds run from 1 on, 0 failed")
	assert.NoDirExists(t, r.out)

	r = hdm(t, "", "explore", "--seeds", "2-3", "--format", "json")
	var got struct {
		Passed int
		Seeds  map[string]any
	}
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &got))
	assert.Equal(t, 2, got.Passed)
	assert.Equal(t, map[string]any{"first": 2.0, "run": 2.0, "failed": []any{}}, got.Seeds)
}

func TestExplainTellsPromiseAndScenarios(t *testing.T) {
	r := hdm(t, "", "explain", "mig-08")
	require.Equal(t, exitHeld, r.code, r.err)
	assert.Contains(t, r.stdout, "_HDM_MIGRATEPOOL")
	assert.Contains(t, r.stdout, "MIG-08/cold")
	assert.Regexp(t, `shown by +\S+ \(MIG-08/cold\)`, r.stdout)
	part := hdm(t, "", "explain", "MIG-08/cold")
	require.Equal(t, exitHeld, part.code, part.err)
	assert.Contains(t, part.stdout, "MIG-08/cold: ")
	assert.NotContains(t, part.stdout, "MIG-08/warm")
	all := hdm(t, "", "explain")
	assert.Greater(t, strings.Count(all.stdout, "\n"), 100)
}

func TestSchemasAreDraft07(t *testing.T) {
	for _, of := range []string{"scenario", "world"} {
		r := hdm(t, "", "schema", of)
		require.Equal(t, exitHeld, r.code, r.err)
		var schema map[string]any
		require.NoError(t, json.Unmarshal([]byte(r.stdout), &schema))
		assert.Contains(t, schema["$schema"], "draft-07")
	}
}

func TestVersionTellsWhatItWasBuiltFrom(t *testing.T) {
	r := hdm(t, "", "version")
	require.Equal(t, exitHeld, r.code)
	assert.Contains(t, r.stdout, version)
	assert.Contains(t, r.stdout, "go1.")
}

// kept is what every command leaves that ran scenarios.
var kept = []string{"run.json", "trace.jsonl", "trace.json", "verdicts.json", "junit.xml", "report.html"}

func filesOf(t *testing.T, out string) []string {
	t.Helper()
	runs, err := os.ReadDir(out)
	require.NoError(t, err)
	require.Len(t, runs, 1)
	entries, err := os.ReadDir(filepath.Join(out, runs[0].Name()))
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
