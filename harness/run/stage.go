package run

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/journal"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/oracle"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/machine"
	"github.com/hdm-project/hdm/sim/site"
)

// Names in the world.
const (
	applianceID = "hdm-1"
	agent       = "hdm-appliance"
	applianceVM = "appliance" // subject of its events
)

// How a run ends: every step was taken, every fault has acted and ended, every
// migration is over and shown; and then, for so long, nothing has followed.
const (
	quiet = 10 * time.Minute // more than a lease takes to expire, or a call to come late
	look  = 10 * time.Second // how often the end is looked for
)

// filterURL is where the hosts on premises fetch HDM's IO filter from: the
// appliance serves it.
const filterURL = "https://hdm-appliance/iofilter/praapa.vib"

// probing is how often the appliance asks the vCenters whether they are there.
const probing = 30 * time.Second

// stage is one run under way.
type stage struct {
	scenario *scenario.Scenario
	options  Options
	kernel   *kernel.Kernel
	driver   *kernel.Driver
	world    *site.World
	watcher  Watcher

	journal *journal.Memory
	machine *machine.Machine     // the appliance's; nil while it is down
	app     *appliance.Appliance // nil while it is down or boots
	teller  *teller

	oracles    []oracle.Oracle
	before     []oracle.VM
	pools      map[vsphere.Site][]string // that there were before
	gauges     map[string]gauge          // of the tasks' progress
	violations []record.Violation
	events     uint64

	bus        *messages // nil if there is no message bus
	presence   presence
	answers    map[string]answer // by request
	outcomes   []*outcome        // of the steps; nil: none yet
	meddled    []meddling
	facts      *facts
	flushes    *flushes
	story      *story
	recoveries *recoveries
	hands      map[string]int // steps whose tasks run, by site and task
	unover     bool           // it was not over at its limit
	tried      []string       // clauses that the migrations after its recoveries have shown

	agenda agenda
	acting acting
	busy   int           // steps that are being taken
	since  time.Duration // when the last thing of the scenario ended
}

func newStage(s *scenario.Scenario, seed uint64, o Options) (*stage, error) {
	st := &stage{
		scenario: s, options: o, kernel: kernel.New(seed), journal: journal.NewMemory(),
		presence: newPresence(), answers: map[string]answer{},
		outcomes: make([]*outcome, len(s.Steps)), hands: map[string]int{}, facts: newFacts(s), story: newStory(s), recoveries: newRecoveries(),
		gauges: map[string]gauge{},
		agenda: newAgenda(), acting: newActing(),
	}
	st.flushes = newFlushes(st.servedBy, st.countersOf)
	st.teller = newTeller(st.kernel)
	st.oracles = oracle.All(rules(), eyes{st})
	st.driver = kernel.NewDriver(st.kernel, o.Speed, o.limits())
	st.kernel.Observe(st.hear)
	if o.Watch != nil {
		st.watcher = o.Watch(s, seed)
		st.watcher.Driving(st.driver)
	}
	world, err := site.Build(st.kernel, s.World.Description, site.Options{Mode: mode(o)})
	if err != nil {
		st.kernel.Close()
		return nil, errors.Join(err, st.closeWatcher())
	}
	st.world = world
	st.before, st.pools = vms(world), poolPaths(world)
	world.OnPremises.Path.Intercept = st.intercept
	world.Cloud.Path.Intercept = st.intercept
	world.Components.Heartbeat = st.heard
	world.Components.Intercept = st.interceptCommand
	st.journal.OnPoint(st.journalPoint)
	st.journal.SetFault(st.journalFault)
	if err := st.openBus(); err != nil {
		return nil, errors.Join(err, st.close())
	}
	st.kernel.At(0, st.boot)
	for i := range s.Faults {
		st.agenda.add(st, s.Faults[i].Trigger, fmt.Sprintf("fault/%d", i+1), func() { st.arm(i) }, func() { st.acting.spared[i] = true })
	}
	for i := range s.Steps {
		st.agenda.add(st, s.Steps[i].Trigger, fmt.Sprintf("step/%d", i+1), func() { st.take(i) }, func() { st.outcomes[i] = &outcome{spared: true} })
	}
	return st, nil
}

func (st *stage) close() error {
	st.kernel.Close()
	return errors.Join(st.world.Close(), st.closeWatcher())
}

func (st *stage) closeWatcher() error {
	if st.watcher == nil {
		return nil
	}
	return st.watcher.Close()
}

