package run

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/wan"
)

// judge holds the world at the end against the oracles and the scenario.
func (st *stage) judge() {
	if st.unover {
		return
	}
	truth := st.truth(0)
	for _, o := range st.oracles {
		st.violations = append(st.violations, o.Finish(truth)...)
	}
	for _, m := range st.meddled {
		st.explain(m)
	}
	for i, f := range st.scenario.Faults {
		if !st.acting.acted[i] && !st.acting.spared[i] && !st.scenario.IdleFaults {
			why := ""
			if err := st.acting.refused[i]; err != nil {
				why = ": " + err.Error()
			}
			st.violate("expect", fmt.Sprintf("fault %d", i+1), "it never acted: %s%s", f, why)
		}
	}
	st.judgeSteps()
	st.countGuests()
	st.judgeCovers()
	for _, e := range st.scenario.Expect {
		st.expect(e.Promise)
	}
}

// expect holds one promise of the scenario against the world.
func (st *stage) expect(p scenario.Promise) {
	broken := func(format string, args ...any) { st.violate("expect", p.Subject(), format, args...) }
	switch p := p.(type) {
	case *scenario.Ends:
		st.expectEnds(p, broken)
	case *scenario.Runs:
		st.expectRuns(p, broken)
	case *scenario.Stands:
		for _, at := range []struct {
			site vsphere.Site
			want *scenario.Standing
		}{{vsphere.OnPremises, p.OnPremises}, {vsphere.Cloud, p.Cloud}} {
			if at.want != nil {
				st.expectStands(p.VM, at.site, *at.want, broken)
			}
		}
	case *scenario.Attempts:
		st.expectAttempts(p, broken)
	case *scenario.Tasks:
		st.expectTasks(p, broken)
	case *scenario.Migrations:
		st.expectMigrations(p, broken)
	case *scenario.Answer:
		st.expectAnswer(p, broken)
	case *scenario.AtOnce:
		if st.teller.atOnce != p.AtOnce {
			broken("at most %d migrations ran at once, not %d", st.teller.atOnce, p.AtOnce)
		}
	case *scenario.Ended:
		st.expectEnded(p, broken)
	case *scenario.Never:
		for _, m := range st.teller.all() {
			if slices.Contains(p.Never, m.State) {
				broken("the migration %s of %s ended %s", m.ID, m.Order.VM, m.State)
			}
		}
	case *scenario.Undone:
		if n := st.teller.entered(migration.Undoing); n != p.Undone {
			broken("%d migrations began to be taken back, not %d", n, p.Undone)
		}
	case *scenario.Carried:
		st.expectCarried(p, broken)
	default:
		if !st.expectBus(p, broken) && !st.expectCloud(p, broken) && !st.expectRecovery(p, broken) {
			panic("run: no way to judge an expectation")
		}
	}
}

type breach func(format string, args ...any)

func (st *stage) expectEnds(p *scenario.Ends, broken breach) {
	m, ok := st.lastOf(p.VM, p.Type)
	if !ok {
		broken("it was never migrated")
		return
	}
	if m.State != p.Migration {
		broken("its migration %s is %s, not %s%s", m.ID, m.State, p.Migration, reasons(m))
	}
	if p.Reason != "" && !slices.ContainsFunc(m.Reasons, func(r migration.Reason) bool { return r.Code == p.Reason }) {
		broken("its migration %s gives no reason %q%s", m.ID, p.Reason, reasons(m))
	}
	if left := stepsLeft(m); p.Left != nil && !slices.Equal(left, slices.Sorted(slices.Values(p.Left))) {
		broken("its migration %s lists steps %v as not put back, not %v", m.ID, left, p.Left)
	}
	if took := m.Ended.Sub(m.Ordered); p.Within > 0 && took > time.Duration(p.Within) {
		broken("its migration %s took %v, more than %v", m.ID, took, p.Within)
	}
}

// stepsLeft are the steps that a migration lists as not put back, sorted.
func stepsLeft(m migration.Migration) (left []migration.StepName) {
	for _, l := range m.Leftovers {
		left = append(left, l.Step)
	}
	slices.Sort(left)
	return left
}

func reasons(m migration.Migration) string {
	var all []string
	for _, r := range m.Reasons {
		all = append(all, r.Code+": "+r.What)
	}
	if len(all) == 0 {
		return ""
	}
	return " (" + strings.Join(all, "; ") + ")"
}

