// Package scenario is scenario files: what a world is, what is done in it, what
// goes wrong, and what is expected.
//
// It decides whether a file says something that can be run, and where it does
// not: every error has file, line, column and what to do. It never runs
// anything, that is harness/run, and never looks at a run.
//
// Read this file, cloud.go and recovery.go (what a scenario can say), then expect.go
// (what it can promise), parse.go and check.go (what is refused), format.go and schema.go
// (the way back to YAML, and the schema for editors).
package scenario

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/hdm-project/hdm/core/cache"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/strictyaml"
	"github.com/hdm-project/hdm/sim/site"
)

// Duration is virtual time, written with units.
type Duration = faults.Duration

// DefaultLimit is when a run ends at the latest, in virtual time.
const DefaultLimit = Duration(24 * time.Hour)

// Limits of a scenario.
const (
	MaxTitle  = 200 // bytes
	MaxFamily = 40  // bytes
	MaxSteps  = 10_000
	MaxExpect = 10_000
	MaxLimit  = Duration(366 * 24 * time.Hour)
)

// Scenario is one scripted run. The order of steps, faults and expectations of
// equal times is that of the file.
type Scenario struct {
	Title string `yaml:"title"`
	// Covers are the clauses that a run of it shows: "COLD-01", or "MIG-08/cold"
	// for a part of one.
	Covers []Cover `yaml:"covers,omitempty"`
	// Seed of everything that is left to chance; a flag can override it.
	Seed  uint64   `yaml:"seed,omitempty"`
	World World    `yaml:"world"`
	Bus   *Bus     `yaml:"bus,omitempty"`                     // left out: HDM has no message bus
	Limit Duration `yaml:"limit,omitempty" nonzero:"default"` // default DefaultLimit
	// Until is how long a run goes on at least, quiet or not: VMs that run on the
	// cloud cache are flushed for ever, which keeps no run from ending.
	Knobs  Knobs          `yaml:"knobs,omitempty"`
	Until  Duration       `yaml:"until,omitempty" nonzero:"leave the key out"`
	Steps  []Step         `yaml:"steps"`
	Faults []faults.Fault `yaml:"faults,omitempty"`
	// IdleFaults lets a fault never act, where chance drew it; else a fault that
	// did not act breaks the scenario's word.
	IdleFaults bool `yaml:"idle-faults,omitempty"`
	// IdleSteps lets a step never be taken, or come to nothing, in the same way.
	IdleSteps bool `yaml:"idle-steps,omitempty"`
	// Family names runs that differ in their flush interval only, and are compared.
	Family string        `yaml:"family,omitempty"`
	Expect []Expectation `yaml:"expect,omitempty"`

	file string     // where it was read from; "" if it was made
	root *yaml.Node // nil if it was made

	served bool // it needs no steps
}

// File is where the scenario was read from; "" if it was made.
func (s *Scenario) File() string { return s.file }

// Knobs are numbers of HDM's that an operator may change. What is left out is as
// documented.
type Knobs struct {
	// Cache replaces the rule of the mode for the size of VMs' cloud caches, so that
	// a small one can be filled.
	Cache    *CacheRule    `yaml:"cache,omitempty"`
	Recovery RecoveryKnobs `yaml:"recovery,omitempty"`
}

// CacheRule is how much cloud cache a VM gets: a share of its disks, and no less
// than the floor.
type CacheRule struct {
	Percent int       `yaml:"percent"`
	Floor   site.Size `yaml:"floor"`
}

// MinFloor is the least floor of a CacheRule.
const MinFloor = 1 * site.MB

// Of is the default, with what the scenario changes.
func (k Knobs) Of(def migration.Knobs) migration.Knobs {
	def.Salvage = def.Salvage || k.Recovery.Salvage
	if k.Cache != nil {
		def.Cache = cache.Rule{Percent: k.Cache.Percent, Floor: int64(k.Cache.Floor)}
	}
	return def
}

// End is the virtual time at which a run of it ends at the latest.
func (s *Scenario) End() Duration {
	if s.Limit == 0 {
		return DefaultLimit
	}
	return s.Limit
}

// Cover names a clause, or a part of one.
type Cover string

// Clause is the clause's id.
func (c Cover) Clause() string {
	id, _, _ := strings.Cut(string(c), "/")
	return id
}

// Part is the part's id, or "" if the whole clause is meant.
func (c Cover) Part() string {
	_, part, _ := strings.Cut(string(c), "/")
	return part
}

// World is written as the name of a world that comes with the program
// ("small"), or as a description.
type World struct {
	Name string
	// Description of the world. With a name, it is that of the named world.
	Description site.Description
}

// DecodeStrict implements strictyaml.Custom.
func (w *World) DecodeStrict(d *strictyaml.Decoder, node *yaml.Node, path string) {
	if node.Kind == yaml.ScalarNode {
		d.Into(node, path, &w.Name)
		return
	}
	d.Into(node, path, &w.Description)
}

// MarshalYAML writes the name, or else the description.
func (w World) MarshalYAML() (any, error) {
	if w.Name != "" {
		return w.Name, nil
	}
	return w.Description, nil
}