// hear takes one event of the trace to all who follow it.
func (st *stage) hear(e kernel.Event) {
	st.events++
	for _, o := range st.oracles {
		st.violations = append(st.violations, o.Observe(e)...)
	}
	st.presence.hear(e)
	st.facts.hear(e)
	st.flushes.hear(e)
	st.tell(e)
	st.agenda.hear(st, e)
	st.handed(e)
	st.rebooted(e)
	st.recoveries.hear(e)
	if st.watcher != nil {
		told := record.Event{Run: Name(st.scenario), Seq: e.Seq, At: e.At, Kind: e.Kind, Subject: e.Subject}
		for _, a := range e.Attrs {
			told.Attrs = append(told.Attrs, record.Attr(a))
		}
		st.watcher.Event(told)
	}
}

// play runs the world until the scenario is over, and says whether it was
// interrupted. A failure is the kernel's.
func (st *stage) play(stop <-chan struct{}) (interrupted bool) {
	end := time.Duration(st.scenario.End())
	if st.options.Until > 0 {
		end = min(end, st.options.Until)
	}
	for st.kernel.Now() < end {
		if err := st.driver.Run(min(st.kernel.Now()+look, end), stop); err != nil {
			return errors.Is(err, kernel.ErrStopped)
		}
		st.sample()
		if st.over() {
			return false
		}
	}
	if st.options.Until == 0 {
		st.late()
	}
	return false
}

// over says whether nothing more can follow.
func (st *stage) over() bool {
	if st.underWay() != "" {
		st.since = st.kernel.Now()
	}
	return st.kernel.Now()-st.since >= quiet && st.kernel.Now() >= time.Duration(st.scenario.Until)
}

// underWay says what of the scenario has not ended; "" if all has.
func (st *stage) underWay() string {
	switch {
	case st.app == nil:
		return "the appliance was down"
	case st.teller.live() > 0 && !st.stuck():
		return "migrations were under way"
	case st.recovering():
		return "a recovery was under way"
	case st.teller.deployment.Effect != "":
		return "HDM was " + phaseOf(st.teller.deployment)
	case st.acting.open > 0:
		return "a fault had not ended"
	case st.busy > 0:
		return "a step had not been answered"
	case st.agenda.near():
		return "a step or a fault was still to come"
	case st.bus.busy(st.world, st.app, st.stuck()) != "":
		return st.bus.busy(st.world, st.app, st.stuck())
	case st.teller.untold() && !st.stuck():
		return "vCenter did not show the end of a migration yet"
	}
	if booting := st.world.Booting(); len(booting) > 0 {
		return "the guest of " + booting[0] + " had not come up"
	}
	return ""
}

// late tells of a run that was not over at its limit. It is judged no further:
// what is under way has broken no promise yet.
func (st *stage) late() {
	why := st.underWay()
	if why == "" {
		return // it was merely not quiet for long enough
	}
	if st.teller.live() > 0 {
		why += ": " + st.teller.names()
	}
	st.unover = true
	st.violate("liveness", "the run", "it was not over at its limit of %v: %s", st.scenario.End(), why)
}

func (st *stage) violate(by, subject, format string, args ...any) {
	st.violations = append(st.violations, record.Violation{Oracle: by, At: st.kernel.Now(), Subject: subject, What: fmt.Sprintf(format, args...)})
}

// probeEvery is how often the vCenters are probed: where a message bus tells of it, or
// component VMs can fail.
func (st *stage) probeEvery() time.Duration {
	if st.bus == nil && !st.scenario.Deploys() {
		return 0
	}
	return probing
}

// boot starts the appliance on a fresh machine.
func (st *stage) boot() {
	m := st.world.Appliance()
	st.machine = m
	m.Go(context.Background(), "boot", func(context.Context) {
		here, there := st.world.Endpoints(agent)
		app, err := appliance.Boot(context.Background(), appliance.Config{
			ID: applianceID, Runtime: m, Journal: st.journal, Knobs: st.scenario.Knobs.Of(knobs()), Patience: appliance.DefaultPatience,
			OnPremises: vsphere.NewClient(m, here), Cloud: vsphere.NewClient(m, there),
			Components: st.services, FilterURL: filterURL, ProbeEvery: st.probeEvery(),
			Observer: st.teller, BeforeCompletion: func(string) { st.reach(faults.AppliedBeforeCompletion) },
		})
		if err == nil {
			err = st.serveBus(context.Background(), m, app)
		}
		if errors.Is(err, syscall.ENOSPC) {
			return // it is started again
		}
		if err != nil {
			st.kernel.Fail(fmt.Errorf("the appliance did not boot: %w", err))
			return
		}
		st.app = app
	})
}

// cut takes the appliance's power and gives it back after a while. Called from
// one of its own processes, it does not return.
func (st *stage) cut(down time.Duration, point string) {
	st.kernel.Emit(event.ApplianceDown, applianceVM, "how", "power-off", "point", point)
	m := st.machine
	st.machine, st.app = nil, nil
	st.journal.Crash(st.kernel.Rand("journal/crash"))
	st.kernel.After(down, st.boot)
	m.PowerOff()
}
