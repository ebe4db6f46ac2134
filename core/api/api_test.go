package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// in is a migration in a state; one that is over ended so many minutes after noon.
func in(number int, s migration.State, ended int) appliance.Status {
	m := appliance.Status{}
	m.Number, m.ID, m.State, m.Ordered = number, migration.ID(fmt.Sprintf("m-%04d", number)), s, noon
	m.Order = migration.Order{VM: fmt.Sprintf("vm-%d", number), Type: migration.Cold}
	if s.Final() {
		m.Ended = noon.Add(time.Duration(ended) * time.Minute)
	}
	return m
}

func names(rows []Row) []string {
	var all []string
	for _, r := range rows {
		all = append(all, r.Migration)
	}
	return all
}

func TestInProgressHasWhatIsNotOverAndSummaryWhatIs(t *testing.T) {
	var all []appliance.Status
	over := map[migration.State]bool{migration.Completed: true, migration.Refused: true, migration.Failed: true, migration.Cancelled: true}
	states := []migration.State{
		migration.Checking, migration.Queued, migration.Running, migration.Undoing,
		migration.Completed, migration.Refused, migration.Failed, migration.Cancelled,
	}
	for i, s := range states {
		all = append(all, in(i+1, s, i))
	}
	inProgress, summary := Views(all)
	require.Len(t, inProgress, 4)
	require.Len(t, summary, 4)
	for _, r := range inProgress {
		assert.False(t, over[migration.State(r.State)], r.State)
		assert.Zero(t, r.Ended)
	}
	for _, r := range summary {
		assert.True(t, over[migration.State(r.State)], r.State)
		assert.NotZero(t, r.Ended)
	}
}

func TestInProgressIsInTheOrderOfTheOrdersAndSummaryShowsTheLastEndFirst(t *testing.T) {
	inProgress, summary := Views([]appliance.Status{
		in(5, migration.Queued, 0), in(2, migration.Running, 0),
		in(1, migration.Completed, 9), in(3, migration.Failed, 30), in(4, migration.Completed, 9),
	})
	assert.Equal(t, []string{"m-0002", "m-0005"}, names(inProgress))
	assert.Equal(t, []string{"m-0003", "m-0004", "m-0001"}, names(summary))
}

func TestTheSummaryIsBoundedAndKeepsTheNewest(t *testing.T) {
	var all []appliance.Status
	for i := range mostEnded + 10 {
		all = append(all, in(i+1, migration.Completed, i))
	}
	_, summary := Views(all)
	assert.Len(t, summary, mostEnded)
	assert.Equal(t, fmt.Sprintf("m-%04d", mostEnded+10), summary[0].Migration)
}

func TestARowTellsHowFarAMigrationIsAndWhyOneFailed(t *testing.T) {
	running := in(1, migration.Running, 0)
	running.Step, running.Transfer.Percent = migration.StepTransfer, 50
	running.Reasons = []migration.Reason{{Code: "failed", What: "is being tried again"}}
	failed := in(2, migration.Failed, 5)
	failed.Reasons = []migration.Reason{{Code: "space", What: "no room", Fix: "make some"}}
	failed.Leftovers = []migration.Leftover{{Undo: migration.Undo{Step: migration.StepPool, Does: migration.ReturnToPool}, What: "the pool is gone"}}
	inProgress, summary := Views([]appliance.Status{running, failed})
	assert.Equal(t, []Row{{
		Migration: "m-0001", VM: "vm-1", Type: "cold", State: "running", Step: "bulk-transfer", Shows: "Bulk transfer",
		Percent: running.Percent(), Ordered: noon,
	}}, inProgress, "what is tried again is no failure")
	require.Len(t, summary, 1)
	assert.Equal(t, []Reason{{"space", "no room", "make some"}}, summary[0].Reasons)
	assert.Equal(t, []string{failed.Leftovers[0].String()}, summary[0].Left)
}

func TestColdWarmAndTryBeforeCommitAreOffered(t *testing.T) { // MIG-01
	types := Types()
	require.Len(t, types, 3)
	for _, offered := range types {
		require.Len(t, offered.Steps, len(migration.Tables[migration.Type(offered.Type)]))
	}
	assert.Equal(t, "cold", types[0].Type)
	require.Len(t, types[0].Steps, len(migration.ColdTable))
	assert.Equal(t, Step{"check", "Checking both sites"}, types[0].Steps[0])
}

// one is an appliance with one migration.
type one struct{ down []string }

func (o one) Migrations() []appliance.Status {
	return []appliance.Status{in(1, migration.Running, 0), in(2, migration.Completed, 1)}
}
func (o one) Health() health.State { return health.Of(o.down, nil) }

func (o one) Panel() health.Panel {
	p := health.Panel{State: o.Health(), Components: []health.Component{
		{Name: "Cloud Cache", VM: "HDM_Cloud_Cache-0", Level: health.Healthy},
		{Name: "Cloud vCenter", Level: health.Healthy},
	}}
	if len(o.down) > 0 {
		p.Components[0].Level, p.Components[0].Error = health.Poor, "it has crashed"
		p.Notice, p.Reset = p.Details, "several parts of HDM failed at once"
	}
	return p
}

func (o one) Log() []appliance.Note {
	return []appliance.Note{{Number: 1, At: noon, Type: appliance.EventComponentFailed, Text: "Cloud Cache from HDM_Cloud_Cache-0 crashed"}}
}

func (o one) Recovery() recovery.Recovery {
	return recovery.Recovery{
		Number: 1, Phase: recovery.Repairing, Since: noon, Affected: []migration.ID{"m-0001"},
		Failures: []recovery.Failure{{VM: "HDM_Cloud_Cache-0", Service: component.CloudCache, Cause: recovery.Crashed, At: noon}},
	}
}

