package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/strictyaml"
	"github.com/hdm-project/hdm/sim/site"
)

// Expectation is one line of expect: what must be so when the run has ended. It
// is one of the types below; the key that only one of them has tells which.
type Expectation struct{ Promise }

// Promise is what an Expectation holds.
type Promise interface {
	// Subject is whom it speaks of: a VM, a request, or the run.
	Subject() string
	check(c *checker)
}

// promises are the kinds of Promise by the key that tells them apart. Two keys
// may mean the same kind.
var promises = map[string]func() Promise{
	"migration":   func() Promise { return &Ends{} },
	"runs":        func() Promise { return &Runs{} },
	"on-premises": func() Promise { return &Stands{} },
	"cloud":       func() Promise { return &Stands{} },
	"attempts":    func() Promise { return &Attempts{} },
	"tasks":       func() Promise { return &Tasks{} },
	"migrations":  func() Promise { return &Migrations{} },
	"answer":      func() Promise { return &Answer{} },
	"at-once":     func() Promise { return &AtOnce{} },
	"ended":       func() Promise { return &Ended{} },
	"never":       func() Promise { return &Never{} },
	"undone":      func() Promise { return &Undone{} },
	"carried":     func() Promise { return &Carried{} },

	"deployment":     func() Promise { return &Deployed{} },
	"flushes":        func() Promise { return &Flushes{} },
	"bound":          func() Promise { return &Bound{} },
	"quota":          func() Promise { return &CacheQuota{} },
	"snapshot-image": func() Promise { return &SnapshotImage{} },
	"steps":          func() Promise { return &InOrder{} },
	"time-to-cloud":  func() Promise { return &TimeToCloud{} },

	"health":      func() Promise { return &Health{} },
	"recovery":    func() Promise { return &Recovered{} },
	"notes":       func() Promise { return &Notes{} },
	"posted":      func() Promise { return &Posted{} },
	"lost":        func() Promise { return &Lost{} },
	"reset-steps": func() Promise { return &ResetWaited{} },

	"responses":    func() Promise { return &Responded{} },
	"heartbeat":    func() Promise { return &Beats{} },
	"errors":       func() Promise { return &Errors{} },
	"dead-letters": func() Promise { return &DeadLetters{} },
	"bus-needed":   func() Promise { return &SetUp{} },
}

// Ends: how the last migration of a VM ended, or that it waits.
type Ends struct {
	VM string `yaml:"vm"`
	// Type of the migration that is meant; left out: any.
	Type      migration.Type  `yaml:"type,omitempty" jsonschema:"enum=cold,enum=warm,enum=tbc,enum=back"`
	Migration migration.State `yaml:"migration" jsonschema:"enum=completed,enum=refused,enum=failed,enum=cancelled,enum=waiting"`
	// Reason is the code of one of the reasons that it gave.
	Reason string `yaml:"reason,omitempty"`
	// Left are the steps that it lists as not put back, those and no others; left
	// out, they may be any.
	Left []migration.StepName `yaml:"left,omitempty"`
	// Within is how long after the order it had ended.
	Within Duration `yaml:"within,omitempty" nonzero:"give a duration, or leave the key out"`
}

// Runs: where the guest of a VM runs, as the world knows it.
type Runs struct {
	VM   string `yaml:"vm"`
	Runs string `yaml:"runs" jsonschema:"enum=cloud,enum=on-premises,enum=nowhere"`
	// What the VM that it runs on is connected to and where it lies.
	Network   string   `yaml:"network,omitempty"`  // of its first adapter
	Networks  []string `yaml:"networks,omitempty"` // of all adapters, in order
	Adapter   string   `yaml:"adapter,omitempty"`  // type of all adapters
	Pool      string   `yaml:"pool,omitempty"`
	Datastore string   `yaml:"datastore,omitempty"` // of all disks
	// Restarted is how often its guest has started again at the same site.
	Restarted *int `yaml:"restarted,omitempty"`
}

// Stands: what the vCenters have of a VM.
type Stands struct {
	VM         string    `yaml:"vm"`
	OnPremises *Standing `yaml:"on-premises,omitempty"`
	Cloud      *Standing `yaml:"cloud,omitempty"`
}

// Standing is a VM in one vCenter. What is left out may be anything.
type Standing struct {
	Present *bool      `yaml:"present,omitempty"`
	Power   site.Power `yaml:"power,omitempty" jsonschema:"enum=on,enum=off"`
	Pool    string     `yaml:"pool,omitempty"` // name; Resources is the root pool
	// Snapshot is the name of one that it has.
	Snapshot string `yaml:"snapshot,omitempty"`
	// Snapshots is how many it has.
	Snapshots *int `yaml:"snapshots,omitempty"`
	// Policy is the name of the storage policy that every disk of it has.
	Policy string `yaml:"policy,omitempty"`
}

