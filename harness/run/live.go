package run

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/site"
)

// Live is a world that goes on until somebody ends it: the stage of a scenario
// whose steps and faults act, whose oracles watch, and in which others act, too.
// What the scenario expects is not judged, since they may have prevented it.
//
// Its methods belong to the goroutine that calls Run, but for Driver's. hands.go
// tells what others did from what HDM answers for.
type Live struct {
	st     *stage
	told   int
	broken func(record.Violation)
	hands  []hand
	first  map[string]string // the names that VMs had at first, by those that they were given
	turns  map[string]turns  // by VM
}

// leg is how far the driver is sent at once: it has to be sent somewhere.
const leg = time.Hour

// NewLive builds the world and boots the appliance in it. broken, if not nil,
// hears of each breach of a promise as it is seen, on the goroutine of Run.
// Options that are about many runs mean nothing here, and neither do limits: a
// live world may last.
func NewLive(s *scenario.Scenario, o Options, broken func(record.Violation)) (*Live, error) {
	seed := s.Seed
	if o.Seed != nil {
		seed = *o.Seed
	}
	o.endless = true
	if s.Bus == nil {
		whole := *s
		whole.Bus = &scenario.Bus{Queues: faults.FIFO}
		s = &whole
	}
	st, err := newStage(s, seed, o)
	if err != nil {
		return nil, err
	}
	l := &Live{st: st, broken: broken, first: map[string]string{}, turns: map[string]turns{}}
	st.kernel.Observe(func(e kernel.Event) {
		l.rename(&e)
		l.hear(&e)
		l.tell()
	})
	return l, nil
}

// rename remembers how a VM was called: what is told of it may still call it so,
// as its guest and its copy are called.
func (l *Live) rename(e *kernel.Event) {
	if _, old, _ := strings.Cut(e.Subject, "/"); e.Kind == event.VMRenamed && len(l.first) < maxHands {
		l.first[e.Attr("name")] = cmp.Or(l.first[old], old)
	}
}

func (l *Live) tell() {
	for ; l.told < len(l.st.violations); l.told++ {
		if l.broken != nil {
			l.broken(l.st.violations[l.told])
		}
	}
}

// Driver paces the world, and takes what others want done.
func (l *Live) Driver() *kernel.Driver { return l.st.driver }

// World is what is kept going.
func (l *Live) World() *site.World { return l.st.world }

// Appliance is the one of the present boot; nil while it is down. It may be looked
// at, on the goroutine of Run.
func (l *Live) Appliance() *appliance.Appliance { return l.st.app }

// Bus is the message bus, which every live world has: by default with FIFO queues.
// Its responses are for whoever comes: no client of the scenario takes them.
func (l *Live) Bus() Bus {
	m := l.st.bus
	return Bus{
		Commands: m.queues[faults.Commands], Responses: m.queues[faults.Responses], DeadLetters: m.queues[faults.DeadLetters], Token: m.token,
	}
}

// Bus is what a client of the message bus must know: names of queues, and the
// token.
type Bus struct{ Commands, Responses, DeadLetters, Token string }

// Run lets the world go on until stop is closed, a step of a replay ends it, or
// it fails: kernel.ErrStopped, kernel.ErrEnded, or the failure.
func (l *Live) Run(stop <-chan struct{}) error {
	for {
		if err := l.st.driver.Run(l.st.kernel.Now()+leg, stop); err != nil {
			return err
		}
	}
}

// Busy says what goes on by itself and will end: work of HDM, of the scenario, of
// a guest, or a task of somebody else's; "" if nothing does.
func (l *Live) Busy() string {
	if why := l.st.underWay(); why != "" {
		return why
	}
	for _, p := range l.st.world.Places() {
		for _, t := range p.VCenter.Tasks() {
			running := t.State == vsphere.TaskQueued || t.State == vsphere.TaskRunning
			if running && strings.HasSuffix(t.Method, "_Task") {
				return fmt.Sprintf("%s of %s ran at the site %s", t.Method, t.Entity, p.Site)
			}
		}
	}
	return ""
}

// Finish judges what there was. By people are the breaches that follow from what
// people did past HDM, each with why; they do not count. A world in which
// something still goes on is not held to what must be true at the end: it ends
// when somebody likes, and not when it has been quiet for long enough.
func (l *Live) Finish() (r record.Run, byPeople []string) {
	st := l.st
	if st.kernel.Err() == nil && l.Busy() == "" {
		truth := st.truth(quiet)
		for _, o := range st.oracles {
			st.violations = append(st.violations, o.Finish(truth)...)
		}
		l.tell()
	}
	r = record.Run{
		Scenario: Name(st.scenario), Title: st.scenario.Title, Seed: st.kernel.Seed(), Hash: record.Hash(st.kernel.Hash()),
		VirtualSeconds: st.kernel.Now().Seconds(), Events: st.events, Verdict: record.Passed,
		VSphereCalls: uint64(st.world.OnPremises.Path.Calls() + st.world.Cloud.Path.Calls()),
	}
	for _, v := range st.violations {
		if h, ok := l.excuse(v); ok {
			byPeople = append(byPeople, fmt.Sprintf("%s %s: %s: it follows from %s of %s at %v by a person, which HDM does not guard", v.Oracle, v.Subject, v.What, h.method, strings.Trim(h.what+"/"+h.named, "/"), h.at))
			continue
		}
		r.Violations = append(r.Violations, v)
	}
	if len(r.Violations) > 0 {
		r.Verdict = record.Failed
	}
	if err := st.kernel.Err(); err != nil {
		r.Verdict, r.Error = record.Failed, err.Error()
	}
	return r, byPeople
}

// Mark is where the world has come to.
func (l *Live) Mark() kernel.Mark {
	k := l.st.kernel
	return kernel.Mark{Events: k.Events(), At: k.Now(), Hash: k.Hash()}
}

// Close ends the world. Whoever waits for a turn hears that it has ended.
func (l *Live) Close() error {
	l.st.driver.Over()
	return l.st.close()
}
