package page_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/reports/page"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/reports/timeline"
)

const hostile = `"><script>alert(1)</script><img src=http://evil.example/x onerror=alert(1)>` + "\u202e'&\x00"

// line is a run in which each kind of thing happens, to a VM of that name.
func line(vm string) *timeline.Timeline {
	b := timeline.NewBuilder()
	seq := uint64(0)
	add := func(at time.Duration, kind, subject string, attrs ...string) {
		seq++
		e := record.Event{Seq: seq, At: at, Kind: kind, Subject: subject}
		for i := 0; i < len(attrs); i += 2 {
			e.Attrs = append(e.Attrs, record.Attr{Key: attrs[i], Value: attrs[i+1]})
		}
		b.Add(&e)
	}
	s := time.Second
	add(0, "guest.started", vm, "site", "on-premises", "vm", vm)
	add(0, "appliance.up", "appliance", "epoch", "1")
	add(0, "heartbeat", "appliance", "status", "Ready")
	add(1*s, "migration", "m-0001", "vm", vm, "type", "cold", "to", "queued")
	add(2*s, "migration", "m-0001", "vm", vm, "to", "running", "step", "shut-down")
	add(3*s, "guest.stopped", vm, "site", "on-premises", "vm", vm, "how", "power-off", "lost", "1")
	add(4*s, "migration", "m-0001", "vm", vm, "to", "running", "step", "bulk-transfer")
	add(4*s, "link.transfer", "wan", "direction", "to-cloud", "what", vm, "bytes", "1000", "state", "started")
	add(5*s, "fault.began", "1", "kind", "wan-down", "target", vm)
	add(5*s, "link.down", "wan", "direction", "to-cloud")
	add(6*s, "appliance.down", "appliance", "how", vm)
	add(7*s, "appliance.up", "appliance", "epoch", "2")
	add(7*s, "link.up", "wan", "direction", "to-cloud")
	add(8*s, "link.down", "internet", "direction", "both")
	add(8*s, "fault.ended", "1", "kind", "wan-down")
	add(9*s, "link.up", "internet", "direction", "both")
	add(9*s, "effect.started", "m-0001", "kind", "transfer", "attempt", "2")
	add(14*s, "link.transfer", "wan", "direction", "to-cloud", "what", vm, "bytes", "1000", "state", "finished")
	add(15*s, "migration", "m-0001", "vm", vm, "to", "undoing", "step", "bulk-transfer", "reason", "failed")
	add(16*s, "migration", "m-0001", "vm", vm, "to", "failed", "reason", "failed")
	add(16*s, "sqs.sent", "requests.fifo", "message", "1")
	add(17*s, "foreign.call", "cloud", "method", "PowerOff", "from", vm)
	add(2*time.Hour, "journal.sync", "appliance")
	return b.End()
}

func suite(name string) *page.Suite {
	catalogue := record.Catalogue{
		{ID: "COLD-01", Guide: "Cold Migration", Must: "A promise that is held."},
		{ID: "COLD-05", Guide: "Cold Migration", Must: "A cold migration never loses data."},
		{ID: "MIG-08", Guide: "Migrate", Must: "In parts.", Parts: []record.Part{{ID: "cold", What: "after a cold one"}, {ID: "warm", What: "after a warm one"}}},
		{ID: "WARM-01", Must: "Not tested."},
	}
	r := &record.Suite{Transport: "direct", Workers: 1, WallSeconds: 2, Runs: []record.Run{
		{Scenario: "fine", Title: "It works", Verdict: record.Passed, Hash: record.Hash(1), VirtualSeconds: 7200, Events: 22, Covers: []string{"COLD-01", "MIG-08/cold"}, Replay: "hdm run --only fine"},
		{Scenario: name, Title: name, Verdict: record.Failed, Hash: record.Hash(2), VirtualSeconds: 7200, Events: 22, Replay: name, Error: name,
			Violations: []record.Violation{{Oracle: "no-lost-write", Clauses: []string{"COLD-05"}, At: 9 * time.Second, Subject: name, What: name, Evidence: []uint64{4, 5}}}},
	}}
	r.Clauses = catalogue.Judge(r.Runs)
	return &page.Suite{Record: r, Facts: []page.Fact{{Name: "seed", Value: name}}, Runs: []page.Run{
		{Line: line(name)},
		{Line: line(name), Evidence: []record.Event{{Seq: 4, Kind: "migration", Subject: name, Attrs: []record.Attr{{Key: "vm", Value: name}}}}},
	}}
}

