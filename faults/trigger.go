package faults

import (
	"fmt"
	"slices"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
)

// Trigger says when something begins: at a time, or when something happens in
// the run. Exactly one of the two. It holds once.
type Trigger struct {
	// At is virtual time since the start of the run.
	At *Duration `yaml:"at,omitempty"`
	// When names a phase, so that a script survives a change of timing.
	When *When `yaml:"when,omitempty"`
	// Chance is how likely it then begins, above 0 and below 1, as the seed has it;
	// 0: it does. What chance left out breaks no word of a scenario.
	Chance float64 `yaml:"chance,omitempty" nonzero:"leave it out: then it is certain"`
}

// When holds as soon as a migration of VM enters a step of its type, or a state;
// as soon as the deployment, a recovery or a reset gets somewhere; or at an event
// of a flush. It says exactly one of those.
type When struct {
	VM string `yaml:"vm,omitempty"`
	// Type of the migration that is meant; "": any of the VM's.
	Type migration.Type `yaml:"type,omitempty"`
	// Enters is a step ("bulk-transfer": begun while running), or a state
	// ("queued", "undoing", "waiting").
	Enters string `yaml:"enters,omitempty"`
	// Deployment is a phase that HDM's component VMs are in as a whole.
	Deployment string `yaml:"deployment,omitempty" jsonschema:"enum=deploying,enum=deployed,enum=undeploying,enum=undeployed"`
	// Recovery is a phase of what HDM does about failures.
	Recovery string `yaml:"recovery,omitempty" jsonschema:"enum=probing,enum=repairing,enum=returning,enum=unrecoverable,enum=resetting,enum=healthy"`
	// Reset is a step that a reset gets to: the first ones wait for a person.
	Reset recovery.ResetStep `yaml:"reset,omitempty" jsonschema:"enum=vms-off,enum=filters-restarted,enum=appliance-restarted,enum=clean-cloud,enum=clean-premises,enum=done"`
	// Flush is what happens to a flush of VM, on premises, from its cloud cache.
	Flush string `yaml:"flush,omitempty" jsonschema:"enum=cut,enum=applied"`
	// Attempt is the number of the attempt at that step, from 1; 0 means 1.
	Attempt int `yaml:"attempt,omitempty" nonzero:"count from 1"`
	// Occurrence is which time is meant that it gets there, from 1; 0 means 1. Of a
	// step that is the attempt.
	Occurrence int `yaml:"nth,omitempty" nonzero:"count from 1"`
	// After is how long after that it begins.
	After Duration `yaml:"after,omitempty"`
}

// AtTime is the trigger of a virtual time.
func AtTime(d Duration) Trigger { return Trigger{At: &d} }

// Nth is the attempt, or the time, that is meant.
func (w *When) Nth() int { return max(w.Attempt, w.Occurrence, 1) }

// States are the states that a migration can enter, as When names them.
func States() []string {
	var names []string
	for _, s := range []migration.State{
		migration.Checking, migration.Queued, migration.Running, migration.Waiting, migration.Undoing,
		migration.Completed, migration.Refused, migration.Failed, migration.Cancelled,
	} {
		names = append(names, string(s))
	}
	return names
}

// Steps are the steps of a type of migration, in order; nil if there is no such
// type.
func Steps(t migration.Type) []string {
	var names []string
	for _, row := range migration.Tables[t] {
		names = append(names, string(row.Step))
	}
	return names
}

// Check says what is wrong with the trigger in a run described by c.
func (t Trigger) Check(c Context) []Problem {
	k := &checker{Context: c}
	t.check(k)
	return k.problems
}

func (t Trigger) check(c *checker) {
	if !(t.Chance >= 0 && t.Chance < 1) {
		c.fail("chance", "use a number above 0 and below 1, or leave it out", "%v is no chance", t.Chance)
	}
	switch {
	case t.At != nil && t.When != nil:
		c.fail("when", "keep one of the two", "there is a time and a phase")
	case t.At != nil:
		c.atLeast("at", *t.At, 0)
		if c.End > 0 && *t.At >= c.End {
			c.fail("at", "choose an earlier time, or raise the scenario's limit", "%v is not before the end of the run at %v: it would never act", *t.At, c.End)
		}
	case t.When != nil:
		t.When.check(c.below("when"))
	default:
		c.fail("", "add at: 10s, or when: {vm: ..., enters: ...}", "there is no trigger")
	}
}

// MaxAttempt bounds the attempt that a trigger can wait for.
const MaxAttempt = 100

