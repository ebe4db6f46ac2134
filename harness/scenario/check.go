package scenario

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/scenarios"
	"github.com/hdm-project/hdm/sim/site"
)

// Check says what keeps the scenario from being run: what is missing, unknown,
// contradictory, or can never happen. Every error is an *Error, joined in the
// order of the file. ParseText has called it; scenarios that are made rather
// than read need it.
func (s *Scenario) Check() error {
	world, err := s.World.Description.Expand()
	if err != nil {
		return worldErrors(err, func(p *site.PathError) error {
			return s.at("world."+p.Path, "world."+p.Path+": "+p.What, p.Fix)
		})
	}
	c := &checker{s: s, vms: map[vsphere.Site][]string{
		vsphere.OnPremises: names(world.OnPremises.VMs), vsphere.Cloud: names(world.Cloud.VMs),
	}}
	c.context = s.context(world)
	if s.served {
		c.outside()
	}
	c.head()
	c.bus()
	taken := s.reachable()
	for i, step := range s.Steps {
		c.path = fmt.Sprintf("steps[%d]", i)
		c.step(step)
		if _, migrated := c.context.Migrations[waitsFor(step)]; migrated && !taken[i] {
			c.fail("when", "let one of them begin at a time", "it waits for a migration of %s that only comes after it: it would never act", waitsFor(step))
		}
		if waitsForDeployment(step) && c.context.Deploys && !taken[i] {
			c.fail("when", "let one of them begin at a time", "it waits for a deployment that only comes after it: it would never act")
		}
	}
	for _, p := range faults.Validate(s.Faults, c.context) {
		c.path = "faults" + p.Path
		c.fail("", p.Fix, "%s", p.What)
	}
	for i, e := range s.Expect {
		c.path = fmt.Sprintf("expect[%d]", i)
		e.Promise.check(c)
	}
	return errors.Join(c.errs...)
}

// outside adds what clients of a served world may order, whatever the steps do:
// a step may wait for that.
func (c *checker) outside() {
	for _, vm := range c.vms[vsphere.OnPremises] {
		for _, t := range []migration.Type{migration.Cold, migration.Warm} {
			if !slices.Contains(c.context.Migrations[vm], t) {
				c.context.Migrations[vm] = append(c.context.Migrations[vm], t)
			}
		}
	}
}

func names(vms []site.VM) []string {
	all := make([]string, len(vms))
	for i, vm := range vms {
		all[i] = vm.Name
	}
	return all
}

type checker struct {
	s       *Scenario
	vms     map[vsphere.Site][]string
	context faults.Context
	path    string
	errs    []error
}

func (c *checker) fail(key, fix, what string, args ...any) {
	path := c.path
	if key != "" {
		path = strings.TrimPrefix(path+"."+key, ".")
	}
	c.errs = append(c.errs, c.s.at(path, fmt.Sprintf(what, args...), fix))
}

func (c *checker) head() {
	s := c.s
	switch {
	case strings.TrimSpace(s.Title) == "":
		c.fail("title", "say in a sentence what is shown", "the title is empty")
	case len(s.Title) > MaxTitle:
		c.fail("title", fmt.Sprintf("use at most %d bytes", MaxTitle), "the title has %d bytes", len(s.Title))
	}
	for i, cover := range s.Covers {
		c.cover(fmt.Sprintf("covers[%d]", i), cover)
	}
	if len(s.Family) > MaxFamily || strings.TrimSpace(s.Family) != s.Family {
		c.fail("family", fmt.Sprintf("use a name of at most %d bytes", MaxFamily), "no family is called %.60q", s.Family)
	}
	if s.Limit < 0 || s.Limit > MaxLimit {
		c.fail("limit", fmt.Sprintf("use a duration above 0 and up to %v", MaxLimit), "a run cannot last %v", s.Limit)
	}
	if r := s.Knobs.Cache; r != nil && (r.Percent < 0 || r.Percent > 100 || r.Floor < MinFloor) {
		c.fail("knobs.cache", fmt.Sprintf("use a percentage and a floor of at least %v", MinFloor), "%d %% with a floor of %v is no cache", r.Percent, r.Floor)
	}
	if s.Until < 0 || s.Until > s.End() {
		c.fail("until", fmt.Sprintf("use a duration up to the limit of the run, %v", s.End()), "a run with that limit cannot go on for %v", s.Until)
	}
	if len(s.Steps) == 0 && !s.served || len(s.Steps) > MaxSteps {
		c.fail("steps", fmt.Sprintf("give 1 to %d", MaxSteps), "there are %d steps", len(s.Steps))
	}
	if len(s.Expect) > MaxExpect {
		c.fail("expect", fmt.Sprintf("give at most %d", MaxExpect), "there are %d expectations", len(s.Expect))
	}
}

