package oracle

import (
	"strings"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// EffectsOnce: every effect is run once per key, and its answer is accepted at
// most once, only from the incarnation of the appliance that asked, and only as
// long as nothing newer was asked for. What cannot be done twice without harm
// (a snapshot, an import, a pool) exists once in the end (MIG-14). A bulk transfer
// carries everything itself: what an earlier attempt brought over is never taken
// for its own (APP-02).
type EffectsOnce struct {
	verdicts
	courses
	epoch   string
	effects map[string]*effect // by key
	latest  map[string]*effect // by migration
	orders  map[string]ordered // by request
	whole   map[string]uint64  // VMs by name: the event that completed the last import
	again   map[string]bool    // migrations whose request was given twice
	kept    kept
}

type effect struct {
	key, migration, epoch    string
	started, ended, accepted uint64
}

// ordered is what became of a request.
type ordered struct {
	migration string
	event     uint64
}

// NewEffectsOnce returns the oracle for one run.
func NewEffectsOnce(r Rules) *EffectsOnce {
	return &EffectsOnce{
		verdicts: verdicts{oracle: "effects-once"}, courses: newCourses(&r), effects: map[string]*effect{}, latest: map[string]*effect{},
		orders: map[string]ordered{}, whole: map[string]uint64{}, again: map[string]bool{}, kept: kept{},
	}
}

// Observe implements Oracle.
func (o *EffectsOnce) Observe(e kernel.Event) []record.Violation {
	o.kept.hear(&e)
	switch e.Kind {
	case event.ApplianceUp:
		o.epoch = e.Attr("epoch")
	case event.EffectStarted:
		o.started(&e)
	case event.EffectEnded:
		o.ended(&e)
	case event.LeaseClosed:
		if name, ok := strings.CutPrefix(e.Subject, inCloud); ok && e.Attr("mode") == "import" && e.Attr("how") == "completed" {
			o.whole[name] = e.Seq
		}
	case event.JournalWrite:
		o.accepted(&e)
	case event.Migration:
		o.hear(&e)
	case event.Recovery:
		o.resets(&e)
	case event.OrderAnswered:
		o.answered(&e)
	}
	return o.take()
}

func (o *EffectsOnce) started(e *kernel.Event) {
	key := e.Attr("key")
	if first := o.effects[key]; first != nil {
		o.broken(clauseOnce, e.At, e.Subject, []uint64{first.started, e.Seq}, "effect %s was started twice", key)
		return
	}
	f := &effect{key: key, migration: e.Subject, epoch: e.Attr("epoch"), started: e.Seq}
	o.effects[key], o.latest[e.Subject] = f, f
	if o.epoch != "" && f.epoch != o.epoch {
		o.broken(clauseOnce, e.At, e.Subject, []uint64{e.Seq}, "effect %s was started in epoch %s; now is epoch %s", key, f.epoch, o.epoch)
	}
}

func (o *EffectsOnce) ended(e *kernel.Event) {
	f := o.effects[e.Attr("key")]
	switch {
	case f == nil:
		o.broken(clauseOnce, e.At, e.Subject, []uint64{e.Seq}, "effect %s ended and was never started", e.Attr("key"))
	case f.ended != 0:
		o.broken(clauseOnce, e.At, e.Subject, []uint64{f.ended, e.Seq}, "effect %s ended twice", f.key)
	default:
		f.ended = e.Seq
		o.carried(e, f)
	}
}

// carried: a bulk transfer that says it is done has completed an import.
func (o *EffectsOnce) carried(e *kernel.Event, f *effect) {
	m := o.byID[e.Subject]
	suffix, transfer := transfers[e.Attr("kind")]
	if m == nil || !transfer || e.Attr("outcome") != "done" || o.whole[m.vm+suffix] > f.started {
		return
	}
	o.broken("APP-02", e.At, m.vm, []uint64{o.whole[m.vm+suffix], f.started, e.Seq}, "bulk transfer %s is done and has completed no import of its own: it did not start from the beginning", f.key)
}

// accepted: an answer is accepted when the journal is written because of it.
func (o *EffectsOnce) accepted(e *kernel.Event) {
	f := o.effects[e.Attr("cause")]
	if f == nil {
		return // written for another reason
	}
	evidence := []uint64{f.started, f.ended, f.accepted, e.Seq}
	switch {
	case f.accepted != 0:
		o.broken(clauseOnce, e.At, f.migration, evidence, "the answer of effect %s was accepted twice", f.key)
	case f.ended == 0:
		o.broken(clauseOnce, e.At, f.migration, evidence, "an answer of effect %s was accepted before it ended", f.key)
	case f.epoch != o.epoch && o.epoch != "":
		o.broken(clauseOnce, e.At, f.migration, evidence, "the answer of effect %s was accepted in epoch %s, though it was asked for in epoch %s", f.key, o.epoch, f.epoch)
	case o.latest[f.migration] != f:
		o.broken(clauseOnce, e.At, f.migration, append(evidence, o.latest[f.migration].started), "a late answer of effect %s was accepted after %s was begun", f.key, o.latest[f.migration].key)
	}
	f.accepted = e.Seq
}

func (o *EffectsOnce) answered(e *kernel.Event) {
	request, migration := e.Attr("request"), e.Attr("migration")
	if request == "" || migration == "" {
		return
	}
	first, seen := o.orders[request]
	if !seen {
		o.orders[request] = ordered{migration, e.Seq}
		return
	}
	o.again[first.migration] = true
	if first.migration != migration {
		o.broken("MIG-14", e.At, migration, []uint64{first.event, e.Seq}, "request %s was given twice and became two migrations, %s and %s", request, first.migration, migration)
	}
}

// Finish implements Oracle.
func (o *EffectsOnce) Finish(t *Truth) []record.Violation {
	if o.stuck {
		return nil
	}
	for i := range t.Before {
		before := &t.Before[i]
		if before.Site != vsphere.OnPremises {
			continue
		}
		last := o.of(before.Name)
		most := 1
		if o.waits(before.Name) || last != nil && last.of == typeWarm && !o.rules.final(last.state) {
			most = 2 // the compute VM, and the image that it is going to be
		}
		if copies := t.copies(before); len(copies) > most && !last.left.has(leftCopy) {
			o.broken("MIG-14", t.At, before.Subject(), last.evidence(), "%d VMs were made from it in the cloud, among them %s and %s", len(copies), copies[0].Name, copies[1].Name)
		}
		if now := t.same(before); now != nil {
			want := 1
			if last.completed() && (last.of == typeWarm || last.of == typeBack) {
				want = 0 // what is committed, or back, is no longer HDM's
			}
			if want += o.kept[before.Name]; last.completed() && last.of == typeRecover {
				want-- // its own is among them
			}
			if extra := o.taken(now) - o.taken(before); extra != want && last.completed() && !last.left.has(leftSnapshot) && !o.waits(before.Name) {
				o.broken("MIG-11", t.At, before.Subject(), last.evidence(), "%s left %d migrate-time snapshots; it leaves %d", last.id, extra, want)
			}
		}
	}
	for i, pool := range t.Pools {
		for _, other := range t.Pools[:i] {
			if pool.Site == other.Site && pool.Name == other.Name {
				o.broken(clauseOnce, t.At, string(pool.Site), nil, "there are two pools %q, below %q and below %q", pool.Name, other.Parent, pool.Parent)
			}
		}
	}
	return o.take()
}

// taken counts migrate-time snapshots.
func (o *EffectsOnce) taken(v *VM) int {
	n := 0
	for _, s := range v.Snapshots {
		if strings.HasPrefix(s, o.rules.SnapshotPrefix) {
			n++
		}
	}
	return n
}

// Tested implements Oracle: a request that was given twice shows something once
// its migration has completed.
func (o *EffectsOnce) Tested() []string {
	for _, c := range o.byVM { //hdm:order-safe whether there is one
		if o.again[c.id] && c.completed() {
			return []string{"MIG-14"}
		}
	}
	return nil
}
