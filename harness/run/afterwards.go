package run

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/site"
)

// recovering says whether HDM is at work on a failure: not while it waits for a
// person, or for what only a person can mend.
func (st *stage) recovering() bool {
	switch st.teller.recovery.Phase {
	case recovery.Probing, recovery.Repairing, recovery.Returning:
		return !st.stuck()
	}
	return false
}

// stuck says whether nothing goes on before a person resets HDM.
func (st *stage) stuck() bool {
	r := &st.teller.recovery
	return r.Phase == recovery.Unrecoverable || r.Phase != recovery.Healthy && r.Offered != "" && st.everlasting()
}

// everlasting says whether a fault acts that never ends, and that HDM cannot
// repair.
func (st *stage) everlasting() bool {
	for i, f := range st.scenario.Faults {
		lasting, ok := f.Kind().(faults.Lasting)
		if ok && st.acting.acted[i] && lasting.Lasts() == faults.Ever && !strings.HasPrefix(f.Kind().Name(), "component-") {
			return true
		}
	}
	return false
}

// afterwards is how long a person waits at most for what is tried afterwards.
const afterwards = 4 * time.Hour

// tryAfterwards orders migrations of a VM that nobody has migrated, once a run is
// judged in which something was recovered: they have to work (REC-11). Where HDM
// has said that a reset is needed, a person first does that, and deploys HDM anew
// (REC-08).
func (st *stage) tryAfterwards(stop <-chan struct{}) (interrupted bool) {
	if st.teller.recovery.Number == 0 || st.unover || st.kernel.Err() != nil || st.everlasting() || st.app == nil {
		return false
	}
	again := *st.scenario
	again.Steps = slices.Clone(again.Steps)
	st.scenario = &again
	t := &trying{st: st, stop: stop}
	clause := "REC-11"
	if st.teller.recovery.Phase == recovery.Unrecoverable {
		clause = "REC-08"
		t.reset()
	}
	if st.teller.recovery.Phase != recovery.Healthy && !t.failed {
		return t.interrupted // it waits for a person in some other way
	}
	if vm, ok := st.spare(); ok && !t.failed && !t.interrupted {
		t.migrate(vm)
	}
	if t.tested && !t.failed && !t.interrupted {
		st.tried = append(st.tried, clause)
	}
	return t.interrupted
}

// spare is a VM on premises that was never migrated.
func (st *stage) spare() (string, bool) {
	for _, v := range st.before {
		_, migrated := st.last(v.Name)
		if v.Site == vsphere.OnPremises && v.Connected && !migrated && !v.Component && len(v.Disks) > 0 && v.On {
			return v.Name, true
		}
	}
	return "", false
}

// trying is a person who tries whether HDM works.
type trying struct {
	st          *stage
	stop        <-chan struct{}
	interrupted bool
	failed      bool
	tested      bool
}

// does takes a step, and waits until something holds.
func (t *trying) does(s scenario.Step, what string, holds func() bool) {
	if t.failed || t.interrupted {
		return
	}
	st := t.st
	st.scenario.Steps = append(st.scenario.Steps, s)
	st.outcomes = append(st.outcomes, nil)
	st.take(len(st.scenario.Steps) - 1)
	t.waits(what, holds)
}

func (t *trying) waits(what string, holds func() bool) {
	st := t.st
	for end := st.kernel.Now() + afterwards; !holds(); {
		if st.kernel.Now() >= end {
			t.broken("%s has not come to its end after %v", what, afterwards)
			return
		}
		if st.driver.Run(st.kernel.Now()+look, t.stop) != nil {
			t.interrupted = st.kernel.Err() == nil
			t.failed = !t.interrupted
			return
		}
	}
}

func (t *trying) broken(format string, args ...any) {
	t.failed = true
	t.st.violations = append(t.st.violations, record.Violation{
		Oracle: "liveness", Clauses: []string{"REC-11"}, At: t.st.kernel.Now(), Subject: "after the recovery", What: fmt.Sprintf(format, args...),
	})
}

// reset is what a person does that HDM asks for (RST-02).
func (t *trying) reset() {
	st := t.st
	at := func(step recovery.ResetStep) func() bool {
		return func() bool {
			return st.teller.recovery.Reset.Step == step || st.teller.recovery.Phase == recovery.Healthy
		}
	}
	var mode string
	for _, s := range st.scenario.Steps {
		if s.Deploy != nil {
			mode = cmp.Or(mode, s.Deploy.Mode)
		}
	}
	t.does(scenario.Step{Reset: &scenario.Reset{}}, "a reset", func() bool { return st.teller.recovery.Phase == recovery.Resetting })
	for _, v := range vms(st.world) {
		name, compute := strings.CutSuffix(v.Name, migration.ComputeName(""))
		m, migrated := st.last(name)
		if v.On && migrated && m.Order.Type != migration.Cold && (compute || v.Site == vsphere.OnPremises) {
			t.does(scenario.Step{Power: &scenario.Power{Site: v.Site, VM: v.Name, State: site.Off}}, "powering off "+v.Name, func() bool { return st.busy == 0 })
		}
	}
	t.waits("the reset's wait for VMs that are on", func() bool { return st.teller.recovery.Reset.Step != recovery.ResetVMsOff })
	t.does(scenario.Step{RestartFilters: &scenario.RestartFilters{}}, "the reset's wait for the IO filters", at(recovery.ResetAppliance))
	t.does(scenario.Step{RestartAppliance: &scenario.RestartAppliance{}}, "the reset", func() bool { return st.app != nil && st.teller.recovery.Phase == recovery.Healthy })
	if mode != "" {
		t.does(scenario.Step{Deploy: &scenario.Deploy{Mode: mode}}, "the deployment after the reset", st.deployed)
	}
}

func (st *stage) deployed() bool { return phaseOf(st.teller.deployment) == faults.Deployed }

// migrate tries a VM there and back, if HDM is deployed, and then migrates it cold.
func (t *trying) migrate(vm string) {
	st := t.st
	var target scenario.Target
	for _, s := range st.scenario.Steps {
		if s.Migrate != nil {
			target = s.Migrate.Target
			break
		}
	}
	ends := func(of migration.Type) func() bool {
		return func() bool {
			m, ok := st.lastOf(vm, of)
			return ok && m.State.Final()
		}
	}
	works := func(of migration.Type, s scenario.Step) bool {
		t.does(s, fmt.Sprintf("a %s migration of %s", of, vm), ends(of))
		m, _ := st.lastOf(vm, of)
		if t.failed || t.interrupted || m.State == migration.Refused && of != migration.Back {
			return false // what HDM does not take is no sign of a failure: a VM may not fit
		}
		if m.State != migration.Completed {
			t.broken("a %s migration of %s is %s%s", of, vm, m.State, reasons(m))
		}
		t.tested = t.tested || m.State == migration.Completed
		return m.State == migration.Completed
	}
	if st.deployed() && works(migration.TBC, scenario.Step{Migrate: &scenario.Migrate{VM: vm, Type: migration.TBC, Target: target, Request: "afterwards-1"}}) {
		works(migration.Back, scenario.Step{MigrateBack: &scenario.MigrateBack{VM: vm, Request: "afterwards-2"}})
	}
	works(migration.Cold, scenario.Step{Migrate: &scenario.Migrate{VM: vm, Type: migration.Cold, Target: target, Request: "afterwards-3"}})
}
