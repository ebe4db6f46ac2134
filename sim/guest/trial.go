package guest

import "github.com/hdm-project/hdm/sim/event"

// Outcomes of a boot for trial.
const (
	trialUp      = "up"
	trialDamaged = "damaged"
)

// Trial is PowerOn for a VM that is only to show whether its guest would come
// up: a throwaway copy of its disks, with no network. The guest reads its boot
// block, and is up, with its tools, if that is whole and its own; it writes
// nothing, nobody works with it, and it is no second copy of the guest.
func (g *Guests) Trial(site, vm string, disks []Device) *Run {
	if len(disks) == 0 || g.byBoot[disks[0].ID()] == nil {
		return nil
	}
	guest := g.byBoot[disks[0].ID()]
	r := &Run{guest: guest, site: site, vm: vm, trial: true, tools: !guest.spec.NoTools, flushed: guest.write}
	r.next = g.kernel.After(guest.spec.Boot, func() {
		r.next = nil
		if !guest.bootable(disks[0]) {
			r.tried(trialDamaged)
			return
		}
		r.state = up
		r.tried(trialUp)
		if r.tools {
			r.host().Tools(r.site, r.vm, true)
		}
	})
	return r
}

func (r *Run) tried(outcome string) {
	r.kernel().Emit(event.GuestTrial, r.guest.spec.Name, "site", r.site, "vm", r.vm, "outcome", outcome)
}
