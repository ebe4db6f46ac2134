package client

import (
	"cmp"
	"slices"

	"github.com/hdm-project/hdm/core/protocol"
)

// ending is how HDM refused a request, if it did.
type ending struct {
	// Message is SQS's name for the request's message; may be empty. HDM answers by
	// it whoever has no token, and whoever takes the name of another's request.
	Message string
	Refused *protocol.ErrorResponse
}

// about says whether a response is one to the request. An error that is not final
// answers another message under the name of the request, which goes on; unless
// that message is this one, and the request was ordered by somebody else.
func (e *ending) about(request string, r protocol.Response) bool {
	refusal, ok := r.(*protocol.ErrorResponse)
	switch {
	case !ok:
		return r.Head().RequestID == request
	case e.Message != "" && refusal.MessageID == e.Message:
		return true
	}
	return refusal.RequestID != "" && refusal.RequestID == request && refusal.Final
}

func (e *ending) err() error {
	if e.Refused == nil {
		return nil
	}
	return &RefusedError{e.Refused}
}

// Follow hears how one migration goes. Its Hear is one for Watch.
type Follow struct {
	Request string                  // request_id of its SourceCloneRequest
	Last    *protocol.CloneResponse // the newest; the final one once it was heard
	ending
}

// Hear takes in a response. It returns nil.
func (f *Follow) Hear(r protocol.Response) error {
	if !f.about(f.Request, r) {
		return nil
	}
	switch r := r.(type) {
	case *protocol.CloneResponse:
		if f.Last == nil || later(r, f.Last) {
			f.Last = r
		}
	case *protocol.ErrorResponse:
		f.Refused = r
	}
	return nil
}

// later says whether a status is newer than the last one: a standard queue may
// deliver an earlier one after it. Progress never falls (SQS-06); between equals
// HDM's clock decides, which may have been set back.
func later(r, last *protocol.CloneResponse) bool {
	if last.Final || r.Final {
		return !last.Final
	}
	return cmp.Or(cmp.Compare(r.Percent, last.Percent), r.Sent.Compare(last.Sent)) >= 0
}

// Complete says whether the migration has ended, or was refused.
func (f *Follow) Complete() bool { return f.Refused != nil || f.Last != nil && f.Last.Final }

// mostReadings bounds the readings of one inventory that are put together at
// once. There is one, unless HDM was interrupted in the middle.
const mostReadings = 4

// Gather puts the pages of an inventory together, in whatever order they come. A
// request that reached HDM twice has two readings, and the first that is complete
// counts. Its Hear is one for Watch.
type Gather struct {
	Request string // request_id of its SourceInventoryRequest
	ending
	readings []reading // the oldest first
}

// reading is the pages of one that were heard.
type reading struct {
	name  string
	pages []*protocol.InventoryResponse
}

func (r *reading) complete() bool { return len(r.pages) == r.pages[0].Pages }

// Hear takes in a response. It returns nil.
func (g *Gather) Hear(r protocol.Response) error {
	if !g.about(g.Request, r) || g.Complete() {
		return nil
	}
	switch r := r.(type) {
	case *protocol.ErrorResponse:
		g.Refused = r
	case *protocol.InventoryResponse:
		g.page(r)
	}
	return nil
}

func (g *Gather) page(p *protocol.InventoryResponse) {
	at := slices.IndexFunc(g.readings, func(r reading) bool { return r.name == p.Reading })
	if at < 0 {
		if len(g.readings) == mostReadings {
			g.readings = slices.Delete(g.readings, 0, 1)
		}
		g.readings = append(g.readings, reading{name: p.Reading})
		at = len(g.readings) - 1
	}
	known := &g.readings[at].pages
	if !slices.ContainsFunc(*known, func(k *protocol.InventoryResponse) bool { return k.Page == p.Page }) {
		*known = append(*known, p)
	}
}

// Complete says whether every page of a reading is there, or the request was
// refused.
func (g *Gather) Complete() bool { return g.Refused != nil || g.whole() != nil }

func (g *Gather) whole() *reading {
	for i := range g.readings {
		if g.readings[i].complete() {
			return &g.readings[i]
		}
	}
	return nil
}

// VMs are those of all pages, in their order; nil unless the reading is complete.
func (g *Gather) VMs() []protocol.VM {
	r := g.whole()
	if r == nil {
		return nil
	}
	slices.SortFunc(r.pages, func(a, b *protocol.InventoryResponse) int { return cmp.Compare(a.Page, b.Page) })
	vms := []protocol.VM{}
	for _, p := range r.pages {
		vms = append(vms, p.VMs...)
	}
	return vms
}