// Step is something that somebody does, once: a trigger and exactly one action.
type Step struct {
	faults.Trigger `yaml:",inline"`

	Migrate *Migrate `yaml:"migrate,omitempty"`
	Cancel  *Cancel  `yaml:"cancel,omitempty"`
	Power   *Power   `yaml:"power,omitempty"`

	Message   *Message   `yaml:"message,omitempty"`
	Inventory *Inventory `yaml:"inventory,omitempty"`
	BulkDone  *BulkDone  `yaml:"bulk-done,omitempty"`
	Queue     *QueueStep `yaml:"queue,omitempty"`
	Views     *Views     `yaml:"views,omitempty"`

	Deploy        *Deploy      `yaml:"deploy,omitempty"`
	Undeploy      *Undeploy    `yaml:"undeploy,omitempty"`
	MigrateBack   *MigrateBack `yaml:"migrate-back,omitempty"`
	StartTransfer *Word        `yaml:"start-transfer,omitempty"`
	ConfigureSync *Word        `yaml:"configure-sync,omitempty"`
	Commit        *Word        `yaml:"commit,omitempty"`
	Ship          *Ship        `yaml:"ship,omitempty"`
	Settings      *Settings    `yaml:"settings,omitempty"`
	Revert        *Revert      `yaml:"revert,omitempty"`

	Reset            *Reset            `yaml:"reset,omitempty"`
	RestartFilters   *RestartFilters   `yaml:"restart-filters,omitempty"`
	RestartAppliance *RestartAppliance `yaml:"restart-appliance,omitempty"`
	RecoverByHand    *RecoverByHand    `yaml:"recover,omitempty"`
	DeleteLeftover   *DeleteLeftover   `yaml:"delete-leftover,omitempty"`
}

// actions are the keys of what a step can do, each with whether this one does it.
func (s *Step) actions() (keys []string, does []bool) {
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		if field := v.Type().Field(i); field.Type.Kind() == reflect.Pointer { // the trigger is none
			key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
			keys, does = append(keys, key), append(does, !v.Field(i).IsNil())
		}
	}
	return keys, does
}

// Migrate orders a migration.
type Migrate struct {
	VM  string   `yaml:"vm,omitempty"`                      // name on premises
	VMs []string `yaml:"vms,omitempty" nonzero:"name a VM"` // instead: one order for each, in this order
	// Type of migration.
	Type migration.Type `yaml:"type"`
	// Request is the user's own name for the order: given twice, it migrates once.
	Request string `yaml:"request,omitempty"`
	Target  Target `yaml:"target,omitempty"`
	// By is how the order is given: from vCenter, which is the default, or as a
	// message on the bus, by the client library.
	By string `yaml:"by,omitempty" jsonschema:"enum=vcenter,enum=message"`
	// Transfer is how the data of a warm migration goes to the cloud: over the WAN,
	// which is the default, or by other means.
	Transfer string `yaml:"transfer,omitempty" jsonschema:"enum=online,enum=offline"`
	// Alone: the VMs that it depends on stay where they are.
	Alone bool `yaml:"alone,omitempty"`
}

// Target is where in the cloud it goes. What is left out, HDM chooses.
type Target struct {
	Pool      string            `yaml:"pool,omitempty"`
	Datastore string            `yaml:"datastore,omitempty"`
	Networks  map[string]string `yaml:"networks,omitempty"` // on premises: in the cloud
	Adapter   string            `yaml:"adapter,omitempty"`  // NIC type of every adapter
}

// Names are the VMs that are ordered, in order.
func (m *Migrate) Names() []string {
	if m.VM != "" {
		return append([]string{m.VM}, m.VMs...)
	}
	return m.VMs
}

// Orders are what the appliance is given, in order.
func (m *Migrate) Orders() []migration.Order {
	target := migration.Target{Pool: m.Target.Pool, Datastore: m.Target.Datastore, Adapter: m.Target.Adapter}
	for _, from := range slices.Sorted(maps.Keys(m.Target.Networks)) {
		target.Networks = append(target.Networks, migration.Mapping{From: from, To: m.Target.Networks[from]})
	}
	var orders []migration.Order
	for _, vm := range m.Names() {
		o := migration.Order{Request: m.Request, VM: vm, Type: m.Type, Target: target, Offline: m.Transfer == transferOffline, Alone: m.Alone}
		if m.ByMessage() {
			o.Origin = migration.FromMessage
		}
		orders = append(orders, o)
	}
	return orders
}

// Cancel asks HDM to cancel the running or queued migration of a VM.
type Cancel struct {
	VM string `yaml:"vm"`
	// Refused: there is nothing to cancel any more, and HDM says so.
	Refused bool `yaml:"refused,omitempty"`
}

// Power is a person who powers a VM on or off by hand, past HDM.
type Power struct {
	Site  vsphere.Site `yaml:"site" jsonschema:"enum=on-premises,enum=cloud"`
	VM    string       `yaml:"vm"`
	State site.Power   `yaml:"state" jsonschema:"enum=on,enum=off"`
	// Refused: the vCenter does not let it happen, at once or when it is tried.
	Refused bool `yaml:"refused,omitempty"`
}

// String is the step as one line of YAML.
func (s Step) String() string { return line(s) }

// MayBeRefused says whether the step is there to be refused.
func (s Step) MayBeRefused() bool {
	r := s.refusal()
	return s.Cancel != nil && s.Cancel.Refused || s.Power != nil && s.Power.Refused || s.Revert != nil && s.Revert.Refused || r != nil && r.Refused
}

// Migrations are the VMs that steps migrate, and as which types.
func (s *Scenario) Migrations() map[string][]migration.Type {
	all := map[string][]migration.Type{}
	for _, step := range s.Steps {
		order := step.Order()
		if order == nil {
			continue
		}
		for _, vm := range s.brings(order) {
			if !slices.Contains(all[vm], order.Type) {
				all[vm] = append(all[vm], order.Type)
			}
		}
	}
	return all
}
