package appliance

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
)

// DefaultFlushEvery is the flush interval of a cluster unless somebody sets
// another (POL-04).
const DefaultFlushEvery = 20 * time.Minute

// Limits of settings.
const (
	MinFlushEvery = time.Minute
	MaxFlushEvery = 24 * time.Hour
	MaxGroups     = 1000
	MaxGroup      = 64 // VMs
	// MaxTogether is how many VMs may come along with one: their orders are one
	// batch of the journal.
	MaxTogether = MaxGroup
	// MaxNames are the bytes of all names: the settings are one record of the
	// journal.
	MaxNames = 128 << 10
)

// Settings are what a user can change while HDM works.
type Settings struct {
	// FlushEvery is the flush interval (RTO/RPO) of clusters, by name; all VMs of
	// a cluster inherit it. Left out: DefaultFlushEvery.
	FlushEvery map[string]time.Duration `json:"flush_every,omitempty"`
	// Groups are VMs that depend on each other, and move together (BACK-02, A-35).
	Groups []Group `json:"groups,omitempty"`
}

// Group is VMs that move together, by name.
type Group struct {
	VMs []string `json:"vms"`
}

// with are the other VMs that come along with the one that an order names.
func (s Settings) with(o migration.Order) (others []string) {
	// Each cold migration is one of its own, and a message names one VM.
	if o.Alone || o.Type == migration.Cold || o.Origin == migration.FromMessage {
		return nil
	}
	for _, g := range s.Groups {
		if !slices.Contains(g.VMs, o.VM) {
			continue
		}
		for _, vm := range g.VMs {
			if vm != o.VM && !slices.Contains(others, vm) {
				others = append(others, vm)
			}
		}
	}
	return others
}

// interval is the flush interval of a cluster.
func (s Settings) interval(cluster string) time.Duration {
	return cmp.Or(s.FlushEvery[cluster], DefaultFlushEvery)
}

// check says what is wrong with settings; nil if nothing is.
func (s Settings) check() []migration.Reason {
	var against []migration.Reason
	refuse := func(what, fix string, args ...any) {
		against = append(against, migration.Reason{Code: "settings", What: fmt.Sprintf(what, args...), Fix: fix})
	}
	if len(s.FlushEvery) > MaxGroups {
		refuse("flush intervals of %d clusters, more than %d", "leave out those that have the default", len(s.FlushEvery), MaxGroups)
	}
	names, along := 0, map[string]int{}
	for _, cluster := range slices.Sorted(maps.Keys(s.FlushEvery)) {
		names += len(cluster)
		if d := s.FlushEvery[cluster]; d < MinFlushEvery || d > MaxFlushEvery {
			refuse("a flush every %v in cluster %q", fmt.Sprintf("choose from %v to %v", MinFlushEvery, MaxFlushEvery), d, cluster)
		}
	}
	if len(s.Groups) > MaxGroups {
		refuse("%d groups, more than %d", "join or remove groups", len(s.Groups), MaxGroups)
	}
	for i, g := range s.Groups {
		if len(g.VMs) < 2 || len(g.VMs) > MaxGroup {
			refuse("group %d has %d VMs", fmt.Sprintf("a group has from 2 to %d", MaxGroup), i+1, len(g.VMs))
		}
		if len(slices.Compact(slices.Sorted(slices.Values(g.VMs)))) < len(g.VMs) {
			refuse("group %d names a VM twice", "name each once", i+1)
		}
		for _, vm := range g.VMs {
			names += len(vm)
			along[vm] += len(g.VMs) - 1
			if vm == "" || len(vm) > migration.MaxName {
				refuse("group %d names %.20q", "use the names that vCenter shows", i+1, vm)
			}
		}
	}
	for _, vm := range slices.Sorted(maps.Keys(along)) {
		if along[vm] > MaxTogether {
			refuse("%d VMs would come along with %.20q, more than %d", "make its groups smaller", along[vm], vm, MaxTogether)
		}
	}
	if names > MaxNames {
		refuse("the names of clusters and VMs have %d bytes, more than %d", "leave out clusters that have the default, or remove groups", names, MaxNames)
	}
	return against
}

// set changes the settings, or refuses them as a whole.
func (p *step) set(s Settings) {
	if why := s.check(); len(why) > 0 {
		p.d.Answer = Answer{Outcome: Rejected, Reasons: why}
		return
	}
	p.d.Settings, p.d.Answer = &s, Answer{Outcome: Accepted}
}

// deploy lets the deployment decide.
func (p *step) deploy(ev deployment.Event) {
	if asked, ok := ev.(deployment.RemovalAsked); ok {
		asked.Bound = p.bound()
		for _, m := range p.fleet() {
			if m.Order.Type != migration.Cold {
				asked.Moving++
			}
		}
		ev = asked
	}
	if p.recovering().Phase == recovery.Resetting {
		p.d.Ignored = "HDM is being reset: what was deployed is removed"
		return
	}
	v := p.deployment.Decide(p.knobs, ev)
	switch {
	case len(v.Refused) > 0:
		p.d.Answer = Answer{Outcome: Rejected, Reasons: v.Refused}
	case v.Ignored != "":
		if _, restarted := ev.(deployment.Restarted); !restarted {
			p.d.Ignored = v.Ignored
		}
	default:
		p.d.Answer = Answer{Outcome: Accepted}
		p.d.Deploy, p.d.Deploying = &v.Deployment, v.Effect
		p.knobs = (&State{deployment: v.Deployment}).offered(p.knobs)
		if v.Deployment.Phase == deployment.None { // nobody is waited for any more
			p.forgetBeats()
		}
	}
}
