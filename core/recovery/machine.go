package recovery

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
)

// Why a reset is offered (RST-01).
const (
	OfferMultiple = "several parts of HDM failed at once"
	OfferOutage   = "the link to the cloud has been down for 5 minutes"
	OfferDegraded = "HDM has been degraded for 15 minutes"
	OfferFatal    = "the failure cannot be repaired"
)

// Decide moves a recovery. It is pure and total: an event that makes no sense is
// answered with Ignored, and changes nothing.
func (r Recovery) Decide(k Knobs, now migration.Now, ev Event) Verdict {
	v := &verdict{Knobs: k, now: now, Verdict: Verdict{Recovery: r}}
	v.Recovery.Failures, v.Recovery.Affected, v.Recovery.Held = slices.Clone(r.Failures), slices.Clone(r.Affected), slices.Clone(r.Held)
	v.Recovery.Reset.Filters = maps.Clone(r.Reset.Filters)
	switch ev := ev.(type) {
	case Noticed:
		v.noticed(ev.Failures)
	case Probed:
		v.probed(ev)
	case LinkLost:
		v.linkLost(ev)
	case LinkBack:
		v.linkBack(ev)
	case CacheLost:
		v.cacheLost(ev)
	case Identified:
		v.identified(ev)
	case Repaired:
		v.repaired(ev)
	case Failed:
		v.failed(ev)
	case Returned:
		v.returned()
	case Looked:
		v.looked()
	case Booted:
		v.booted(ev)
	case ResetAsked:
		v.resetAsked(ev)
	case StepDone:
		v.stepDone(ev)
	default:
		panic(fmt.Sprintf("recovery: unknown event %T", ev))
	}
	if v.Ignored != "" {
		return Verdict{Recovery: r, Refused: v.Refused, Ignored: v.Ignored}
	}
	return v.Verdict
}

// verdict is one that is being made.
type verdict struct {
	Knobs
	now migration.Now
	Verdict
}

func (v *verdict) ignore(format string, args ...any) { v.Ignored = fmt.Sprintf(format, args...) }

// move changes the phase, along Edges only.
func (v *verdict) move(to Phase) {
	from := v.Recovery.Phase
	if from == to {
		return
	}
	if !slices.Contains(Edges[from], to) {
		panic(fmt.Sprintf("recovery: no way from %q to %q", from, to))
	}
	v.Recovery.Phase = to
}

func (v *verdict) issue(e Effect) {
	r := &v.Recovery
	r.Issued++
	e.Key = fmt.Sprintf("recovery-%d/%d/%s", r.Number, r.Issued, e.Kind)
	r.Effect = e.Key
	v.Effect = &e
}

// awaits is the fence against late answers, and against those to something else.
func (v *verdict) awaits(key string, kind Kind) bool {
	if key == "" || v.Recovery.Effect != key || !v.doing(kind) {
		v.ignore("%s is not awaited as a %s, but %q", key, kind, v.Recovery.Effect)
		return false
	}
	return true
}

// noticed takes up what has failed. A new failure joins a recovery that is under
// way; what its own repair does to a part is none.
func (v *verdict) noticed(failures []Failure) {
	r := &v.Recovery
	if !v.takesUp() {
		return
	}
	news := false
	for _, f := range failures {
		news = v.add(f) || news
	}
	switch {
	case !news:
		v.ignore("all of it is known")
	case v.doing(Repair):
		v.Cancel, r.Effect = r.Effect, "" // to be begun again once it is known what else has failed
		v.next()
	case r.Effect == "":
		v.next()
	}
}

// takesUp says whether a recovery hears of failures, and begins one if none is
// under way.
func (v *verdict) takesUp() bool {
	switch r := &v.Recovery; r.Phase {
	case Unrecoverable, Resetting:
		v.ignore("it is %s: only a reset helps", r.Phase)
		return false
	case Healthy:
		*r = Recovery{Number: r.Number + 1, Issued: r.Issued, Since: v.now.Wall}
	}
	return true
}

// cacheLost takes up VMs that come back although everything runs.
func (v *verdict) cacheLost(ev CacheLost) {
	if !v.takesUp() {
		return
	}
	r := &v.Recovery
	known := len(r.Affected)
	r.Affected = join(r.Affected, ev.Affected)
	if len(r.Affected) == known {
		v.ignore("they come back already")
		return
	}
	r.Failures = append(r.Failures, Failure{
		VM: ev.VM, Service: ev.Service, Cause: Damaged, Error: migration.Cut(ev.Error), At: v.now.Wall, Repaired: true, Judged: true,
	})
	if r.Effect == "" {
		v.next()
	}
}

// doing says whether an effect of that kind is outstanding.
func (v *verdict) doing(k Kind) bool { return strings.HasSuffix(v.Recovery.Effect, "/"+string(k)) }