func (w *When) check(c *checker) {
	defer c.up()
	c.atLeast("after", w.After, 0)
	if c.End > 0 && w.After >= c.End {
		c.fail("after", "choose less, or raise the scenario's limit", "%v is not before the end of the run at %v: it would never act", w.After, c.End)
	}
	for _, n := range []struct {
		key string
		is  int
	}{{"attempt", w.Attempt}, {"nth", w.Occurrence}} {
		if n.is < 0 || n.is > MaxAttempt {
			c.fail(n.key, fmt.Sprintf("use 1 to %d", MaxAttempt), "%d is no number of an attempt", n.is)
		}
	}
	if w.Attempt > 0 && w.Occurrence > 0 {
		c.fail("nth", "keep one of the two", "there is an attempt and a number")
	}
	switch {
	case w.Recovery != "" || w.Reset != "":
		w.checkRecovery(c)
	case w.Flush != "":
		w.checkFlush(c)
	case w.Deployment != "" || w.VM == "":
		w.checkDeployment(c)
	default:
		w.checkMigration(c)
	}
}

func (w *When) checkMigration(c *checker) {
	types, migrated := c.Migrations[w.VM]
	if !migrated {
		c.fail("vm", "name a VM that a step migrates, or add that step", "no step migrates %q: it would never act", w.VM)
		return
	}
	if c.Deploys && (slices.Contains(types, migration.TBC) || slices.Contains(types, migration.Warm)) {
		types = append(slices.Clone(types), migration.Recover) // HDM orders that one itself
	}
	if w.Type != "" {
		if !slices.Contains(types, w.Type) {
			c.fail("type", "use "+list(types)+", or leave it out", "no step migrates %q as %q: it would never act", w.VM, w.Type)
			return
		}
		types = []migration.Type{w.Type}
	}
	var known []string
	for _, t := range types {
		known = append(known, Steps(t)...)
	}
	if w.Enters == "" {
		c.fail("enters", "name a step or a state", "it does not say what the migration enters")
		return
	}
	if !slices.Contains(known, w.Enters) && !slices.Contains(States(), w.Enters) {
		c.fail("enters", "use "+list(known)+", or a state: "+list(States()), "a %s migration has no step or state %q: it would never act", list(types), w.Enters)
	}
}

// Phases of a deployment, as When names them.
const (
	Deploying   = "deploying"
	Deployed    = "deployed"
	Undeploying = "undeploying"
	Undeployed  = "undeployed" // after it was removed
)

func (w *When) checkDeployment(c *checker) {
	phases := []string{Deploying, Deployed, Undeploying, Undeployed}
	switch {
	case w.Deployment == "":
		c.fail("", "add vm: and enters:, deployment:, recovery:, reset:, or vm: and flush:", "it does not say what it waits for")
	case w.VM != "" || w.Enters != "" || w.Type != "":
		c.fail("deployment", "keep one of the two", "there is a migration and a deployment")
	case !slices.Contains(phases, w.Deployment):
		c.fail("deployment", "use "+list(phases), "a deployment is never %q", w.Deployment)
	case !c.Deploys:
		c.fail("deployment", "add a step that deploys HDM", "no step deploys HDM: it would never act")
	}
}

// Phases of a recovery, as When names them: Healthy is the end of one.
const Healthy = "healthy"

// Recoveries are the phases of a recovery, as When names them, in order.
func Recoveries() []string {
	phases := []string{Healthy}
	for _, p := range []recovery.Phase{recovery.Probing, recovery.Repairing, recovery.Returning, recovery.Unrecoverable, recovery.Resetting} {
		phases = append(phases, string(p))
	}
	return phases
}

// ResetSteps are the steps of a reset, in order.
func ResetSteps() []recovery.ResetStep {
	return []recovery.ResetStep{
		recovery.ResetVMsOff, recovery.ResetFilters, recovery.ResetAppliance, recovery.ResetCleanCloud, recovery.ResetCleanPrem, recovery.ResetDone,
	}
}

func (w *When) checkRecovery(c *checker) {
	switch {
	case w.Recovery != "" && w.Reset != "", w.VM != "" || w.Enters != "" || w.Type != "" || w.Deployment != "" || w.Flush != "":
		c.fail("recovery", "keep one of them", "there is a recovery, and something else")
	case w.Recovery != "" && !slices.Contains(Recoveries(), w.Recovery):
		c.fail("recovery", "use "+list(Recoveries()), "a recovery is never %q", w.Recovery)
	case w.Reset != "" && !slices.Contains(ResetSteps(), w.Reset):
		c.fail("reset", "use "+list(ResetSteps()), "a reset has no step %q", w.Reset)
	case w.Recovery != "" && !c.Deploys:
		c.fail("recovery", "add a step that deploys HDM", "no step deploys HDM, and nothing is recovered: it would never act")
	}
}

// What can happen to a flush, as When names it.
const (
	FlushCut     = "cut"     // its instant has come
	FlushApplied = "applied" // the premises hold it
)

func (w *When) checkFlush(c *checker) {
	switch {
	case w.Enters != "" || w.Type != "" || w.Deployment != "":
		c.fail("flush", "keep one of them", "there is a flush, and something else")
	case w.Flush != FlushCut && w.Flush != FlushApplied:
		c.fail("flush", "use cut or applied", "no flush is %q", w.Flush)
	default:
		c.onCache("vm", w.VM)
	}
}
