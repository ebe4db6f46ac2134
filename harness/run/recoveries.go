package run

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// recoveries is what the trace told of failures and what HDM did about them, as
// far as scenarios expect something of it.
type recoveries struct {
	all    []*recovered
	reset  []recovery.ResetStep // of the last one
	notes  []notice
	posted []notice
}

// recovered is one recovery.
type recovered struct {
	number   int
	phases   []string
	failed   map[string]recovery.Cause // by part
	affected []string
	held     []string
	multiple bool
	offered  []string
	fatal    string
}

// notice is an event that people are told of.
type notice struct {
	at         time.Duration
	kind, text string
}

// mostTold bounds how many events are remembered: far more than a run posts.
const mostTold = 100_000

func newRecoveries() *recoveries { return &recoveries{} }

func (r *recoveries) hear(e kernel.Event) {
	switch e.Kind {
	case event.Recovery:
		r.recovery(e)
	case event.Note:
		r.notes = append(r.notes[:min(len(r.notes), mostTold)], notice{e.At, e.Attr("type"), e.Attr("text")})
	case event.EventPosted:
		r.posted = append(r.posted[:min(len(r.posted), mostTold)], notice{e.At, e.Attr("type"), e.Attr("text")})
	}
}

func (r *recoveries) recovery(e kernel.Event) {
	if step := recovery.ResetStep(e.Attr("reset")); step != "" {
		if step == recovery.ResetVMsOff && len(r.reset) > 0 && r.reset[len(r.reset)-1] != step {
			r.reset = nil // another one
		}
		if n := len(r.reset); n == 0 || r.reset[n-1] != step {
			r.reset = append(r.reset, step)
		}
	}
	n, _ := strconv.Atoi(e.Attr("number")) // ours, and 0 before the first
	phase := cmp.Or(e.Attr("phase"), faults.Healthy)
	if len(r.all) == 0 && phase == faults.Healthy {
		return // nothing has failed yet
	}
	if len(r.all) == 0 || r.all[len(r.all)-1].number != n {
		r.all = append(r.all, &recovered{number: n, failed: map[string]recovery.Cause{}})
	}
	now := r.all[len(r.all)-1]
	if len(now.phases) == 0 || now.phases[len(now.phases)-1] != phase {
		now.phases = append(now.phases, phase)
	}
	for _, f := range split(e.Attr("failed"), ";") {
		part, cause, _ := strings.Cut(f, "=")
		cause, _ = strings.CutSuffix(cause, "+repaired")
		if cause != "" || now.failed[part] == "" {
			now.failed[part] = recovery.Cause(cause)
		}
	}
	now.affected = union(now.affected, split(e.Attr("affected"), ","))
	now.held = union(now.held, split(e.Attr("held"), ","))
	now.multiple = now.multiple || e.Attr("multiple") == "true"
	if why := e.Attr("offered"); why != "" {
		now.offered = union(now.offered, []string{why})
	}
	now.fatal = cmp.Or(e.Attr("fatal"), now.fatal)
}

// split is strings.Split without the one part of "".
func split(s, by string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, by)
}