func (c *checker) cover(key string, cover Cover) {
	clause, ok := scenarios.FindClause(cover.Clause())
	if !ok {
		c.fail(key, "see scenarios/clauses.yaml for the ids", "there is no clause %q", cover.Clause())
		return
	}
	var parts []string
	for _, p := range clause.Parts {
		parts = append(parts, clause.ID+"/"+p.ID)
	}
	_, known := clause.Part(cover.Part())
	switch {
	case cover.Part() == "" && len(parts) > 0:
		c.fail(key, "name the part: "+strings.Join(parts, ", "), "%s is shown in parts", clause.ID)
	case cover.Part() != "" && len(parts) == 0:
		c.fail(key, "write "+clause.ID, "%s has no parts", clause.ID)
	case cover.Part() != "" && !known:
		c.fail(key, "use one of "+strings.Join(parts, ", "), "%s has no part %q", clause.ID, cover.Part())
	case len(clause.Needed(cover.Part())) == 0:
		c.fail(key, "leave it out", "this version cannot show %s yet", cover)
	}
}

func (c *checker) step(step Step) {
	for _, p := range step.Trigger.Check(c.context) {
		c.fail(p.Path, p.Fix, "%s", p.What)
	}
	if step.Migrate != nil {
		c.migrate(step.Migrate)
	}
	if step.Cancel != nil {
		if _, ok := c.context.Migrations[step.Cancel.VM]; !ok {
			c.fail("cancel.vm", "name a VM that a step migrates", "no step migrates %q, so there is nothing to cancel", step.Cancel.VM)
		}
	}
	if step.Power != nil {
		c.power(step.Power)
	}
	c.messages(step)
	c.cloud(step)
	c.recovery(step)
	if v := step.Views; v != nil {
		for _, vm := range append(slices.Clone(v.InProgress), v.Summary...) {
			if _, ok := c.context.Migrations[vm]; !ok {
				c.fail("views", "name VMs that steps migrate", "no step migrates %q, so no view lists it", vm)
			}
		}
	}
	keys, does := step.actions()
	actions := 0
	for _, d := range does {
		if d {
			actions++
		}
	}
	if actions != 1 {
		c.fail("", "write exactly one of "+join(keys)+" in each step", "it does %d things", actions)
	}
}

// Context is what the scenario's faults are judged against. Of a world that
// cannot be, Check says so.
func (s *Scenario) Context() faults.Context {
	world, err := s.World.Description.Expand()
	if err != nil {
		world = s.World.Description
	}
	return s.context(world)
}

func (s *Scenario) context(world site.Description) faults.Context {
	in := faults.Context{End: s.End(), Migrations: s.Migrations(), Deploys: s.Deploys(), Components: s.components()}
	if s.Bus != nil {
		in.Bus = s.Bus.Queues
	}
	in.Hosts, in.Datastores = placesIn(world)
	in.VMs = map[vsphere.Site][]string{
		vsphere.OnPremises: append(names(world.OnPremises.VMs), s.made(vsphere.OnPremises, in)...),
		vsphere.Cloud:      append(names(world.Cloud.VMs), s.made(vsphere.Cloud, in)...),
	}
	return in
}

// waitsFor is the VM whose migration a step waits for, "" if for none.
func waitsFor(s Step) string {
	if s.At != nil || s.When == nil {
		return ""
	}
	return s.When.VM
}

// waitsForDeployment says whether a step waits for one.
func waitsForDeployment(s Step) bool { return s.At == nil && s.When != nil && s.When.Deployment != "" }

// reachable says of each step whether it can ever be taken: at its time, or
// after a step that orders the migration, or asks for the deployment, that it
// waits for. In a served world those may order who come from outside.
func (s *Scenario) reachable() []bool {
	taken, ordered := make([]bool, len(s.Steps)), map[string]bool{}
	deployed := !s.Deploys() // the trigger itself tells that nobody does
	for grew := true; grew; {
		grew = false
		for i, step := range s.Steps {
			if vm := waitsFor(step); taken[i] || vm != "" && !ordered[vm] && !s.served || waitsForDeployment(step) && !deployed {
				continue
			}
			taken[i], grew = true, true
			deployed = deployed || step.Deploy != nil
			if order := step.Order(); order != nil {
				for _, vm := range s.brings(order) {
					ordered[vm] = true
				}
			}
		}
	}
	return taken
}

