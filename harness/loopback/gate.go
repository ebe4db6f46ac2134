package loopback

import (
	"context"
	"errors"
	"regexp"

	"github.com/hdm-project/hdm/harness/recording"
	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/vcenter"
)

// gate lets foreign clients of one vCenter in: it is a vcenter.Foreign.
type gate struct {
	w     *World
	place *site.Place
}

// Look implements vcenter.Foreign.
func (g *gate) Look(ctx context.Context, fn func()) error {
	return g.w.live.Driver().Look(ctx.Done(), fn)
}

// Change implements vcenter.Foreign: the call is on record before it acts.
func (g *gate) Change(ctx context.Context, c vcenter.ForeignCall, fn func()) error {
	return g.w.do(ctx, func(p recording.Place) recording.Step {
		kind := recording.SOAP
		if c.Object == "" {
			kind = recording.HTTP
		}
		return recording.Step{Place: p, Kind: kind, Site: g.place.Site, Call: &c}
	}, func() {
		byHand(g.w.live, g.place, c)
		fn()
	})
}

// do records a step and lets it act. One that cannot be recorded does not act,
// and ends the world: what follows could not be run again.
func (w *World) do(ctx context.Context, step func(recording.Place) recording.Step, act func()) error {
	var failed error
	err := w.live.Driver().Do(ctx.Done(), func(m kernel.Mark) {
		if failed = context.Cause(w.ctx); failed != nil {
			// It is an event all the same: a replay must count it.
			failed = errors.Join(failed, w.writer.Step(recording.Step{Place: recording.PlaceOf(m), Kind: recording.Late}))
			return
		}
		if failed = w.writer.Step(step(recording.PlaceOf(m))); failed != nil {
			w.fail(failed)
			return
		}
		act()
	})
	return errors.Join(err, failed)
}

// named finds the VMs and snapshots that a SOAP body is about.
var named = regexp.MustCompile(`(VirtualMachine(?:Snapshot)?)"[^>]*>([^<]+)<`)

// byHand notes which VMs a foreign call changes, so that what follows is not laid
// on HDM.
func byHand(live *run.Live, place *site.Place, c vcenter.ForeignCall) {
	refs := []string{c.Object}
	for _, m := range named.FindAllStringSubmatch(c.Body, -1) {
		refs = append(refs, m[1]+":"+m[2])
	}
	to := names.FindStringSubmatch(c.Body)
	for _, vm := range place.VCenter.VMsOf(refs...) {
		live.By(c.Method, vm)
		if c.Method == "Rename_Task" && to != nil {
			live.By(c.Method, to[1])
		}
	}
	if c.Method == "CreateResourcePool" && to != nil {
		live.ByAt(c.Method, place.Site, to[1])
	}
}

// names finds the name that a call gives.
var names = regexp.MustCompile(`<(?:\w+:)?(?:newName|name)(?:\s[^>]*)?>([^<]+)<`)
