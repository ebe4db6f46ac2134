package oracle

import (
	"strings"
	"time"

	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// Detection: a part of HDM that says nothing for two minutes is marked failed, and
// one that says nothing for less is not (HLT-01), unless it began anew.
// Once one has failed probes may find others sooner, but none that runs.
type Detection struct {
	verdicts
	rules  Rules
	parts  parts
	marked map[string]bool // in the present recovery, by name, with the cause
	missed bool            // one was marked because it was silent
}

// NewDetection returns the oracle for one run.
func NewDetection(r Rules) *Detection {
	return &Detection{verdicts: verdicts{oracle: "detection"}, rules: r, parts: newParts(), marked: map[string]bool{}}
}

// byEpoch are the causes that a part is marked for at once, because of what it
// says when it is heard again.
var byEpoch = map[string]bool{"restarted": true, "rebooted": true, "host-restarted": true, "filter-restarted": true}

// Observe implements Oracle.
func (o *Detection) Observe(e kernel.Event) []record.Violation {
	before := o.parts.phase
	o.parts.hear(&e)
	if e.Kind == event.Recovery {
		o.recovery(&e, before)
	}
	return o.take()
}

func (o *Detection) recovery(e *kernel.Event, before string) {
	if o.parts.phase == idle {
		clear(o.marked)
		return
	}
	var found []*part
	var causes []string
	first := before == idle
	for text := range strings.SplitSeq(e.Attr("failed"), ";") {
		name, cause, ok := strings.Cut(strings.TrimSuffix(text, "+repaired"), "=")
		if !ok || o.marked[name] || cause == "damaged" { // that it says itself, when it is asked for something
			continue
		}
		o.marked[name] = true
		if p := o.parts.find(name); p != nil && name != "link" {
			found, causes = append(found, p), append(causes, cause)
			first = first && !byEpoch[cause] && !o.silent(e, p)
		}
	}
	for i, p := range found {
		o.judge(e, p, causes[i], first)
	}
}

// silent says whether nothing has been heard of a part for long enough. The last
// heartbeat came before it went down, by as much as it is heard.
func (o *Detection) silent(e *kernel.Event, p *part) bool {
	return o.down(p) && e.At-max(p.at, o.parts.reached(p)) >= o.rules.Missed-o.rules.Beat-time.Second
}

// judge: a part is marked as failed. first says that there was no ground to look
// at any yet.
func (o *Detection) judge(e *kernel.Event, p *part, cause string, first bool) {
	switch {
	case o.parts.wan.failed || len(o.parts.slow) > 0 || e.At-o.parts.eased < o.rules.Missed:
		return // what is on the way from the cloud may be lost
	case o.down(p) && first:
		o.broken("HLT-01", e.At, p.named(), []uint64{p.seq, e.Seq}, "it is marked failed (%s) after a silence of %v", cause, e.At-max(p.at, o.parts.reached(p)))
	case o.down(p):
		o.missed = o.missed || o.silent(e, p)
	case !p.failed && !o.parts.ofFailed(p):
		o.broken("HLT-01", e.At, p.named(), []uint64{p.seq, e.Seq}, "it is marked failed (%s), and has not been down since HDM was healthy", cause)
	}
}

// down says whether the part does not run, or something in it or around it.
func (o *Detection) down(p *part) bool {
	v := o.parts.byVM[p.vm]
	if v == nil {
		return p.down
	}
	down := p.down || v.down
	for _, s := range v.services {
		down = down || p.service == "" && s.down
	}
	return down
}

// Finish implements Oracle.
func (o *Detection) Finish(*Truth) []record.Violation { return nil }

// Tested implements Oracle: a part fell silent, and was marked for that.
func (o *Detection) Tested() []string { return tested(o.missed, "HLT-01") }