// order checks what orders to the cloud and back have in common.
func (c *checker) order(key string, m *Migrate) {
	if (m.VM == "") == (len(m.VMs) == 0) {
		c.fail(key, "give either vm: or vms:", "it is not clear which VM is meant")
	}
	c.vm(key+".vm", m.VM, c.vms[vsphere.OnPremises], "on premises")
	for i, vm := range m.VMs {
		c.vm(fmt.Sprintf("%s.vms[%d]", key, i), vm, c.vms[vsphere.OnPremises], "on premises")
	}
	if m.Request != "" && len(m.VMs) > 1 {
		c.fail(key+".request", "order them in steps of their own", "one request cannot name %d orders", len(m.VMs))
	}
}

func (c *checker) migrate(m *Migrate) {
	c.order("migrate", m)
	c.offline(m)
	if m.ByMessage() && m.Request != "" {
		c.identifier("migrate.request", m.Request)
	}
	if m.By != "" && m.By != byMessage && m.By != "vcenter" {
		c.fail("migrate.by", "use vcenter or message", "no order is given by %q", m.By)
	}
	if !slices.Contains(migration.Types, m.Type) {
		c.fail("migrate.type", "use one of "+join(migration.Types), "there is no type of migration %q to the cloud", m.Type)
	}
}

// MaxListed is how many known names an error lists.
const MaxListed = 20

func (c *checker) vm(key, name string, known []string, where string) {
	if name == "" || slices.Contains(known, name) {
		return
	}
	few := known[:min(len(known), MaxListed)]
	fix := "use one of " + join(few)
	if len(few) < len(known) {
		fix += fmt.Sprintf(" and %d more", len(known)-len(few))
	}
	c.fail(key, fix, "the world has no VM %q %s", name, where)
}

func (c *checker) anyVM(name string) {
	known := slices.Concat(c.vms[vsphere.OnPremises], c.vms[vsphere.Cloud], c.s.made(vsphere.OnPremises, c.context), c.s.made(vsphere.Cloud, c.context))
	c.vm("vm", name, known, "on either site")
}

// migrated says that a promise about a migration of vm can be kept at all.
func (c *checker) migrated(vm string) {
	if _, ok := c.context.Migrations[vm]; !ok {
		c.fail("vm", "name a VM that a step migrates", "no step migrates %q", vm)
	}
}

// typed says that a promise about a migration of that type can be kept at all.
func (c *checker) typed(vm string, t migration.Type) {
	if types := c.context.Migrations[vm]; t != "" && !slices.Contains(types, t) {
		c.fail("type", "use "+join(types)+", or leave it out", "no step migrates %q as %q", vm, t)
	}
}

// steps are those of the migrations of vm.
func (c *checker) steps(vm string) (known []string) {
	for _, t := range c.context.Migrations[vm] {
		known = append(known, faults.Steps(t)...)
	}
	return known
}

func (c *checker) request(name string) {
	ordered := slices.ContainsFunc(c.s.Steps, func(s Step) bool { return s.Order() != nil && s.Order().Request == name })
	if !ordered {
		c.fail("request", "name the request of a migrate step", "no step has the request %q", name)
	}
}

func (c *checker) notNegative(key string, n int) {
	if n < 0 {
		c.fail(key, "use 0 or more", "%d is no number of times", n)
	}
}

func (e *Ends) check(c *checker) {
	c.migrated(e.VM)
	c.typed(e.VM, e.Type)
	switch {
	case e.Migration == migration.Waiting: // for a word that nobody says: its run ends so
	case !slices.Contains(faults.States(), string(e.Migration)) || !e.Migration.Final():
		c.fail("migration", "use completed, refused, failed or cancelled, or waiting", "no migration ends as %q", e.Migration)
	}
	if e.Within < 0 || c.s.End() > 0 && e.Within > c.s.End() {
		c.fail("within", fmt.Sprintf("use a duration up to the limit of the run, %v", c.s.End()), "%v cannot be seen", e.Within)
	}
	if e.Reason != "" && e.Migration == migration.Completed {
		c.fail("reason", "leave it out", "a completed migration gives no reason")
	}
	known := c.steps(e.VM)
	for i, step := range e.Left {
		if !slices.Contains(known, string(step)) {
			c.fail(fmt.Sprintf("left[%d]", i), "use one of "+join(known), "its migration has no step %q", step)
		}
	}
}

