package oracle

import (
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// ToldTheTruth: what HDM says of its own state is so. A part that has been down
// for so long that its heartbeats must be missed is shown, on every surface and by
// its name (HLT-04, HLT-05); nothing is shown as failed that never did; HDM is
// Ready again once everything is up and recovered; its texts are the guide's
// (HLT-07); the message bus says what the other surfaces say (SQS-02). What it
// logs is posted in vCenter with the same type and text, and the other way round
// (HLT-06), a reboot of a component VM (CVM-02), failures that meet (REC-09) and
// one that is not recovered from (RST-04) among it.
type ToldTheTruth struct {
	verdicts
	rules Rules
	parts parts

	now, before shown
	overdue     *part         // the one that is to be shown first, of those that are not
	due         time.Duration // by when
	ready       time.Duration // by when HDM is to be Ready; 0: it need not be
	world       trouble       // whatever else may keep HDM from being Ready

	notes    map[string]*entry // by type and text
	order    []string          // of them, as they came
	owed     map[string]owed   // what is to be noted, by what it is about
	causes   map[string]bool   // of the present recovery, as told
	showed   bool              // a part that was down was shown
	rebooted bool              // one that had rebooted, in the words for that
	pairs    bool              // a note about a failure is in both logs
}

// shown is what every surface shows from a moment on.
type shown struct {
	known               bool
	at                  time.Duration
	seq                 uint64
	status, details     string
	components, offered string
}

func (s *shown) isReady() bool { return s.status == string(health.Ready) }

// names says whether a part is shown as not healthy.
func (s *shown) names(p *part) bool {
	switch {
	case s.isReady():
		return false
	case p.service == filterService:
		return true // what is on the host is named
	}
	return strings.Contains(s.details, p.vm) || strings.Contains(s.components, p.vm+"/"+p.service) ||
		p.service != "" && strings.Contains(s.details, p.service)
}

// entry is a note, in HDM's own log and in vCenter's.
type entry struct {
	typ, text     string
	noted, posted uint64 // the first event of each
}

// owed is a note that has to be there in the end.
type owed struct {
	clause, typ, text string
	at                time.Duration
	seq               uint64
}

// The types of the notes about failures (HLT-06).
const (
	noteReboot   = "com.hdm.component.reboot"
	noteMultiple = "com.hdm.failure.multiple"
	noteFatal    = "com.hdm.failure.unrecoverable"
	noteLate     = "com.hdm.flush.late"

	noteRecovered = "com.hdm.vm.recovered"
)

// aboutFailures are what the types of such notes begin with.
var aboutFailures = []string{
	"com.hdm.component.", "com.hdm.host.", "com.hdm.link.", "com.hdm.failure.", "com.hdm.repair.",
	noteRecovered, "com.hdm.recovery.", "com.hdm.flush.late", "com.hdm.reset.",
}

func ofFailure(typ string) bool {
	for _, prefix := range aboutFailures {
		if strings.HasPrefix(typ, prefix) {
			return true
		}
	}
	return false
}

// NewToldTheTruth returns the oracle for one run.
func NewToldTheTruth(r Rules) *ToldTheTruth {
	return &ToldTheTruth{
		verdicts: verdicts{oracle: "told-the-truth"}, rules: r, parts: newParts(),
		world: trouble{open: map[string]bool{}, after: r.CallRecovery},
		notes: map[string]*entry{}, owed: map[string]owed{}, causes: map[string]bool{},
	}
}

// Observe implements Oracle.
func (o *ToldTheTruth) Observe(e kernel.Event) []record.Violation {
	o.late(&e)
	changed := o.parts.hear(&e)
	switch e.Kind {
	case event.Health:
		o.shows(&e)
		changed = true
	case event.Heartbeat:
		o.beat(&e)
	case event.Note, event.EventPosted:
		o.note(&e)
	case event.Recovery:
		o.recovery(&e)
	case event.ApplianceUp:
		o.now, o.before = shown{}, shown{} // until it shows something
	case event.FaultBegan, event.FaultEnded:
		changed = o.fault(&e) || changed
	}
	if changed {
		o.expect()
	}
	return o.take()
}

// disturbing are what the kinds of faults begin with that may keep HDM from being
// Ready though all its parts run.
var disturbing = []string{"call-", "wan-", "vcenter-", "session-", "host-", "datastore-", "command-", "storage-"}

func (o *ToldTheTruth) fault(e *kernel.Event) bool {
	for _, prefix := range disturbing {
		switch {
		case !strings.HasPrefix(e.Attr("kind"), prefix):
		case e.Kind == event.FaultBegan:
			o.world.began(e.Subject)
			return true
		default:
			o.world.ended(e.Subject, e.At)
			return true
		}
	}
	return false
}

// expect finds out what has to be shown next, and by when.
func (o *ToldTheTruth) expect() {
	o.overdue, o.due, o.ready = nil, 0, 0
	if !o.now.known || !o.parts.up || !o.parts.deployed {
		return
	}
	if since, whole := o.parts.whole(); whole && !o.now.isReady() && len(o.world.open) == 0 {
		o.ready = max(since, o.now.at, o.world.until) + o.rules.Noticing
	}
	o.parts.each(func(p *part) {
		if !p.down || o.now.names(p) || o.unseen(p) {
			return
		}
		due := max(p.at, o.parts.heard(p)) + o.rules.Missed + o.rules.Heartbeat
		if o.overdue == nil || due < o.due {
			o.overdue, o.due = p, due
		}
	})
}

// unseen says whether nothing can be known of a part of the cloud, and HDM says
// that it is not ready at all.
func (o *ToldTheTruth) unseen(p *part) bool {
	return p.site == strings.TrimSuffix(inCloud, "/") && (o.parts.wan.down || len(o.parts.slow) > 0) && !o.now.isReady()
}

// late: what was due before this event has not been shown.
func (o *ToldTheTruth) late(e *kernel.Event) {
	switch p := o.overdue; {
	case p == nil || e.At <= o.due:
	case o.now.isReady():
		o.overdue = nil
		o.broken("HLT-04", e.At, p.named(), []uint64{p.seq, o.now.seq}, "it has been down for %v, and HDM says that it is Ready", e.At-p.at)
	default:
		o.overdue = nil
		o.broken("HLT-05", e.At, p.named(), []uint64{p.seq, o.now.seq}, "it has been down for %v, and is not shown as that: %s", e.At-p.at, o.now.details)
	}
	if o.ready > 0 && e.At > o.ready {
		since, _ := o.parts.whole()
		o.ready = 0
		o.broken("HLT-03", e.At, "appliance", []uint64{o.now.seq}, "everything has been up and recovered for %v, and HDM says: %s", e.At-since, o.now.details)
	}
}

// shows: HDM shows something else from now on.
func (o *ToldTheTruth) shows(e *kernel.Event) {
	o.before = o.now
	o.now = shown{
		known: true, at: e.At, seq: e.Seq, status: e.Attr("status"), details: e.Attr("details"),
		components: e.Attr("components"), offered: e.Attr("reset"),
	}
	if !worded(o.now.status, o.now.details) {
		o.broken("HLT-07", e.At, e.Subject, []uint64{e.Seq}, "it shows %s, %q, which are not the guide's words", o.now.status, o.now.details)
	}
	o.blames(e)
	o.parts.each(func(p *part) {
		if p.failed && o.now.names(p) {
			o.showed = true
			o.rebooted = o.rebooted || p.service == "" && strings.HasPrefix(o.now.details, "HDM infrastructure VM")
		}
	})
}

// blames: nothing is shown as failed that never did. While the appliance boots it
// has not heard of anything yet, and over a link that has failed it hears nothing.
func (o *ToldTheTruth) blames(e *kernel.Event) {
	p := &o.parts
	if !p.deployed || e.At-p.upAt < o.rules.Booting || e.At-p.since < o.rules.Missed || p.wan.down || p.wan.failed || len(p.slow) > 0 || o.world.excuses(e.At) {
		return
	}
	for text := range strings.SplitSeq(o.now.components, ";") {
		name, poor := strings.CutSuffix(text, "="+string(health.Poor))
		if !poor {
			continue
		}
		if it := p.find(strings.TrimSuffix(name, "/")); it != nil && !it.failed && !p.ofFailed(it) {
			o.broken("HLT-05", e.At, it.named(), []uint64{e.Seq}, "it is shown as %s, and has not failed", health.Poor)
		}
	}
}

// ofFailed says whether a part is in a component VM that failed as a whole, or is
// one with a service that failed.
func (o *parts) ofFailed(p *part) bool {
	v := o.byVM[p.vm]
	if v == nil {
		return false
	}
	failed := v.failed
	for _, s := range v.services {
		failed = failed || p.service == "" && s.failed
	}
	return failed
}

// beat: a heartbeat says what is shown, or was when it was sent.
func (o *ToldTheTruth) beat(e *kernel.Event) {
	says := func(s *shown) bool {
		return !s.known || s.status == e.Attr("status") && s.details == e.Attr("details")
	}
	if !o.now.known || says(&o.now) || e.At-o.now.at <= onTheWay && says(&o.before) {
		return
	}
	o.broken("SQS-02", e.At, e.Subject, []uint64{o.now.seq, e.Seq}, "its heartbeat says %q, and it shows %q", e.Attr("details"), o.now.details)
}

// note: something is in one of the two logs.
func (o *ToldTheTruth) note(e *kernel.Event) {
	typ, text := e.Attr("type"), e.Attr("text")
	if e.Kind == event.EventPosted && (!ofFailure(typ) || e.Subject+"/" != onPremises) {
		return
	}
	key := typ + "\n" + text
	n := o.notes[key]
	if n == nil {
		n = &entry{typ: typ, text: text}
		o.notes[key] = n
		o.order = append(o.order, key)
	}
	if e.Kind == event.EventPosted && n.posted == 0 {
		n.posted = e.Seq
	}
	if e.Kind == event.Note && n.noted == 0 {
		n.noted = e.Seq
	}
	o.pairs = o.pairs || n.noted > 0 && n.posted > 0 && ofFailure(typ)
}

// recovery: some of what HDM finds out it has to say.
func (o *ToldTheTruth) recovery(e *kernel.Event) {
	if e.Attr("phase") == idle {
		clear(o.causes)
		return
	}
	owes := func(what, clause, typ, text string) {
		if !o.causes[what] {
			o.causes[what] = true
			o.owed[e.Attr("number")+" "+what] = owed{clause, typ, text, e.At, e.Seq}
		}
	}
	for what := range strings.SplitSeq(e.Attr("failed"), ";") {
		if name, reboot := strings.CutSuffix(strings.TrimSuffix(what, "+repaired"), "=rebooted"); reboot {
			vm, _, _ := strings.Cut(name, "/")
			owes("reboot of "+vm, "CVM-02", noteReboot, vm)
		}
	}
	if e.Attr("multiple") == "true" {
		owes("multiple", "REC-09", noteMultiple, "")
	}
	if e.Attr("phase") == "unrecoverable" && e.Attr("fatal") != "" {
		owes("fatal", "RST-04", noteFatal, "Fatal Unrecoverable failure detected in HDM component: ")
	}
}

// Finish implements Oracle: the two logs say the same, and all that had to be said.
func (o *ToldTheTruth) Finish(t *Truth) []record.Violation {
	o.late(&kernel.Event{At: t.At})
	for _, key := range o.order {
		switch n := o.notes[key]; {
		case n.posted == 0:
			o.broken("HLT-06", t.At, "appliance", []uint64{n.noted}, "it noted %q (%s), and no event in vCenter says so", n.text, n.typ)
		case n.noted == 0:
			o.broken("HLT-06", t.At, "appliance", []uint64{n.posted}, "an event in vCenter says %q (%s), and HDM's own log does not", n.text, n.typ)
		}
	}
	for _, what := range sortedKeys(o.owed) {
		w := o.owed[what]
		if !o.said(w) {
			_, about, _ := strings.Cut(what, " ")
			o.broken(w.clause, w.at, "appliance", []uint64{w.seq}, "it found out a failure (%s), and noted no %s that says %q", about, w.typ, w.text)
		}
	}
	return o.take()
}

func (o *ToldTheTruth) said(w owed) bool {
	for _, n := range o.notes { //hdm:order-safe whether there is one
		if n.noted > 0 && n.typ == w.typ && strings.Contains(n.text, w.text) && (w.typ != noteReboot || strings.Contains(n.text, "Docker reboot")) {
			return true
		}
	}
	return false
}

// Tested implements Oracle. The clauses that it judges are of scenarios, which say
// themselves which they show.
func (o *ToldTheTruth) Tested() []string { return nil }
