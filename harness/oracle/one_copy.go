package oracle

import (
	"strings"
	"time"

	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// OneCopy: a guest never runs in two places at once; no two are on of a VM and
// what is made of it, its compute VM, its image, its copy; and a guest that a
// migration stopped runs again in one place when that is over, unless it says that
// it could not start it (MIG-13), or has brought the VM back, which stays off.
type OneCopy struct {
	verdicts
	guests     map[string]*whereabouts
	on         map[string]uint64        // VM -> the event that says it is on
	made       map[string]string        // VMs that were made of another one -> the name of that
	cuts       map[string]time.Duration // when a host of a site went down last
	migrations map[string]*switchOver   // under way, by the name of their VM
	shown      bool                     // a migration stopped a guest, which started again: at the other site, or put back
}

type whereabouts struct {
	on      map[string]uint64 // VM -> the event that started the guest there
	stopped uint64            // the event that stopped it last
	stopAt  time.Duration
	site    string      // where
	why     *switchOver // the migration during which it was stopped; nil: nobody has to start it again
}

// switchOver is the time in which a migration may have its guest off.
type switchOver struct {
	id   string
	over uint64 // the event that ended it
	back bool   // it has brought the VM back: a person powers it on
	left leftovers
}

// NewOneCopy returns the oracle for one run.
func NewOneCopy() *OneCopy {
	return &OneCopy{
		verdicts: verdicts{oracle: "one-copy"}, guests: map[string]*whereabouts{},
		on: map[string]uint64{}, made: map[string]string{}, migrations: map[string]*switchOver{}, cuts: map[string]time.Duration{},
	}
}

// Observe implements Oracle.
func (o *OneCopy) Observe(e kernel.Event) []record.Violation {
	switch e.Kind {
	case event.LeaseOpened:
		if name, ok := strings.CutPrefix(e.Subject, inCloud); ok && e.Attr("mode") == "import" {
			o.made[e.Subject] = strings.TrimSuffix(name, imageSuffix)
		}
	case event.VMCreated:
		if name, ok := ofSuffix(e.Subject); ok {
			o.made[e.Subject] = name
		}
	case event.VMPower:
		if e.Attr("state") == "on" {
			o.powered(&e, e.Subject)
		} else {
			delete(o.on, e.Subject)
		}
	case event.VMRenamed:
		o.renamed(&e)
	case event.GuestStarted:
		o.started(&e)
		o.powered(&e, vmOf(&e))
	case event.GuestStopped:
		o.stopped(&e)
	case event.Migration:
		o.migration(&e)
	case event.Recovery:
		if e.Attr("phase") == "resetting" { // it leaves VMs off (RST-03)
			for _, g := range o.guests { //hdm:order-safe each by itself
				g.why = nil
			}
			clear(o.migrations)
		}
	case event.HostDown:
		o.hostDown(&e)
	case event.Step:
		// What a person does to a VM is not for the migration to take back.
		vm := byHand(&e)
		delete(o.migrations, vm)
		if g := o.guests[vm]; g != nil {
			g.why = nil
		}
	}
	return o.take()
}

// powered: a VM is on. A guest takes a while to come up, so that two VMs can be
// on without two guests being up; that is one too many already.
func (o *OneCopy) powered(e *kernel.Event, vm string) {
	if o.on[vm] != 0 {
		return
	}
	o.on[vm] = e.Seq
	name, made := o.made[vm]
	if !made {
		name, made = strings.CutPrefix(vm, onPremises)
	}
	if !made {
		return // of the cloud, and nobody made it of another one
	}
	for _, other := range []string{onPremises + name, inCloud + name, inCloud + name + computeSuffix, inCloud + name + imageSuffix, onPremises + name + cloneSuffix} {
		if other != vm && o.on[other] != 0 && (o.made[other] == name || other == onPremises+name) {
			o.broken("MIG-13", e.At, vm, []uint64{o.on[other], e.Seq}, "powered on while its other copy is on: %s and %s", other, vm)
			return
		}
	}
}

// ofSuffix is the VM of which one is made whose name says so.
func ofSuffix(vm string) (name string, made bool) {
	if name, cloud := strings.CutPrefix(vm, inCloud); cloud {
		for _, suffix := range []string{imageSuffix, computeSuffix} {
			if of, ok := strings.CutSuffix(name, suffix); ok {
				return of, true
			}
		}
		return "", false
	}
	return strings.CutSuffix(strings.TrimPrefix(vm, onPremises), cloneSuffix)
}

func (o *OneCopy) guest(name string) *whereabouts {
	g := o.guests[name]
	if g == nil {
		g = &whereabouts{on: map[string]uint64{}}
		o.guests[name] = g
	}
	return g
}

func (o *OneCopy) started(e *kernel.Event) {
	g, vm := o.guest(e.Subject), vmOf(e)
	for other, since := range g.on { //hdm:order-safe at most one: a second is a violation and replaces it
		o.broken("MIG-13", e.At, e.Subject, []uint64{since, e.Seq}, "started on %s while it ran on %s", vm, other)
		delete(g.on, other)
	}
	if g.why != nil {
		o.shown = true
	}
	g.on[vm], g.why = e.Seq, nil
}

// renamed: it is the same VM, with the same guest in it.
func (o *OneCopy) renamed(e *kernel.Event) {
	site, _, _ := strings.Cut(e.Subject, "/")
	move := func(on map[string]uint64) {
		if since, there := on[e.Subject]; there {
			delete(on, e.Subject)
			on[site+"/"+e.Attr("name")] = since
		}
	}
	move(o.on)
	if of, made := o.made[e.Subject]; made {
		delete(o.made, e.Subject)
		o.made[site+"/"+e.Attr("name")] = of
	}
	for _, g := range o.guests { //hdm:order-safe each is changed by itself
		move(g.on)
	}
}

func (o *OneCopy) stopped(e *kernel.Event) {
	g := o.guest(e.Subject)
	delete(g.on, vmOf(e))
	g.stopped, g.stopAt, g.site, g.why = e.Seq, e.At, e.Attr("site"), o.migrations[e.Subject]
	if at, cut := o.cuts[g.site]; cut && at == e.At {
		g.why = nil
	}
}

// hostDown: what stops with its host, nobody stopped.
func (o *OneCopy) hostDown(e *kernel.Event) {
	site, _, _ := strings.Cut(e.Subject, "/")
	o.cuts[site] = e.At
	for _, g := range o.guests { //hdm:order-safe each by itself
		if g.stopAt == e.At && g.site == site {
			g.why = nil
		}
	}
}

func (o *OneCopy) migration(e *kernel.Event) {
	vm := e.Attr("vm")
	now := o.migrations[vm]
	switch to := e.Attr("to"); {
	case to == stateRunning && (now == nil || now.id != e.Subject):
		o.migrations[vm] = &switchOver{id: e.Subject}
	case now == nil || now.id != e.Subject || to == stateRunning || to == stateUndoing || to == stateWaiting:
	default:
		now.over, now.left = e.Seq, leftovers(e.Attr("left"))
		now.back = to == stateCompleted && (e.Attr("type") == typeBack || e.Attr("type") == typeRecover)
		delete(o.migrations, vm)
		if g := o.guests[vm]; g != nil && now.back {
			g.why = nil // whoever stopped it
		}
	}
}

// Finish implements Oracle: every guest that a migration stopped runs again once
// the migration is over, and the vCenters agree that nothing runs twice.
func (o *OneCopy) Finish(t *Truth) []record.Violation {
	for _, guest := range t.Guests {
		g := o.guest(guest.Name())
		if g.why != nil && g.why.over != 0 && !g.why.back && len(g.on) == 0 && !g.why.left.has(leftPower) && !g.why.left.has(leftBinding) {
			o.broken("MIG-13", t.At, guest.Name(), []uint64{g.stopped, g.why.over},
				"%s stopped it at %v and is over, and it runs nowhere", g.why.id, g.stopAt)
		}
		var on *VM
		for j := range t.VMs {
			v := &t.VMs[j]
			if !v.On || !v.holds(guest.Disks()) {
				continue
			}
			if on != nil {
				o.broken("MIG-13", t.At, guest.Name(), nil, "its disks are on two VMs that are both powered on: %s and %s", on.Subject(), v.Subject())
			}
			on = v
		}
	}
	return o.take()
}

// Tested implements Oracle: a guest that nobody migrates shows nothing, nor does
// one that a person moved.
func (o *OneCopy) Tested() []string { return tested(o.shown, "MIG-13") }

// vmOf is the VM that a guest's event names, as events of VMs call it.
func vmOf(e *kernel.Event) string { return e.Attr("site") + "/" + e.Attr("vm") }