// add takes up one failure; false if it is known.
func (v *verdict) add(f Failure) bool {
	r := &v.Recovery
	for i, known := range r.Failures {
		if known.VM != f.VM {
			continue
		}
		switch {
		case known.Repaired && lasting(known) && known.Service == f.Service: // only a reset helps
			return false
		case known.Repaired:
		case known.Service == "" && f.VM != "": // the whole VM is being seen to
			return false
		case known.Service == f.Service && known.Cause == Unknown && f.Cause != Unknown:
			f.At, f.Again = known.At, known.Again
			r.Failures[i] = f
			return true
		case known.Service == f.Service:
			return false
		}
	}
	if f.Service == "" { // it takes its services with it
		r.Failures = slices.DeleteFunc(r.Failures, func(g Failure) bool { return g.VM == f.VM && !g.Repaired })
	}
	// What fails again and again is one failure, or the recovery would grow for as
	// long as it lasts.
	r.Failures = slices.DeleteFunc(r.Failures, func(g Failure) bool {
		same := g.VM == f.VM && g.Service == f.Service && g.Repaired && g.Judged
		if same {
			f.Again = g.Again + 1
		}
		return same
	})
	f.At = v.now.Wall
	r.Failures = append(r.Failures, f)
	return true
}

// probed takes up the causes.
func (v *verdict) probed(ev Probed) {
	if !v.awaits(ev.Key, Probe) {
		return
	}
	r := &v.Recovery
	r.Effect = ""
	unknown, before := v.unknowns(), len(r.Failures)
	if ev.Link {
		r.Failures = slices.DeleteFunc(r.Failures, func(f Failure) bool {
			return f.Cause == Unknown && component.SiteOf(f.VM) == vsphere.Cloud
		})
		v.add(NothingReached)
	}
	for _, f := range ev.Found {
		i := slices.IndexFunc(r.Failures, func(g Failure) bool {
			return g.VM == f.VM && g.Cause == Unknown && (g.Service == f.Service || f.Service == "")
		})
		if i < 0 || f.Cause == Unknown {
			continue
		}
		if f.Repaired { // it was silent, and that was all
			r.Failures = slices.Delete(r.Failures, i, i+1)
			continue
		}
		f.At, f.Again = r.Failures[i].At, r.Failures[i].Again
		r.Failures[i] = f
		if f.Service == "" {
			r.Failures = slices.DeleteFunc(r.Failures, func(g Failure) bool {
				return g.VM == f.VM && g.Service != "" && !g.Repaired
			})
		}
	}
	if unknown > 0 && len(r.Failures) == before && !ev.Link && v.unknowns() == unknown {
		v.issue(Effect{Kind: Probe, Delay: v.Backoff}) // it found nothing out: the next one may
		return
	}
	v.next()
}

// unknowns counts the failures whose cause is not known.
func (v *verdict) unknowns() (n int) {
	for _, f := range v.Recovery.Failures {
		if f.Cause == Unknown {
			n++
		}
	}
	return n
}

// link is the link's failure that lasts, or nil.
func (r *Recovery) link() *Failure {
	for i := range r.Failures {
		if f := &r.Failures[i]; f.Cause == LinkDown && !f.Repaired {
			return f
		}
	}
	return nil
}

func (v *verdict) linkLost(ev LinkLost) {
	if !v.awaits(ev.Key, AwaitLink) {
		return
	}
	if v.Recovery.Lost {
		v.ignore("it is known")
		return
	}
	v.Recovery.Lost = true
	v.offer(OfferOutage)
}

func (v *verdict) linkBack(ev LinkBack) {
	if !v.awaits(ev.Key, AwaitLink) {
		return
	}
	r := &v.Recovery
	r.Effect = ""
	if f := r.link(); r.Lost {
		f.Repaired, f.Judged = true, false
	} else { // it was ridden out
		r.Failures = slices.DeleteFunc(r.Failures, func(f Failure) bool { return f.Cause == LinkDown })
	}
	for _, f := range ev.Still {
		v.add(f)
	}
	v.next()
}

func (v *verdict) offer(why string) {
	if v.Recovery.Offered == "" {
		v.Recovery.Offered = why
	}
}

// next decides what comes now that nothing is being done.
func (v *verdict) next() {
	r := &v.Recovery
	switch {
	case r.link() != nil:
		v.move(Probing)
		v.issue(Effect{Kind: AwaitLink})
	case v.unknowns() > 0:
		v.move(Probing)
		v.issue(Effect{Kind: Probe, Delay: v.Settle})
	case slices.ContainsFunc(r.Failures, func(f Failure) bool { return !f.Judged }):
		v.move(Repairing)
		if r.several() {
			r.Multiple = true
			v.offer(OfferMultiple)
		}
		v.Identify = true
	default:
		v.repair()
	}
}

// several says whether more than one part has failed: services of one VM that
// fail one by one are several, a VM that takes its services with it is one, and
// the link is none.
func (r *Recovery) several() bool {
	n := 0
	for i, f := range r.Failures {
		again := slices.ContainsFunc(r.Failures[:i], func(g Failure) bool { return g.VM == f.VM && g.Service == f.Service })
		if f.VM != "" && !again {
			n++
		}
	}
	return n > 1
}

