package run

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// teller tells the trace what the appliance does. It outlives the appliance's
// boots: what was journalled and not told when the power went is told at the
// next boot.
type teller struct {
	kernel *kernel.Kernel
	known  map[migration.ID]migration.Migration // as last told
	order  []migration.ID
	states map[string]int // how often a VM's migrations entered a state: "<vm>/<state>"
	typed  map[string]int // the same, "<vm>/<type>/<state>"
	begun  map[migration.ID]map[migration.StepName]int
	atOnce int // the most that ever ran together

	deployment deployment.Deployment // as last told
	phases     map[string]int        // how often it entered a phase
	settings   string                // as last told

	recovery  recovery.Recovery // as last told
	recovered string            // the same, as the trace has it
	noted     int               // the last note that was told
}

func newTeller(k *kernel.Kernel) *teller {
	return &teller{
		kernel: k, known: map[migration.ID]migration.Migration{}, states: map[string]int{}, typed: map[string]int{},
		phases: map[string]int{}, begun: map[migration.ID]map[migration.StepName]int{},
	}
}

// Loaded implements appliance.Observer.
func (t *teller) Loaded(m migration.Migration) {
	if m.Version > t.known[m.ID].Version {
		t.Changed(m)
	}
}

// Changed implements appliance.Observer.
func (t *teller) Changed(m migration.Migration) {
	if _, known := t.known[m.ID]; !known {
		t.order = append(t.order, m.ID)
	}
	before := t.known[m.ID]
	t.known[m.ID] = m
	if m.Version == before.Version {
		return
	}
	if m.Flushed.Number > before.Flushed.Number && m.Of == "" {
		t.kernel.Emit(event.FlushHeard, string(m.ID), "vm", m.Order.VM, "flush", strconv.FormatUint(m.Flushed.Number, 10))
	}
	for _, move := range m.Moved {
		if move.From != move.To {
			t.states[m.Order.VM+"/"+string(move.To)]++
			t.typed[m.Order.VM+"/"+string(m.Order.Type)+"/"+string(move.To)]++
		}
		kv := []string{
			"vm", m.Order.VM, "type", string(m.Order.Type), "from", string(move.From), "to", string(move.To),
			"step", string(move.ToStep), "attempt", strconv.Itoa(m.Attempt),
		}
		if len(m.Reasons) > 0 {
			kv = append(kv, "reason", m.Reasons[0].Code)
		}
		if move.To == migration.Waiting && m.State == migration.Waiting {
			kv = append(kv, "next", string(m.Next))
		}
		if move.To.Final() && len(m.Leftovers) > 0 {
			kv = append(kv, "left", left(m))
		}
		t.kernel.Emit(event.Migration, string(m.ID), kv...)
	}
	t.atOnce = max(t.atOnce, t.active())
}

// left is what a migration lists as not put back, by what could not be done.
func left(m migration.Migration) string {
	var all []string
	for _, l := range m.Leftovers {
		all = append(all, string(l.Does))
	}
	return strings.Join(all, ", ")
}

// EffectStarted implements appliance.Observer.
func (t *teller) EffectStarted(e migration.Effect, epoch int) {
	if !e.Undo {
		if t.begun[e.Migration] == nil {
			t.begun[e.Migration] = map[migration.StepName]int{}
		}
		t.begun[e.Migration][e.Step] = e.Attempt
	}
	t.kernel.Emit(event.EffectStarted, string(e.Migration), t.effect(e, epoch)...)
}

// EffectEnded implements appliance.Observer.
func (t *teller) EffectEnded(e migration.Effect, epoch int, outcome string, err error) {
	kv := append(t.effect(e, epoch), "outcome", outcome)
	if err != nil {
		kv = append(kv, "error", err.Error())
	}
	t.kernel.Emit(event.EffectEnded, string(e.Migration), kv...)
}

func (t *teller) effect(e migration.Effect, epoch int) []string {
	kv := []string{"key", e.Key, "kind", string(e.Kind), "step", string(e.Step), "attempt", strconv.Itoa(e.Attempt), "epoch", strconv.Itoa(epoch)}
	if e.Undo {
		kv = append(kv, "undo", "true")
	}
	return kv
}

// EffectStale implements appliance.Observer.
func (t *teller) EffectStale(id migration.ID, key, why string) {
	t.kernel.Emit(event.EffectStale, string(id), "key", key, "why", why)
}