func (st *stage) expectRuns(p *scenario.Runs, broken breach) {
	where := st.runsAt(p.VM)
	if strings.Join(where, " and ") != p.Runs && (len(where) > 0 || p.Runs != "nowhere") {
		broken("its guest runs %s, not %s", places(where), p.Runs)
		return
	}
	if p.Restarted != nil {
		if n := st.restarts(p.VM); n != *p.Restarted {
			broken("its guest was started again %d times at the same site, not %d", n, *p.Restarted)
		}
	}
	if p.Runs == "nowhere" {
		return
	}
	vm, ok := st.vmOf(p.VM, vsphere.Site(p.Runs))
	if !ok {
		broken("no VM at %s runs its guest", p.Runs)
		return
	}
	var networks []string
	for _, n := range vm.NICs {
		networks = append(networks, n.Network)
		if p.Adapter != "" && n.Type != p.Adapter {
			broken("an adapter of its VM at %s is a %s, not a %s", p.Runs, n.Type, p.Adapter)
		}
	}
	if p.Network != "" && (len(networks) == 0 || networks[0] != p.Network) {
		broken("its VM at %s is on networks %v, not first on %s", p.Runs, networks, p.Network)
	}
	if p.Networks != nil && !slices.Equal(networks, p.Networks) {
		broken("its VM at %s is on networks %v, not %v", p.Runs, networks, p.Networks)
	}
	if p.Pool != "" && poolName(vm.Pool) != p.Pool {
		broken("its VM at %s is in pool %s, not %s", p.Runs, poolName(vm.Pool), p.Pool)
	}
	for _, d := range vm.Disks {
		if p.Datastore != "" && d.Datastore != p.Datastore {
			broken("a disk of its VM at %s is on datastore %s, not %s", p.Runs, d.Datastore, p.Datastore)
		}
	}
}

func places(where []string) string {
	if len(where) == 0 {
		return "nowhere"
	}
	return strings.Join(where, " and ")
}

func (st *stage) expectStands(name string, at vsphere.Site, want scenario.Standing, broken breach) {
	vm, present := st.world.At(at).VCenter.VM(name)
	if want.Present != nil && *want.Present != present {
		if present {
			broken("there is a VM of that name at %s", at)
		} else {
			broken("there is no VM of that name at %s", at)
		}
	}
	if !present {
		if want.Power != "" || want.Pool != "" || want.Snapshot != "" || want.Snapshots != nil || want.Policy != "" {
			broken("there is no VM of that name at %s to look at", at)
		}
		return
	}
	power := site.Off
	if vm.Power == vsphere.On {
		power = site.On
	}
	if want.Power != "" && power != want.Power {
		broken("its VM at %s is %s, not %s", at, power, want.Power)
	}
	if want.Pool != "" && poolName(vm.Pool) != want.Pool {
		broken("its VM at %s is in pool %s, not %s", at, poolName(vm.Pool), want.Pool)
	}
	var snapshots []string
	for _, s := range vm.Snapshots {
		snapshots = append(snapshots, s.Name)
	}
	if want.Snapshot != "" && !slices.Contains(snapshots, want.Snapshot) {
		broken("its VM at %s has snapshots %v, and not %s", at, snapshots, want.Snapshot)
	}
	if want.Snapshots != nil && len(snapshots) != *want.Snapshots {
		broken("its VM at %s has %d snapshots, not %d", at, len(snapshots), *want.Snapshots)
	}
	for _, d := range vm.Disks {
		if want.Policy != "" && d.Policy != want.Policy {
			broken("%s of its VM at %s has the storage policy %q, not %q", d.Label, at, d.Policy, want.Policy)
		}
	}
}

func (st *stage) expectAttempts(p *scenario.Attempts, broken breach) {
	m, ok := st.last(p.VM)
	if !ok {
		broken("it was never migrated")
		return
	}
	for _, step := range slices.Sorted(maps.Keys(p.Attempts)) {
		if n := st.teller.begun[m.ID][migration.StepName(step)]; n != p.Attempts[step] {
			broken("step %s was begun %d times, not %d", step, n, p.Attempts[step])
		}
	}
}