func (o one) Leftovers() []migration.Migration {
	m := in(3, migration.Failed, 2).Migration
	m.Leftovers = []migration.Leftover{{Undo: migration.Undo{Step: migration.StepTransfer, Does: migration.DestroyImage}, What: "it stays"}}
	return []migration.Migration{m}
}

func ask(t *testing.T, h http.Handler, method, path string, into any) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader("{}")))
	assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), into), w.Body)
	return w
}

func TestTheHandlerServesViewsHealthAndTypes(t *testing.T) {
	h := Handler(func() Appliance { return one{down: []string{health.Cloud}} })
	var m Migrations
	assert.Equal(t, http.StatusOK, ask(t, h, "GET", PathMigrations, &m).Code)
	assert.Equal(t, []string{"m-0001"}, names(m.InProgress))
	assert.Equal(t, []string{"m-0002"}, names(m.Summary))
	var state Health
	ask(t, h, "GET", PathHealth, &state)
	assert.Equal(t, Health{"Not Ready", "Services not ready or down Cloud vCenter"}, state)
	var types []Type
	ask(t, h, "GET", PathTypes, &types)
	assert.Equal(t, Types(), types)
}

func TestWhatChangesSomethingIsRefusedAndSoIsWhatIsNotThere(t *testing.T) {
	h := Handler(func() Appliance { return one{} })
	var e ErrorAnswer
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
		w := ask(t, h, method, PathMigrations, &e)
		assert.Equal(t, http.StatusMethodNotAllowed, w.Code)
		assert.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
		assert.NotEmpty(t, e.Fix)
	}
	assert.Equal(t, http.StatusNotFound, ask(t, h, "GET", "/api/v1/secrets", &e).Code)
	assert.Contains(t, e.Fix, PathMigrations)
}

func TestWhileHDMIsDownTheAnswerSaysSo(t *testing.T) {
	var e ErrorAnswer
	w := ask(t, Handler(func() Appliance { return nil }), "GET", PathHealth, &e)
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.Equal(t, "HDM is not up", e.Error)
}

func TestAnEmptyViewIsAListWithNothingInIt(t *testing.T) {
	var m Migrations
	m.InProgress, m.Summary = Views(nil)
	text, err := json.Marshal(m)
	require.NoError(t, err)
	assert.JSONEq(t, `{"in_progress": [], "summary": []}`, string(text))
}

func TestTheTablesShowBothViewsAndNoControlCharacters(t *testing.T) {
	bad := in(2, migration.Failed, 5)
	bad.Order.VM = "evil\x1b[2J\tname"
	bad.Reasons = []migration.Reason{{What: "no room", Fix: "make some"}}
	var m Migrations
	m.InProgress, m.Summary = Views([]appliance.Status{in(1, migration.Running, 0), bad})
	var out strings.Builder
	require.NoError(t, m.Print(&out, time.UTC))
	assert.Contains(t, out.String(), "IN PROGRESS  VM    TYPE  STATE    DONE  ORDERED              DOING\nm-0001       vm-1  cold  running")
	assert.Contains(t, out.String(), "SUMMARY  VM             TYPE  STATE   ORDERED              ENDED                WHY\nm-0002")
	assert.Contains(t, out.String(), "evil?[2J?name")
	assert.Contains(t, out.String(), "2026-01-02 12:05:00  no room (make some)")
	assert.NotContains(t, out.String(), "\x1b")
}

func TestThePanelShowsEveryComponentWithItsStateAndColor(t *testing.T) { // HLT-03, HLT-05
	h := Handler(func() Appliance { return one{down: []string{"Cloud Cache"}} })
	var p Panel
	ask(t, h, http.MethodGet, PathPanel, &p)
	assert.Equal(t, []Component{
		{Name: "Cloud Cache", VM: "HDM_Cloud_Cache-0", State: "Poor", Color: "red", Error: "it has crashed"},
		{Name: "Cloud vCenter", State: "Healthy", Color: "blue"},
	}, p.Components)
	assert.Equal(t, "Not Ready", p.Status)
	assert.False(t, p.Good)
}

func TestTheDashboardNoticesWhatIsDown(t *testing.T) { // HLT-04, RST-01
	for _, down := range [][]string{nil, {"Cloud Cache"}} {
		var d Dashboard
		ask(t, Handler(func() Appliance { return one{down: down} }), http.MethodGet, PathDashboard, &d)
		assert.Equal(t, down == nil, d.Good)
		assert.Equal(t, down != nil, strings.HasPrefix(d.Notice, "Services not ready or down Cloud Cache"))
		assert.Equal(t, down != nil, d.Reset != "")
	}
}

func TestFailuresEventsAndLeftoversAreListed(t *testing.T) { // HLT-06, WARM-06
	h := Handler(func() Appliance { return one{} })
	var e Events
	ask(t, h, http.MethodGet, PathEvents, &e)
	assert.Equal(t, []Event{{1, noon, "com.hdm.component.failed", "Cloud Cache from HDM_Cloud_Cache-0 crashed"}}, e.Events)
	var r Recovery
	ask(t, h, http.MethodGet, PathRecovery, &r)
	assert.Equal(t, Recovery{
		Number: 1, Phase: "repairing", Since: noon, Affected: []string{"m-0001"}, Held: []string{},
		Failures: []Failure{{VM: "HDM_Cloud_Cache-0", Service: "Cloud Cache", Cause: "crashed", At: noon}},
	}, r)
	var l Leftovers
	ask(t, h, http.MethodGet, PathLeftovers, &l)
	require.Len(t, l.Leftovers, 1)
	assert.Equal(t, "vm-3", l.Leftovers[0].VM)
}
