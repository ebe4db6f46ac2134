package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("held.yaml", []byte(held), 0o644))
	require.NoError(t, os.WriteFile("broken.yaml", []byte(broken), 0o644))
	require.NoError(t, os.WriteFile("unknown-key.yaml", []byte("title: x\nworld: tiny\nstepz: []\n"), 0o644))
	require.NoError(t, os.Mkdir("empty", 0o755))
	var stdout, stderr bytes.Buffer
	code := execute(ctx, args, strings.NewReader(stdin), &stdout, &stderr)
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
	broken = "title: a promise that nobody gave\ncovers: [COLD-04]" + strings.Replace(world, "%", "failed", 1)
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
		{"unknown name", []string{"run", "--only", "nobody", "held.yaml"}, []string{"--only nobody", "held"}},
		{"replay of nothing", []string{"replay"}, []string{"1 arg"}},
		{"negative speed", []string{"replay", "held.yaml", "--speed", "-1"}, []string{"as fast as possible"}},
		{"negative time", []string{"replay", "held.yaml", "--until", "-1s"}, []string{"--until"}},
		{"events as JSON", []string{"replay", "held.yaml", "--events", "--format", "json"}, []string{"leave out --format"}},
		{"seeds backwards", []string{"explore", "--seeds", "9-1"}, []string{"A-B"}},
		{"one seed for many", []string{"explore", "--seed", "9"}, []string{"--seeds"}},
		{"unknown clause", []string{"explain", "COLD-99"}, []string{"hdm explain"}},
		{"unknown schema", []string{"schema", "moon"}, []string{"moon"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := hdm(t, "", test.args...)
			assert.Equal(t, exitUsage, r.code)
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
	assert.ElementsMatch(t, []string{"run.json", "trace.jsonl", "verdicts.json", "junit.xml"}, filesOf(t, r.out))
}

func TestABrokenPromiseEndsWith1AndItsReplayBreaksItAgainTheSameWay(t *testing.T) {
	r := hdm(t, "", "run", "broken.yaml", "--seed", "7")
	require.Equal(t, exitBroken, r.code, "%s%s", r.stdout, r.err)
	assert.Contains(t, r.stdout, "VIOLATED expect  scenario=broken seed=7")
	assert.Contains(t, r.stdout, "COLD-04  violated")
	replay := regexp.MustCompile(`replay: hdm (replay (\S+))`).FindStringSubmatch(r.stdout)
	require.NotNil(t, replay, r.stdout)

	var stdout, stderr bytes.Buffer
	assert.Equal(t, exitBroken, execute(context.Background(), strings.Fields(replay[1]), nil, &stdout, &stderr), stderr.String())
	hash := regexp.MustCompile(`[0-9a-f]{16}\n`)
	assert.Equal(t, hash.FindString(r.stdout), hash.FindString(stdout.String()), "the same trace")
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

func TestAMachineThatFailsEndsWith3(t *testing.T) {
	r := hdm(t, "", "run", "held.yaml", "--out", "held.yaml")
	assert.Equal(t, exitEnvironment, r.code)
	assert.Contains(t, r.err, "--out")
}

func TestReplayPrintsEventsAndStops(t *testing.T) {
	r := hdm(t, "", "replay", "held.yaml", "--events", "--until", "90s")
	require.Equal(t, exitHeld, r.code, r.err)
	assert.Contains(t, r.stdout, "appliance.up")
	assert.NotContains(t, r.stdout, "lease.closed")
	assert.Contains(t, r.stdout, "1m30s")
	assert.Contains(t, r.stdout, "0 held", "what was not judged shows nothing")
}

func TestReplayStepsThroughEventsAndIsTheSameRun(t *testing.T) {
	stepped := hdm(t, "nonsense\n\n5\nc\n", "replay", "held.yaml", "--step")
	require.Equal(t, exitHeld, stepped.code, stepped.err)
	assert.Contains(t, stepped.stdout, "a number: so many")
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
}

func TestExplainTellsPromiseAndScenarios(t *testing.T) {
	r := hdm(t, "", "explain", "mig-08")
	require.Equal(t, exitHeld, r.code, r.err)
	assert.Contains(t, r.stdout, "_HDM_MIGRATEPOOL")
	assert.Contains(t, r.stdout, "MIG-08/cold")
	assert.Regexp(t, `shown by +\S+ \(MIG-08/cold\)`, r.stdout)
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
