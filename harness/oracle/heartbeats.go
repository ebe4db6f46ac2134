package oracle

import (
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// Heartbeats: an appliance that is up is heard as often as documented, where
// nothing is wrong with the message bus; one that is down is not heard (APP-07);
// what it says is in the guide's words, and true: never Ready while the cloud is
// out of reach for long enough to notice, never Not Ready for a cloud that has
// been in reach for so long, nor for the premises, which have no link to lose,
// nor booting for longer than it takes (SQS-02). Trouble excuses it while it lasts
// and for as long afterwards as it may show.
type Heartbeats struct {
	verdicts
	rules Rules

	last    time.Duration // when there was one, or could have been since
	lastSeq uint64
	setUp   bool
	down    uint64 // the event that took the appliance down; 0: it is up
	since   time.Duration
	up      time.Duration // when it last came up
	upSeq   uint64

	wan     map[string]bool // directions of the WAN that are down
	changed time.Duration   // when the WAN last went down, or came back whole
	seq     uint64

	bus    trouble // with the message bus, and the way there
	calls  trouble // with calls to the vCenters
	here   trouble // with the vCenter on premises
	there  trouble // with that of the cloud
	silent bool    // it was down for longer than between two heartbeats, and heard before and after
	heard  bool
	phase  string // of a recovery: while a reset goes on, nothing but the appliance is left to name
}

// trouble is what goes wrong, and when the last of it may show.
type trouble struct {
	open  map[string]bool
	after time.Duration // how long it may show after its end
	until time.Duration
}

func newTrouble(after time.Duration) trouble { return trouble{open: map[string]bool{}, after: after} }

func (t *trouble) began(what string) { t.open[what] = true }

func (t *trouble) ended(what string, at time.Duration) {
	if t.open[what] {
		delete(t.open, what)
		t.until = at + t.after
	}
}

func (t *trouble) excuses(at time.Duration) bool { return len(t.open) > 0 || at < t.until }

// NewHeartbeats returns the oracle for one run.
func NewHeartbeats(r Rules) *Heartbeats {
	return &Heartbeats{
		verdicts: verdicts{oracle: "heartbeats"}, rules: r, wan: map[string]bool{},
		bus: newTrouble(r.BusRecovery), calls: newTrouble(r.CallRecovery), here: newTrouble(r.CallRecovery), there: newTrouble(r.CallRecovery),
	}
}

// onTheWay is how long a heartbeat may be on its way when the power goes.
const onTheWay = 5 * time.Second

// Observe implements Oracle.
func (o *Heartbeats) Observe(e kernel.Event) []record.Violation {
	switch e.Kind {
	case event.ApplianceDown:
		o.down, o.since, o.setUp = e.Seq, e.At, false
	case event.ApplianceUp:
		o.silent = o.silent || o.down > 0 && o.heard && e.At-o.since > o.rules.Heartbeat
		o.down, o.up, o.upSeq = 0, e.At, e.Seq
	case event.BusSetUp:
		if e.Attr("outcome") == "done" {
			o.setUp, o.last, o.lastSeq = true, e.At, e.Seq
		}
	case event.FaultBegan, event.FaultEnded:
		o.fault(&e)
	case event.LinkDown, event.LinkUp:
		o.link(&e)
	case event.SQSQueue: // somebody took the queue away, or gave it back
		switch what := "queue " + e.Subject; {
		case !strings.HasPrefix(e.Subject, o.rules.Responses):
		case e.Attr("what") == "deleted":
			o.gap(e.At, "appliance", e.Seq)
			o.bus.began(what)
		case e.Attr("what") == "created":
			o.bus.ended(what, e.At)
		}
	case event.Recovery:
		o.phase = e.Attr("phase")
	case event.Heartbeat:
		o.beat(&e)
	}
	return o.take()
}

// fault notes a fault of calls, or of the vCenter that they go to, that begins or
// ends. Faults of links are seen in the links.
func (o *Heartbeats) fault(e *kernel.Event) {
	kind, what := e.Attr("kind"), "fault "+e.Subject
	if e.Kind == event.FaultEnded {
		for _, t := range []*trouble{&o.bus, &o.calls, &o.here, &o.there} {
			t.ended(what, e.At)
		}
		return
	}
	switch {
	case strings.HasPrefix(kind, "message-"), strings.HasPrefix(kind, "queue-"):
		o.gap(e.At, "appliance", e.Seq)
		o.bus.began(what)
	case strings.HasPrefix(kind, "call-"):
		o.calls.began(what)
	case strings.HasPrefix(kind, "vcenter-") && strings.HasPrefix(e.Attr("target"), string(vsphere.OnPremises)):
		o.here.began(what)
	case strings.HasPrefix(kind, "vcenter-"):
		o.there.began(what)
	}
}

func (o *Heartbeats) link(e *kernel.Event) {
	before := len(o.wan)
	for _, direction := range []string{"to-cloud", "to-premises"} {
		down, what := e.Kind == event.LinkDown, e.Subject+" "+direction
		switch said := e.Attr("direction"); {
		case said != direction && said != "both":
		case e.Subject != "wan" && down:
			o.gap(e.At, "appliance", e.Seq)
			o.bus.began(what)
		case e.Subject != "wan":
			o.bus.ended(what, e.At)
		case down:
			o.wan[direction] = true
		default:
			delete(o.wan, direction)
		}
	}
	if (before == 0) != (len(o.wan) == 0) {
		o.changed, o.seq = e.At, e.Seq
	}
}

func (o *Heartbeats) beat(e *kernel.Event) {
	if o.down > 0 && e.At-o.since > onTheWay {
		o.broken("APP-07", e.At, e.Subject, []uint64{o.down, e.Seq}, "it was heard %v after it had gone down", e.At-o.since)
	}
	o.gap(e.At, e.Subject, e.Seq)
	o.last, o.lastSeq, o.heard = e.At, e.Seq, true
	details := e.Attr("details")
	if !worded(e.Attr("status"), details) {
		o.broken("SQS-02", e.At, e.Subject, []uint64{e.Seq}, "it says %s, %q, which are not the guide's words", e.Attr("status"), details)
	}
	if e.Attr("status") == string(health.Ready) {
		if out := e.At - o.changed; len(o.wan) > 0 && out > o.rules.Noticing {
			o.broken("SQS-02", e.At, e.Subject, []uint64{o.seq, e.Seq}, "it says Ready, and the cloud has been out of reach for %v", out)
		}
		return
	}
	o.unready(e, details)
}

// unready judges what a heartbeat that is Not Ready blames.
func (o *Heartbeats) unready(e *kernel.Event, details string) {
	whole, booting := e.At-o.changed, e.At-max(o.up, o.changed, o.calls.until, o.here.until, o.there.until)
	here, there := o.here.excuses(e.At), o.there.excuses(e.At)
	switch {
	case o.calls.excuses(e.At):
	case strings.Contains(details, health.OnPremises) && !here:
		o.broken("SQS-02", e.At, e.Subject, []uint64{e.Seq}, "it says that the premises are out of reach, where nothing is wrong")
	case len(o.wan) > 0:
	case strings.Contains(details, health.Cloud) && whole > o.rules.Noticing && !there:
		o.broken("SQS-02", e.At, e.Subject, []uint64{o.seq, e.Seq}, "it says that the cloud is out of reach, which has been in reach for %v", whole)
	case strings.HasSuffix(details, " "+health.Appliance) && booting > o.rules.Booting && !here && !there && o.phase != "resetting":
		o.broken("SQS-02", e.At, e.Subject, []uint64{o.upSeq, e.Seq}, "it says that it is booting, for %v with both vCenters in reach", booting)
	}
}

// worded says whether a heartbeat is put in the guide's words.
func worded(status, details string) bool {
	if status == string(health.Ready) {
		return details == "All the components are deployed and up."
	}
	return status == string(health.NotReady) &&
		(strings.HasPrefix(details, "Services not ready or down ") || strings.HasPrefix(details, "HDM infrastructure VM rebooted or faulted ['"))
}

// gap judges the time since the last heartbeat. A few are not even sent where the
// link is slow; two in a row are not missed by chance.
func (o *Heartbeats) gap(at time.Duration, subject string, seq uint64) {
	if o.setUp && !o.bus.excuses(at) && at-max(o.last, o.bus.until) > 2*o.rules.Heartbeat+onTheWay {
		o.broken("SQS-02", at, subject, []uint64{o.lastSeq, seq}, "there was no heartbeat for %v", at-o.last)
	}
}

// Finish implements Oracle.
func (o *Heartbeats) Finish(t *Truth) []record.Violation {
	if o.down == 0 {
		o.gap(t.At, "appliance", 0)
	}
	return o.take()
}

// Tested implements Oracle.
func (o *Heartbeats) Tested() []string { return tested(o.silent && o.heard, "APP-07") }