// leastSeen is at how many values on its way progress must be seen to rise.
const leastSeen = 2

// expectTasks looks at the tasks that people see in the vCenters.
func (st *stage) expectTasks(p *scenario.Tasks, broken breach) {
	for _, name := range slices.Sorted(maps.Keys(p.Tasks)) {
		task, ok := st.taskOf(name, p.VM)
		least := leastSeen
		if m, _ := st.last(p.VM); name == scenario.TaskMigration {
			least = len(migration.Tables[m.Order.Type]) // to begin a step is one value: as many as steps are seen only if it rose within one
		}
		switch {
		case !ok:
			broken("no task shows its %s", name)
		case task.State != p.Tasks[name]:
			broken("the task of its %s is %s, not %s", name, task.State, p.Tasks[name])
		case task.seen.fell:
			broken("the progress of the task of its %s went back", name)
		case p.Progress == scenario.Rising && !task.seen.rose(least):
			broken("the progress of the task of its %s was seen at %d values between 0 and 100; a rise is %d", name, task.seen.between, least)
		}
	}
}

func (st *stage) expectMigrations(p *scenario.Migrations, broken breach) {
	n := 0
	for _, m := range st.teller.all() {
		busy := slices.ContainsFunc(m.Reasons, func(r migration.Reason) bool { return r.Code == migration.CodeBusy })
		if !busy && (p.VM != "" && m.Order.VM == p.VM || p.Request != "" && m.Order.Request == p.Request) {
			n++
		}
	}
	if n != p.Migrations {
		broken("there were %d migrations, not %d", n, p.Migrations)
	}
}

func (st *stage) expectAnswer(p *scenario.Answer, broken breach) {
	a, ok := st.answers[p.Request]
	switch {
	case !ok:
		broken("it was never answered")
	case string(a.Outcome) != p.Answer:
		broken("it was answered with %q, not %q", a.Outcome, p.Answer)
	case p.Reason != "" && !slices.ContainsFunc(a.Reasons, func(r migration.Reason) bool { return r.Code == p.Reason }):
		broken("its answer gives no reason %q", p.Reason)
	}
}

func (st *stage) expectEnded(p *scenario.Ended, broken breach) {
	got := map[migration.State]int{}
	for _, m := range st.teller.all() {
		got[m.State]++
	}
	for _, name := range faults.States() {
		if s := migration.State(name); got[s] != p.Ended[s] {
			broken("%d migrations ended %s, not %d", got[s], s, p.Ended[s])
		}
	}
}

func (st *stage) expectCarried(p *scenario.Carried, broken breach) {
	dir := wan.ToCloud
	if p.Carried == faults.ToPremises {
		dir = wan.ToPremises
	}
	n := site.Size(st.world.WAN.Carried(dir))
	if n < p.AtLeast {
		broken("%v crossed it %s, less than %v", n, p.Carried, p.AtLeast)
	}
	if p.AtMost > 0 && n > p.AtMost {
		broken("%v crossed it %s, more than %v", n, p.Carried, p.AtMost)
	}
}

// answer of an order, as it was last given.
type answer = appliance.Answer

// presence is where guests run, as the trace told.
type presence struct {
	at     map[string][]string // guest -> sites where it runs, sorted
	starts map[string]int      // "<guest> <site>" -> how often it started there
}

func newPresence() presence {
	return presence{at: map[string][]string{}, starts: map[string]int{}}
}

func (p *presence) hear(e kernel.Event) {
	where := e.Attr("site")
	switch e.Kind {
	case event.GuestStarted:
		p.at[e.Subject] = append(p.at[e.Subject], where)
		slices.Sort(p.at[e.Subject])
		p.starts[e.Subject+" "+where]++
	case event.GuestStopped:
		if i := slices.Index(p.at[e.Subject], where); i >= 0 {
			p.at[e.Subject] = slices.Delete(p.at[e.Subject], i, i+1)
		}
	}
}

func (st *stage) runsAt(guest string) []string { return st.presence.at[guest] }

// restarts is how often a guest started at a site at which it had run before.
func (st *stage) restarts(guest string) int {
	n := 0
	for _, s := range []vsphere.Site{vsphere.OnPremises, vsphere.Cloud} {
		n += max(0, st.presence.starts[guest+" "+string(s)]-1)
	}
	return n
}
