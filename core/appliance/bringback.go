package appliance

import (
	"slices"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
)

// mostBrought bounds how many migrations one event fails, and how many it has
// brought back, so that it stays a batch of the journal: the next event goes on.
const mostBrought = 100

// returned does what comes once everything is repaired, in the guide's order
// (REC-12): affected migrations fail, then their VMs come back, then what was held
// goes on; and once all are back it tells the recovery.
func (p *step) returned() {
	r := p.recovering()
	if r.Phase != recovery.Returning {
		return
	}
	ignored := p.d.Ignored // of the event itself
	defer func() { p.d.Ignored = ignored }()
	why := migration.Reason{
		Code: CodeComponent, What: "HDM failed while it was under way: " + failed(r),
		Fix: "order it again once HDM is Ready; its VM is brought back as of its last flush if it had run in the cloud",
	}
	failing := 0
	for _, m := range p.fleet() {
		if failing < mostBrought && slices.Contains(r.Affected, m.ID) {
			before := len(p.d.Changed)
			p.hear(m, migration.Broken{Why: why, Lost: hasLost(r, m)})
			if len(p.d.Changed) > before {
				failing++
			}
		}
	}
	if failing == mostBrought || p.bringBack(r) > 0 {
		return
	}
	for _, id := range r.Held {
		if m, ok := p.latest(id); ok && !m.State.Final() {
			p.hear(m, migration.Resumed{})
		}
	}
	p.recover(recovery.Returned{})
}

// hasLost says whether the cloud cache of a migration has lost what it held of some
// VMs. Of those only what it has lost is affected and being put back.
func hasLost(r recovery.Recovery, m migration.Migration) bool {
	return slices.ContainsFunc(r.Failures, func(f recovery.Failure) bool { return f.Cause == recovery.Damaged && f.VM == m.Path.Cache })
}

// CodeComponent is the code of what failed because a part of HDM did.
const CodeComponent = "component-failed"

// bringBack orders that the VMs of affected migrations come back, and counts those
// that are not back yet. What did not come about in this recovery is left to a
// person.
func (p *step) bringBack(r recovery.Recovery) (waiting int) {
	all := p.everyone()
	affected, busy := map[migration.ID]bool{}, map[migration.ID]bool{}
	for _, id := range r.Affected {
		affected[id] = true
	}
	for _, m := range all {
		switch {
		case m.Order.Type == migration.Recover:
			if !m.State.Final() {
				waiting++
				busy[m.Of] = true
			}
		case m.Of != "":
			affected[m.Of] = affected[m.Of] || affected[m.ID] // it was to bring that one back
			busy[m.Of] = busy[m.Of] || !m.State.Final()
		}
	}
	ordered := 0
	for _, m := range all {
		if !m.State.Final() || !m.Bound || m.Of != "" || m.ByImage() || !affected[m.ID] || slices.Contains(r.Brought, m.ID) {
			continue
		}
		if ordered < mostBrought && !busy[m.ID] { // never two at one VM (MIG-13)
			p.d.Orders++
			p.create(migration.NewRecover(p.d.Orders, p.now.Wall, m))
			r.Brought = append(slices.Clone(r.Brought), m.ID)
			p.d.Recovery = &r
		}
		ordered++
	}
	return waiting + ordered
}
