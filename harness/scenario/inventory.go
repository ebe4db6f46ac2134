package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/sim/site"
)

// What FromInventory orders.
const (
	inventoryBatch = 50 // VMs of one step
	inventoryBegin = Duration(time.Minute)
	inventoryPause = Duration(10 * time.Second) // between steps
)

// WithCloud is a world with that site on premises and a cloud that takes all of
// it: a network for each of its networks, by the same name after "Cloud", and
// datastore space for every disk at its full capacity, twice.
func WithCloud(onPremises site.Site) site.Description {
	d := site.Description{Title: "An inventory and a cloud for it", OnPremises: onPremises}
	taken := map[string]bool{}
	for _, name := range onPremises.Networks {
		given := inventoryNetwork(name)
		if !taken[given] {
			taken[given] = true
			d.Cloud.Networks = append(d.Cloud.Networks, given)
		}
	}
	need := site.Size(0)
	for _, v := range onPremises.VMs {
		for _, disk := range v.Disks {
			need = min(need+2*disk.Capacity, site.MaxStore)
		}
	}
	d.Cloud.Datastores = []site.Datastore{{Name: "cloud-ds-01", Capacity: min(site.DefaultCapacity+need, site.MaxStore)}}
	return d
}

// inventoryNetwork is the cloud's network for one on premises. Names that would
// be too long are cut, and may then be one network for several.
func inventoryNetwork(name string) string {
	given := "Cloud " + name
	for len(given) > site.MaxName {
		_, size := utf8.DecodeLastRuneInString(given)
		given = given[:len(given)-size]
	}
	return given
}

// Served is a scenario of a world in which only those act who come from outside.
func Served(d site.Description) (*Scenario, error) {
	s := &Scenario{Title: "A world that is served", World: World{Description: d}, Steps: []Step{}, served: true}
	if err := s.Check(); err != nil {
		return nil, err
	}
	return s, nil
}

// FromInventory is the scenario that orders each VM of a site as a cold migration
// with its networks mapped, but HDM's own, to a cloud that takes all: every
// migration completes or is refused. Errors: the site has nothing to order, or
// cannot be built.
func FromInventory(onPremises site.Site) (*Scenario, error) {
	s := &Scenario{
		Title: "Every VM of an inventory is migrated cold",
		World: World{Description: WithCloud(onPremises)}, Limit: MaxLimit,
		Expect: []Expectation{{&Never{Never: []migration.State{migration.Failed, migration.Cancelled}}}},
	}
	// VMs on the same networks share steps, in the order of their first.
	groups := map[string][]site.VM{}
	var order []string
	for _, v := range onPremises.VMs {
		if strings.Contains(strings.ToLower(v.Name), "hdm") || v.Pool == migration.MigratePool {
			continue
		}
		key := strings.Join(networksOf(v), "\n")
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], v)
	}
	at := inventoryBegin
	for _, key := range order {
		for batch := range slices.Chunk(groups[key], inventoryBatch) {
			m := &Migrate{VMs: names(batch), Type: migration.Cold}
			for _, n := range networksOf(batch[0]) {
				if m.Target.Networks == nil {
					m.Target.Networks = map[string]string{}
				}
				m.Target.Networks[n] = inventoryNetwork(n)
			}
			s.Steps = append(s.Steps, Step{Trigger: faults.AtTime(at), Migrate: m})
			at += inventoryPause
		}
	}
	if len(s.Steps) == 0 {
		return nil, errors.New("the inventory has no VM to migrate: it has none at all, or only HDM's own")
	}
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("the inventory makes no scenario: %w", err)
	}
	return s, nil
}

// networksOf are the networks that a VM is on, each once, sorted.
func networksOf(v site.VM) []string {
	var list []string
	for _, n := range v.NICs {
		if n.Network != "" && !slices.Contains(list, n.Network) {
			list = append(list, n.Network)
		}
	}
	slices.Sort(list)
	return list
}