// Answered implements appliance.Observer.
func (t *teller) Answered(o migration.Order, a appliance.Answer) {
	var codes []string
	for _, r := range a.Reasons {
		codes = append(codes, r.Code)
	}
	t.kernel.Emit(event.OrderAnswered, applianceVM, "request", o.Request, "vm", o.VM, "outcome", string(a.Outcome),
		"migration", string(a.Migration), "reason", strings.Join(codes, " "))
}

// phaseOf is a deployment's phase as the trace and scenarios name it.
func phaseOf(d deployment.Deployment) string { return cmp.Or(string(d.Phase), faults.Undeployed) }

// Deployed implements appliance.Observer.
func (t *teller) Deployed(d deployment.Deployment) {
	if d.Phase == t.deployment.Phase && d.Number == t.deployment.Number {
		t.deployment = d
		return
	}
	t.deployment = d
	t.phases[phaseOf(d)]++
	t.kernel.Emit(event.Deployment, applianceVM, "phase", phaseOf(d), "mode", d.Mode.String(), "vms", strconv.Itoa(len(d.Made)))
}

// Set implements appliance.Observer.
func (t *teller) Set(s appliance.Settings) {
	var every, groups []string
	for _, cluster := range slices.Sorted(maps.Keys(s.FlushEvery)) {
		every = append(every, fmt.Sprintf("%s=%v", cluster, s.FlushEvery[cluster]))
	}
	for _, g := range s.Groups {
		groups = append(groups, strings.Join(g.VMs, ","))
	}
	told := strings.Join(every, ";") + "|" + strings.Join(groups, ";")
	if told == t.settings || told == "|" && t.settings == "" {
		return
	}
	t.settings = told
	t.kernel.Emit(event.Settings, applianceVM, "flush-every", strings.Join(every, ";"), "groups", strings.Join(groups, ";"))
}

// JournalWrote implements appliance.Observer.
func (t *teller) JournalWrote(records int, cause string) {
	t.kernel.Emit(event.JournalWrite, applianceVM, "records", strconv.Itoa(records), "cause", cause)
}

// Booted implements appliance.Observer.
func (t *teller) Booted(epoch int) {
	t.kernel.Emit(event.ApplianceUp, applianceVM, "epoch", strconv.Itoa(epoch))
}

func (t *teller) vm(id migration.ID) string             { return t.known[id].Order.VM }
func (t *teller) state(id migration.ID) migration.State { return t.known[id].State }
func (t *teller) count(vm, state string) int            { return t.states[vm+"/"+state] }

// entered is how often a migration entered a state.
func (t *teller) entered(state migration.State) (n int) {
	for what, times := range t.states { //hdm:order-safe a sum
		if strings.HasSuffix(what, "/"+string(state)) {
			n += times
		}
	}
	return n
}

// entries is how often migrations of a VM, of that type if there is one, entered a
// state.
func (t *teller) entries(vm string, of migration.Type, state string) int {
	if of == "" {
		return t.count(vm, state)
	}
	return t.typed[vm+"/"+string(of)+"/"+state]
}

// live counts the migrations that go on by themselves: those that wait for a word
// do not.
func (t *teller) live() int {
	return t.where(func(s migration.State) bool { return !s.Final() && s != migration.Waiting })
}

func (t *teller) active() int {
	return t.where(func(s migration.State) bool { return s == migration.Running || s == migration.Undoing })
}

func (t *teller) where(holds func(migration.State) bool) (n int) {
	for _, id := range t.order {
		if holds(t.known[id].State) {
			n++
		}
	}
	return n
}

// all are the migrations, in order of their numbers. It can be asked while the
// appliance is down, too.
func (t *teller) all() []migration.Migration {
	all := make([]migration.Migration, len(t.order))
	for i, id := range t.order {
		all[i] = t.known[id]
	}
	return all
}

// untold says whether vCenter does not yet show an end that there was.
func (t *teller) untold() bool {
	for _, id := range t.order {
		if m := t.known[id]; m.State.Final() && m.Plan.Source != "" && !m.Reported {
			return true
		}
	}
	return false
}

// mostNames bounds how many migrations a message names.
const mostNames = 10

// names what is not over, for people.
func (t *teller) names() string {
	var all []string
	for _, id := range t.order {
		if m := t.known[id]; !m.State.Final() {
			all = append(all, fmt.Sprintf("%s of %s (%s)", id, m.Order.VM, strings.TrimSpace(string(m.State)+" "+string(m.Step))))
		}
	}
	if more := len(all) - mostNames; more > 0 {
		all = append(all[:mostNames], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(all, ", ")
}