// Attempts: how often steps of the last migration of a VM were begun.
type Attempts struct {
	VM       string         `yaml:"vm"`
	Attempts map[string]int `yaml:"attempts"`
}

// Tasks: how the vCenter tasks that show the last migration of a VM ended. Their
// progress must never have fallen.
type Tasks struct {
	VM    string                         `yaml:"vm"`
	Tasks map[TaskName]vsphere.TaskState `yaml:"tasks"`
	// Progress says what their progress did meanwhile. Rising: somebody who looked
	// every ten seconds saw each at several values between begin and end.
	Progress string `yaml:"progress,omitempty" jsonschema:"enum=rising"`
}

// TaskName names one of the tasks that show a migration.
type TaskName string

// The tasks that show a cold migration.
const (
	TaskMigration TaskName = "migration" // HDM's own, on premises
	TaskExport    TaskName = "export"    // of the VM, on premises
	TaskImport    TaskName = "import"    // of its copy, in the cloud
)

// Rising is what Tasks can say of progress.
const Rising = "rising"

// Steady is what Responded can say of progress besides.
const Steady = "steady"

// Migrations: how many there were for a request, or of a VM, those not counted
// that were refused because another one was under way.
type Migrations struct {
	VM         string `yaml:"vm,omitempty"`
	Request    string `yaml:"request,omitempty"`
	Migrations int    `yaml:"migrations"`
}

// Answer: what the last order of a request was answered with.
type Answer struct {
	Request string `yaml:"request"`
	Answer  string `yaml:"answer" jsonschema:"enum=accepted,enum=duplicate,enum=refused"`
	Reason  string `yaml:"reason,omitempty"` // code of one of the reasons
}

// AtOnce: the largest number of migrations that ever ran at the same time.
type AtOnce struct {
	AtOnce int `yaml:"at-once"`
}

// Ended: how many migrations ended in each state; a state left out means none.
type Ended struct {
	Ended map[migration.State]int `yaml:"ended"`
}

// Never: no migration ended in these states.
type Never struct {
	Never []migration.State `yaml:"never"`
}

// Undone: how many migrations began to be taken back, whatever came of it.
type Undone struct {
	Undone int `yaml:"undone"`
}

// Carried: how many bytes have crossed the WAN in a direction.
type Carried struct {
	Carried faults.Direction `yaml:"carried" jsonschema:"enum=to-cloud,enum=to-premises"`
	AtLeast site.Size        `yaml:"at-least,omitempty" nonzero:"give a size, or leave the key out"`
	AtMost  site.Size        `yaml:"at-most,omitempty" nonzero:"give a size, or leave the key out"`
}

// Subject implements Promise.
func (e *Ends) Subject() string     { return e.VM }
func (e *Runs) Subject() string     { return e.VM }
func (e *Stands) Subject() string   { return e.VM }
func (e *Attempts) Subject() string { return e.VM }
func (e *Tasks) Subject() string    { return e.VM }
func (e *Answer) Subject() string   { return e.Request }
func (e *AtOnce) Subject() string   { return "the run" }
func (e *Ended) Subject() string    { return "the run" }
func (e *Never) Subject() string    { return "the run" }
func (e *Undone) Subject() string   { return "the run" }
func (e *Carried) Subject() string  { return "the WAN" }
func (e *Migrations) Subject() string {
	if e.VM != "" {
		return e.VM
	}
	return e.Request
}

// DecodeStrict implements strictyaml.Custom.
func (e *Expectation) DecodeStrict(d *strictyaml.Decoder, node *yaml.Node, path string) {
	telling := slices.Sorted(maps.Keys(promises))
	if node.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(node.Content); i += 2 {
			if makeOne := promises[node.Content[i].Value]; makeOne != nil {
				e.Promise = makeOne()
				d.Into(node, path, e.Promise)
				return
			}
		}
	}
	d.Fail(node, path, "it does not say what is expected", "use one of the keys "+strings.Join(telling, ", "))
}

// MarshalYAML writes the promise.
func (e Expectation) MarshalYAML() (any, error) { return e.Promise, nil }

// String is the expectation as one line of YAML.
func (e Expectation) String() string { return line(e) }

// line is a part of a scenario as one line of YAML.
func line(v any) string {
	var node yaml.Node
	if err := node.Encode(v); err != nil {
		return fmt.Sprintf("%T that does not print: %v", v, err)
	}
	setFlow(&node)
	text, err := yaml.Marshal(&node)
	if err != nil {
		return fmt.Sprintf("%T that does not print: %v", v, err)
	}
	return strings.TrimSpace(string(text))
}