func (e *Runs) check(c *checker) {
	c.anyVM(e.VM)
	if e.Runs == "nowhere" && (e.Network != "" || len(e.Networks) > 0 || e.Adapter != "" || e.Pool != "" || e.Datastore != "") {
		c.fail("runs", "use on-premises: or cloud: to say how the VM stands", "what runs nowhere is on no VM")
	}
	if e.Network != "" && len(e.Networks) > 0 {
		c.fail("networks", "keep one of the two", "there is network: as well")
	}
	if e.Restarted != nil {
		c.notNegative("restarted", *e.Restarted)
	}
}

func (e *Stands) check(c *checker) {
	c.anyVM(e.VM)
	for _, s := range []struct {
		key string
		is  *Standing
	}{{"on-premises", e.OnPremises}, {"cloud", e.Cloud}} {
		if s.is == nil {
			continue
		}
		if *s.is == (Standing{}) {
			c.fail(s.key, "say present, power, pool, snapshot, snapshots or policy", "it expects nothing")
		}
		rest := *s.is
		rest.Present = nil
		if s.is.Present != nil && !*s.is.Present && rest != (Standing{}) {
			c.fail(s.key, "keep present: false alone", "what is absent is in no state")
		}
		if s.is.Snapshots != nil {
			c.notNegative(s.key+".snapshots", *s.is.Snapshots)
		}
	}
}

func (e *Attempts) check(c *checker) {
	c.migrated(e.VM)
	known := c.steps(e.VM)
	for _, step := range slices.Sorted(maps.Keys(e.Attempts)) {
		if !slices.Contains(known, step) {
			c.fail("attempts."+step, "use one of "+join(known), "its migration has no step %q", step)
		}
		c.notNegative("attempts."+step, e.Attempts[step])
	}
}

var taskNames = []TaskName{TaskMigration, TaskExport, TaskImport}

func (e *Tasks) check(c *checker) {
	c.migrated(e.VM)
	if len(e.Tasks) == 0 {
		c.fail("tasks", "use "+join(taskNames), "it names no task")
	}
	for _, name := range slices.Sorted(maps.Keys(e.Tasks)) {
		if !slices.Contains(taskNames, name) {
			c.fail("tasks", "use "+join(taskNames), "no task %q shows a migration", name)
		}
		if state := e.Tasks[name]; state != vsphere.TaskSuccess && state != vsphere.TaskError {
			c.fail("tasks."+string(name), "use success or error", "no task ends as %q", state)
		}
	}
}

func (e *Migrations) check(c *checker) {
	switch {
	case (e.VM == "") == (e.Request == ""):
		c.fail("", "give either vm: or request:", "it is not clear whose migrations are meant")
	case e.VM != "":
		c.anyVM(e.VM)
	default:
		c.request(e.Request)
	}
	c.notNegative("migrations", e.Migrations)
}

func (e *Answer) check(c *checker) {
	c.request(e.Request)
	if e.Reason != "" && e.Answer != "refused" {
		c.fail("reason", "leave it out", "only a refusal gives a reason")
	}
}

func (e *AtOnce) check(c *checker) { c.notNegative("at-once", e.AtOnce) }

func (e *Undone) check(c *checker) { c.notNegative("undone", e.Undone) }

func (e *Never) check(c *checker) {
	if len(e.Never) == 0 {
		c.fail("never", "name states", "it expects nothing")
	}
	for i, state := range e.Never {
		if !slices.Contains(faults.States(), string(state)) || !state.Final() {
			c.fail(fmt.Sprintf("never[%d]", i), "use completed, refused, failed and cancelled", "no migration ends as %q", state)
		}
	}
}

func (e *Ended) check(c *checker) {
	for _, state := range slices.Sorted(maps.Keys(e.Ended)) {
		if !slices.Contains(faults.States(), string(state)) || !state.Final() {
			c.fail("ended."+string(state), "use completed, refused, failed and cancelled", "no migration ends as %q", state)
		}
		c.notNegative("ended."+string(state), e.Ended[state])
	}
}

func (e *Carried) check(c *checker) {
	switch {
	case e.AtLeast == 0 && e.AtMost == 0:
		c.fail("", "add at-least: or at-most:", "it expects nothing")
	case e.AtMost > 0 && e.AtLeast > e.AtMost:
		c.fail("at-least", "swap the two", "%v is more than at-most", e.AtLeast)
	}
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func join[T ~string](words []T) string {
	s := make([]string, len(words))
	for i, w := range words {
		s[i] = string(w)
	}
	return strings.Join(s, ", ")
}