// identified goes on to the repairs.
func (v *verdict) identified(ev Identified) {
	r := &v.Recovery
	if r.Phase != Repairing || r.Effect != "" {
		v.ignore("nobody asked whom it affects in phase %q", r.Phase)
		return
	}
	for i := range r.Failures {
		r.Failures[i].Judged = true
	}
	r.Affected, r.Held = join(r.Affected, ev.Affected), join(r.Held, ev.Held)
	v.repair()
}

func join(known, more []migration.ID) []migration.ID {
	for _, id := range more {
		if !slices.Contains(known, id) {
			known = append(known, id)
		}
	}
	return known
}

// repair begins the first repair that is due, or brings back once there is none.
func (v *verdict) repair() {
	r := &v.Recovery
	for i := range r.Failures {
		f := &r.Failures[i]
		if f.Cause == FilterRestarted || f.Cause == HostRestarted {
			f.Repaired = true // only a reset helps, and what is left works for now (ESX-02)
		}
		if !f.Repaired && f.Again >= v.Tries {
			v.giveUp(*f) // it fails as often as it is repaired
			return
		}
		if !f.Repaired {
			v.move(Repairing)
			v.issue(Effect{Kind: Repair, Failure: *f, Delay: v.Backoff * time.Duration(min(f.Tries, 1))})
			return
		}
	}
	if len(r.Affected) > 0 || len(r.Held) > 0 {
		v.move(Returning)
		v.Return = true
		return
	}
	v.end()
}

func (v *verdict) repaired(ev Repaired) {
	if !v.awaits(ev.Key, Repair) {
		return
	}
	r := &v.Recovery
	r.Effect = ""
	if f := v.current(); f != nil {
		f.Repaired = true
	}
	v.next()
}

// current is the failure that is being repaired: the first that is not.
func (v *verdict) current() *Failure {
	for i := range v.Recovery.Failures {
		if f := &v.Recovery.Failures[i]; !f.Repaired {
			return f
		}
	}
	return nil
}

// failed tries again, or gives up. What cannot be reached uses up no try.
func (v *verdict) failed(ev Failed) {
	if ev.Key == "" || v.Recovery.Effect != ev.Key {
		v.ignore("%s is not awaited, but %q", ev.Key, v.Recovery.Effect)
		return
	}
	r := &v.Recovery
	repair := v.doing(Repair)
	switch {
	case r.Phase == Resetting:
		v.issue(Effect{Kind: ResetOne, Reset: r.Reset, Delay: v.Backoff})
	case !repair && r.link() != nil:
		v.issue(Effect{Kind: AwaitLink, Delay: v.Backoff})
	case !repair:
		v.issue(Effect{Kind: Probe, Delay: v.Backoff})
	default:
		f := v.current()
		if ev.Failure.Class != vsphere.Unreachable {
			f.Tries, f.Error = f.Tries+1, migration.Cut(ev.Failure.What)
		}
		if f.Tries >= v.Tries {
			v.giveUp(*f)
			return
		}
		v.issue(Effect{Kind: Repair, Failure: *f, Delay: v.Backoff})
	}
}

func (v *verdict) returned() {
	if v.Recovery.Phase != Returning {
		v.ignore("nothing is being brought back in phase %q", v.Recovery.Phase)
		return
	}
	v.end()
}

// end is the end of a recovery: HDM is Ready, or only a reset helps.
func (v *verdict) end() {
	r := &v.Recovery
	for _, f := range r.Failures {
		if f.Judged && lasting(f) {
			v.giveUp(f)
			return
		}
	}
	v.move(Healthy)
	*r = Recovery{Number: r.Number, Issued: r.Issued}
}

// lasting says whether a failure stays although what there is runs: an iofilter
// that has restarted (ESX-01).
func lasting(f Failure) bool {
	return f.Cause == HostRestarted || f.Cause == FilterRestarted || f.Service == component.IOFilter && f.Cause == HostDown
}

func (v *verdict) giveUp(f Failure) {
	r := &v.Recovery
	v.move(Unrecoverable)
	r.Effect, r.Fatal = "", f.Of()
	r.Offered = OfferFatal
}

// looked offers a reset to who has waited for long.
func (v *verdict) looked() {
	r := &v.Recovery
	under := r.Phase == Probing || r.Phase == Repairing || r.Phase == Returning
	if !under || r.Offered != "" || v.now.Wall.Sub(r.Since) < v.Degraded {
		v.ignore("there is nothing to offer")
		return
	}
	v.offer(OfferDegraded)
}

// booted takes up what was being done: nobody waits for it any more.
func (v *verdict) booted(ev Booted) {
	r := &v.Recovery
	switch {
	case r.Phase == Resetting && r.Reset.Step == ResetAppliance && ev.Epoch > r.Reset.Epoch:
		r.Effect = ""
		v.step(ResetAppliance, ev.Epoch)
	case r.Effect == "":
		v.ignore("nothing was outstanding")
	case r.Phase == Resetting:
		v.issue(Effect{Kind: ResetOne, Reset: r.Reset})
	default:
		r.Effect = ""
		v.next()
	}
}