func drawn(t *testing.T, s *page.Suite) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, page.Write(&b, s))
	return b.String()
}

// has says what is missing, rather than the whole page.
func has(t *testing.T, html, want string, why ...any) {
	t.Helper()
	if !strings.Contains(html, want) {
		assert.Fail(t, "the page lacks "+want, why...)
	}
}

func TestThePageTellsWhatTheRecordSays(t *testing.T) {
	html := drawn(t, suite("lossy"))
	has(t, html, "1 promise broken in 1 run</h1>")
	has(t, html, "1 run passed, 1 failed")
	for _, row := range []struct{ id, standing string }{{"COLD-01", "held"}, {"COLD-05", "violated"}, {"MIG-08", "partial"}, {"WARM-01", "uncovered"}} {
		has(t, html, `<tr class="`+row.standing+`"><th scope="row" id="`+row.id+`">`)
		has(t, html, `class="cell `+row.standing+`" href="#`+row.id+`"`)
	}
	has(t, html, "missing: after a warm one")
	has(t, html, `<a href="#run-1">fine</a>`, "a clause leads to what shows it")
	has(t, html, `<a href="#run-2">lossy</a> at 9s: lossy: lossy <span class="missing">evidence: events 4, 5</span>`)
	has(t, html, "hdm run --only fine")
	has(t, html, `<td class="n">0 writes</td><td class="n">1</td>`, "what was lost, against the bound")
	assert.Regexp(t, `<li><b>4</b> 0s <b>migration</b> lossy vm=lossy</li>`, html)
}

func TestTheRunThatFailedComesFirstAndIsOpen(t *testing.T) {
	html := drawn(t, suite("lossy"))
	assert.Less(t, strings.Index(html, `<details class="run" open id="run-2">`), strings.Index(html, `<details class="run" id="run-1">`))
	has(t, html, `<details class="run" open id="run-2">`)
}

func TestEachComponentHasItsLaneAndFaultsLieOverAll(t *testing.T) {
	html := drawn(t, suite("db-01"))
	for _, lane := range []string{"faults", "broken", "appliance", "heartbeat", "wan", "internet", "orders, people", "db-01", "orders", "WAN", "requests.fifo"} {
		assert.True(t, regexp.MustCompile(`<text class="name"[^>]*>`+regexp.QuoteMeta(lane)+`<`).MatchString(html), lane)
	}
	for _, class := range []string{"fault", "cut", "up", "down", "ready", "premises", "waits", "before", "moving", "undoing"} {
		has(t, html, `<rect class="`+class+`" x=`)
	}
	for _, mark := range []string{"boot", "retry", "power-cut", "failed", "order", "foreign", "recovered", "violation"} {
		has(t, html, `<text class="mark `+mark+`"`)
	}
	has(t, html, "nothing happened; 1h59m", "idle time is cut short, and says so")
}

func TestNoTextOfOthersBecomesMarkup(t *testing.T) {
	clean, html := drawn(t, suite("x")), drawn(t, suite(hostile))
	for _, tag := range []string{"<script", "<img", "<svg", "<a ", "<rect"} {
		assert.Equal(t, strings.Count(clean, tag), strings.Count(html, tag), tag)
	}
	assert.NotContains(t, html, "<script>alert")
	assert.NotRegexp(t, `="[^"]*"><script>alert`, html)
}

