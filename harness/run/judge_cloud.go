package run

import (
	"slices"
	"time"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/site"
)

// expectCloud holds a promise about VMs on the cloud cache, and what they run on,
// against the world, and says whether it is one.
func (st *stage) expectCloud(p scenario.Promise, broken breach) bool {
	switch p := p.(type) {
	case *scenario.Deployed:
		st.expectDeployed(p, broken)
	case *scenario.Flushes:
		st.expectFlushes(p, broken)
	case *scenario.Bound:
		if b := st.story.byVM[p.VM]; p.Bound != (b != nil && !b.ended) {
			broken("it is on the cloud cache: %v, not %v", !p.Bound, p.Bound)
		}
	case *scenario.CacheQuota:
		switch b := st.story.byVM[p.VM]; {
		case b == nil:
			broken("it was never on the cloud cache")
		case site.Size(b.quota) != p.Quota:
			broken("its cloud cache has %v, not %v", site.Size(b.quota), p.Quota)
		}
	case *scenario.SnapshotImage:
		st.expectImage(p, broken)
	case *scenario.InOrder:
		st.expectSteps(p, broken)
	case *scenario.TimeToCloud:
		st.expectTime(p, broken)
	default:
		return false
	}
	return true
}

func (st *stage) expectDeployed(p *scenario.Deployed, broken breach) {
	want, got := p.Deployment, st.teller.deployment
	if phaseOf(got) != want.Phase {
		broken("HDM is %s, not %s", phaseOf(got), want.Phase)
	}
	if mode, err := deployment.Parse(want.Mode); err == nil && got.Mode != mode {
		broken("its mode is %q, not %q", got.Mode, mode)
	}
	vms := 0
	for _, place := range st.world.Places() {
		for _, v := range place.VCenter.VMs() {
			if v.Marks[component.MarkComponent] != "" {
				vms++
			}
		}
	}
	if want.VMs != nil && vms != *want.VMs {
		broken("it has %d component VMs, not %d", vms, *want.VMs)
	}
}

// flushLeeway is how much earlier or later than due a flush may be cut.
const flushLeeway = time.Minute

func (st *stage) expectFlushes(p *scenario.Flushes, broken breach) {
	var cuts []time.Duration
	if b := st.story.byVM[p.VM]; b != nil {
		cuts = b.applied
	}
	want := p.Flushes
	if want.AtLeast != nil && len(cuts) < *want.AtLeast {
		broken("%d flushes were applied, less than %d", len(cuts), *want.AtLeast)
	}
	if want.AtMost != nil && len(cuts) > *want.AtMost {
		broken("%d flushes were applied, more than %d", len(cuts), *want.AtMost)
	}
	if want.With != "" {
		st.expectTogether(want.With, cuts, broken)
	}
	every := time.Duration(want.Every)
	for i := 1; every > 0 && i < len(cuts); i++ {
		gap, last := cuts[i]-cuts[i-1], i == len(cuts)-1
		if gap > every+flushLeeway || gap < every-flushLeeway && !last {
			broken("flushes were cut at %v and at %v, %v apart and not %v", cuts[i-1], cuts[i], gap, every)
			return
		}
	}
}

// expectTogether holds the cuts of a VM's flushes against those of another one.
func (st *stage) expectTogether(with string, cuts []time.Duration, broken breach) {
	var others []time.Duration
	if b := st.story.byVM[with]; b != nil {
		others = b.applied
	}
	own, its := cuts[:max(0, len(cuts)-1)], others[:max(0, len(others)-1)]
	switch {
	case len(own) == 0:
		broken("%d flushes were applied, and the last may be its own: none tells whether it was cut with %s", len(cuts), with)
	case !slices.Equal(own, its):
		broken("its flushes were cut at %v, and those of %s at %v", own, with, its)
	}
}

// expectImage looks at the migrate-time snapshot: the last one that there is, or
// what it was merged into.
func (st *stage) expectImage(p *scenario.SnapshotImage, broken breach) {
	want := st.story.images[p.VM]
	v, ok := st.world.OnPremises.VCenter.VM(p.VM)
	switch {
	case want == nil:
		broken("no migrate-time snapshot of it was taken")
		return
	case !ok || len(v.Disks) != len(want):
		broken("it is not on premises with the disks that it had")
		return
	}
	for i, d := range v.Disks {
		var image disk.Reader = d.Disk
		if layers := d.Disk.Snapshots(); len(layers) > 0 && len(v.Snapshots) > 0 {
			frozen, err := d.Disk.View(layers[len(layers)-1])
			if err != nil {
				broken("the snapshot of its %s cannot be read: %v", d.Label, err)
				continue
			}
			image = frozen
		}
		if digestOf(image) != want[i] {
			broken("its %s is not what it was when its guest was last off, before it was migrated", d.Label)
		}
	}
}

func (st *stage) expectSteps(p *scenario.InOrder, broken breach) {
	m, ok := st.lastOf(p.VM, p.Type)
	if !ok {
		broken("it was never migrated")
		return
	}
	rest := p.Steps
	for _, step := range m.Started {
		if len(rest) > 0 && step == rest[0] {
			rest = rest[1:]
		}
	}
	if len(rest) > 0 {
		broken("its migration %s began the steps %v: %s did not come after those before it in %v", m.ID, m.Started, rest[0], p.Steps)
	}
}

func (st *stage) expectTime(p *scenario.TimeToCloud, broken breach) {
	took := func(vm string) (time.Duration, bool) {
		up, ok := st.story.arrived[vm]
		if !ok {
			broken("the guest of %s was never up in the cloud", vm)
		}
		return up - st.story.turn[vm], ok
	}
	its, ok := took(p.VM)
	if !ok {
		return
	}
	if most := time.Duration(p.Time.AtMost); most > 0 && its > most {
		broken("it took %v until its guest was up in the cloud, more than %v", its, most)
	}
	if p.Time.SameAs == "" {
		return
	}
	if other, ok := took(p.Time.SameAs); ok && (its-other).Abs() > other*time.Duration(p.Time.Percent)/100 {
		broken("it took %v until its guest was up in the cloud; %s took %v", its, p.Time.SameAs, other)
	}
}
