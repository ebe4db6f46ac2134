package loopback

import (
	"context"
	"encoding/xml"
	"errors"
	"strings"

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

// byHand notes which VMs a foreign call changes, so that what follows is not laid
// on HDM.
func byHand(live *run.Live, place *site.Place, c vcenter.ForeignCall) {
	refs, name := named(c.Body)
	for _, vm := range place.VCenter.VMsOf(append(refs, c.Object)...) {
		live.By(c.Method, vm)
		if c.Method == "Rename_Task" && name != "" {
			live.By(c.Method, name)
		}
	}
	if c.Method == "CreateResourcePool" && name != "" {
		live.ByAt(c.Method, place.Site, name)
	}
}

// named are the VMs and snapshots that a SOAP body is about, and the first name
// that it gives.
func named(body string) (refs []string, name string) {
	dec := xml.NewDecoder(strings.NewReader(body))
	var at xml.StartElement
	text := ""
	for {
		token, err := dec.Token()
		if err != nil { // its end, or no XML from here on, and then nobody reads it
			return refs, name
		}
		switch t := token.(type) {
		case xml.StartElement:
			at, text = t.Copy(), ""
		case xml.CharData:
			text += string(t)
		case xml.EndElement:
			if kind := kindOf(at); kind != "" && text != "" {
				refs = append(refs, kind+":"+strings.TrimSpace(text))
			}
			if name == "" && (at.Name.Local == "newName" || at.Name.Local == "name") {
				name = text
			}
			at, text = xml.StartElement{}, ""
		}
	}
}

// kindOf is the type of the VM or snapshot that an element refers to; "" if it
// refers to neither.
func kindOf(e xml.StartElement) string {
	for _, a := range e.Attr {
		if a.Name.Local == "type" && (a.Value == "VirtualMachine" || a.Value == "VirtualMachineSnapshot") {
			return a.Value
		}
	}
	return ""
}