func TestThePageLoadsNothingAndItsPolicyForbidsIt(t *testing.T) {
	html := drawn(t, suite("x"))
	assert.Regexp(t, `<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; style-src`, html)
	assert.NotRegexp(t, `(?i)\s(src|srcset|data|action|style|onclick|onload)\s*=`, html)
	assert.NotRegexp(t, `(?i)<(link|iframe|object|embed|img|form)\b`, html)
	assert.NotRegexp(t, `(?i)@import|url\([^#]`, html)
	for _, href := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(html, -1) {
		assert.True(t, strings.HasPrefix(href[1], "#"), href[1])
	}
}

func TestTheSameRunsGiveTheSamePage(t *testing.T) {
	assert.Equal(t, drawn(t, suite("x")), drawn(t, suite("x")))
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	html := drawn(t, suite("x"))
	for _, href := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(html, -1) {
		assert.Equal(t, 1, strings.Count(html, `id="`+href[1]+`"`), href[1])
	}
}

func TestAPageOfManyRunsStaysSmallAndFailedOnesKeepTheirTimeLines(t *testing.T) {
	b := timeline.NewBuilder()
	seq := uint64(0)
	for i := range 60 {
		for n := range 60 {
			seq++
			b.Add(&record.Event{Seq: seq, At: time.Duration(seq) * time.Second, Kind: "migration", Subject: fmt.Sprint("m-", i),
				Attrs: []record.Attr{{Key: "vm", Value: strings.Repeat("v", 80) + fmt.Sprint(i)}, {Key: "to", Value: "running"}, {Key: "step", Value: fmt.Sprint("step-", n)}}})
		}
	}
	crowded := b.End()
	s := &page.Suite{Record: &record.Suite{}}
	for i := range 120 {
		verdict := record.Passed
		if i >= 110 {
			verdict = record.Failed
		}
		s.Record.Runs = append(s.Record.Runs, record.Run{Scenario: fmt.Sprint("run ", i), Verdict: verdict})
		s.Runs = append(s.Runs, page.Run{Line: crowded})
	}
	html := drawn(t, s)
	assert.Less(t, len(html), 12<<20)
	has(t, html, "are left out, to keep this page small")
	has(t, html, "and 20 more VMs")
	failed := html[:strings.Index(html, `id="run-1"`)]
	assert.Positive(t, strings.Count(failed, "<svg class=\"line\""))
}

func TestThePageTellsWhatRecoveriesLostAgainstTheBound(t *testing.T) {
	s := suite("x")
	s.Record.Runs[0].Losses = []record.Loss{
		{VM: "db-01", Migration: "m-0002", Flush: 7, Pool: "HDM_RECOVERY_SUCCESS", Blocks: 1234, Seconds: 1300, Age: 1140, Bound: 1203},
		{VM: "web-01", Migration: "m-0003", Pool: "HDM_RECOVERY_FAILED", Bound: 1203},
	}
	html := drawn(t, s)
	has(t, html, "2 times a VM was brought back")
	has(t, html, "No last flush was older than its bound. The oldest was 19m of db-01.")
	has(t, html, `<td class="n">7</td><td class="n">1,234</td>`)
	s.Record.Runs[0].Losses[0].Age = 1204
	html = drawn(t, s)
	has(t, html, "1 had a last flush that was older than its bound")
	has(t, html, "✗ beyond")
	assert.NotContains(t, drawn(t, suite("x")), "What recoveries lost", "there were none")
}

func TestAClauseTellsItsEvidenceAndTheLedgerIsThere(t *testing.T) {
	s := suite("x")
	s.Record.Runs[0].Expected = 3
	html := drawn(t, s)
	has(t, html, `<a href="#run-1">fine</a>: seed 0, hash <span class="hash">0000000000000001</span>; 3 expectations and all oracles held`)
	has(t, html, "looked at: ", "of a clause of the catalogue")
	has(t, html, `<th scope="row" id="A-26">`)
	has(t, html, "the API that they show", "<td><code>_HDM_MIGRATEPOOL</code>, ", "the guide says &#34;less than&#34;")
}
