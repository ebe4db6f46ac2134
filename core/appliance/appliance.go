// Package appliance is HDM's control: all migrations behind one Step, a
// journal, and the executors that act.
//
//	event --> Step --> journal (one write) --> Apply --> effects
//	  ^                                                    |
//	  +------------- an executor, one task each <----------+
//
// Step (state.go) decides and is pure. Before any effect runs, the change that
// asked for it is in the journal, in one write. Executors (execute.go) do the
// effects on core/vsphere and answer with an event. After a restart the journal
// is loaded and the steps' tables decide what happens next. No durable fact
// lives in a task. What is shown to people in vCenter (report.go) follows
// behind and is never waited for.
//
// Failures of HDM's own parts take the same loop, with core/recovery as the
// machine:
//
//	heartbeats --> lookout --> Noticed --> Step --> probe --> repair --> Returning
//	(notice.go)                             |    (causes.go) (repair.go)    |
//	                                        |                               v
//	                 whom it affects (affected.go)     affected migrations fail, then their VMs
//	                                                   come back (bringback.go, returning.go)
//
// A reset is resetting.go. What health says of it all is panel.go; HDM's log of it
// is notes.go.
package appliance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/journal"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/core/runtime"
	"github.com/hdm-project/hdm/core/vsphere"
)

// Config is what an appliance is made of.
type Config struct {
	// ID of this appliance: part of every mark that it leaves in a vCenter.
	ID         string
	Runtime    runtime.Runtime
	Journal    journal.Journal
	OnPremises *vsphere.Client
	Cloud      *vsphere.Client
	// Components reaches the services in these component VMs. Nil: HDM cannot be
	// deployed, and migrates cold only.
	Components func(component.ClientConfig) component.Port
	Knobs      migration.Knobs
	// FilterURL is where the hosts on premises get HDM's I/O filter from when HDM is
	// deployed. Empty: it is there, or nobody watches it.
	FilterURL string
	// Patience is how long a guest may take to shut down before its VM is
	// powered off.
	Patience time.Duration
	// ProbeEvery is how often the vCenters are asked whether they are there. 0:
	// never, and they count as reached.
	ProbeEvery time.Duration
	// Observer is told what happens, in order. May be nil.
	Observer Observer
	// BeforeCompletion, if not nil, is called when an effect has been done and
	// its completion has not been journalled: a test may end the process there.
	// (The places before and within a write are the journal's own.)
	BeforeCompletion func(key string)
}

// DefaultPatience is the wait for a guest to shut down.
const DefaultPatience = 5 * time.Minute

// Observer is told what an appliance does.
type Observer interface {
	// Booted is told first.
	Booted(epoch int)
	// Loaded is told at a boot, once for every migration, as the journal has it.
	Loaded(migration.Migration)
	// Changed is told after every decision about a migration, once it is
	// journalled; Moved in it says what moved.
	Changed(migration.Migration)
	EffectStarted(e migration.Effect, epoch int)
	EffectEnded(e migration.Effect, epoch int, outcome string, err error)
	// EffectStale is told of a completion that came too late to count.
	EffectStale(id migration.ID, key, why string)
	Answered(o migration.Order, a Answer)
	// Deployed is told of the component VMs, and Set of the settings: at a boot, as
	// the journal has them, and after every decision about them.
	Deployed(deployment.Deployment)
	Set(Settings)
	// Recovering is told of what HDM does about failures: at a boot, as the journal
	// has it, and after every decision about it.
	Recovering(recovery.Recovery)
	// Noted is told of each event of HDM's own log, once it is journalled.
	Noted(Note)
	// HealthChanged is told of HDM's health whenever it is another one.
	HealthChanged(health.Panel)
	JournalWrote(records int, cause string)
}

// Appliance is one boot of HDM's control. Its methods may be called from any
// task.
type Appliance struct {
	Config
	ctx  context.Context
	stop context.CancelFunc // ends everything that was started

	mu       sync.Mutex
	state    *State
	failed   error                   // the journal could not be written: nothing more is done
	running  map[string]runtime.Task // executors, by the key of their effect
	progress map[migration.ID]vsphere.Progress
	settled  map[vsphere.Site]*settlement
	reporter *reporter
	flusher  *flusher
	pulse    component.Watch // of the component VMs, and of the iofilter daemons
	lookout  *lookout
	told     health.Panel   // what the observer was told last
	port     component.Port // to them; nil before the first use
	portTo   int            // the number of the deployment that it reaches
	probes   []*probe
	reached  time.Duration // when the cloud answered a probe last
	cut      time.Duration // since when nothing there could be reached; 0: something can

	incarnation string // see Counters
}

// Boot loads the journal, begins a new epoch and takes up what was under way.
// Cancelling ctx stops everything that the appliance started, as a power cut
// would: the next boot takes up what was under way.
func Boot(ctx context.Context, c Config) (*Appliance, error) {
	records, err := c.Journal.Load()
	if err != nil {
		return nil, fmt.Errorf("the appliance cannot start: %w", err)
	}
	state, err := load(records)
	if err != nil {
		return nil, fmt.Errorf("the appliance cannot start: %w", err)
	}
	a := &Appliance{
		Config: c, state: state,
		incarnation: cmp.Or(state.Incarnation, fmt.Sprintf("%08x", c.Runtime.Rand("incarnation").Uint32())),
		running:     map[string]runtime.Task{},
		progress:    map[migration.ID]vsphere.Progress{},
		settled:     map[vsphere.Site]*settlement{vsphere.OnPremises: {}, vsphere.Cloud: {}},
	}
	a.ctx, a.stop = c.Runtime.WithCancel(ctx)
	a.reporter = newReporter(a)
	a.flusher = newFlusher(a)
	a.lookout = newLookout(a)
	if a.Observer != nil {
		a.Observer.Booted(state.Epoch + 1)
		a.Observer.Deployed(state.deployment)
		a.Observer.Set(state.settings)
		a.Observer.Recovering(state.recovery)
		for _, n := range state.notes {
			a.Observer.Noted(n)
		}
		for _, s := range a.statuses() {
			a.Observer.Loaded(s.Migration)
		}
	}
	if _, err := a.deliver(Booted{Incarnation: a.incarnation}, "boot"); err != nil {
		return nil, fmt.Errorf("the appliance cannot start: %w", err)
	}
	a.recall()
	a.startProbes()
	return a, nil
}

// ErrJournal is what every call answers once the journal could not be written:
// the appliance then stops what is under way and does nothing more, since
// nothing it did could be taken up again.
var ErrJournal = errors.New("the journal cannot be written: free or repair the appliance's disk and restart it")

// Order asks for a migration. The answer is durable when it returns. While HDM
// recovers from a failure none is served (REC-12); one that came by message is
// refused whenever HDM is not ready (SQS-08), unless it was heard before.
func (a *Appliance) Order(o migration.Order) (Answer, error) {
	given := OrderGiven{Order: o}
	if given.Unready = a.unready(); given.Unready == nil && o.Origin == migration.FromMessage {
		if h := a.Health(); !h.Ready() {
			given.Unready = []migration.Reason{migration.Unready(h.Details)}
		}
	}
	d, err := a.deliver(given, "order")
	if err == nil && a.Observer != nil {
		a.Observer.Answered(o, d.Answer)
	}
	return d.Answer, err
}

// Cancel asks that a VM's migration stops and that everything is put back.
func (a *Appliance) Cancel(vm string) (Answer, error) {
	d, err := a.deliver(CancelGiven{vm}, "cancel")
	return d.Answer, err
}

// Say says a word to the migration of a VM that waits for it: Start Transfer,
// Configure & Sync, Commit (MIG-10), or that the data came by other means
// (SQS-05). A word that means that the data is in the cloud counts only if it is.
func (a *Appliance) Say(ctx context.Context, vm string, w migration.Word) (Answer, error) {
	given := WordGiven{VM: vm, Word: w, Unready: a.unready()}
	if m, ok := a.live(vm); ok && m.Brings(w) {
		image, err := a.brought(ctx, m)
		if err != nil {
			return Answer{}, err
		}
		given.Image = image
	}
	d, err := a.deliver(given, string(w))
	return d.Answer, err
}

// live is the migration of a VM that is under way.
func (a *Appliance) live(vm string) (migration.Migration, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.IndexFunc(a.state.live, func(m migration.Migration) bool { return m.Order.VM == vm })
	if i < 0 {
		return migration.Migration{}, false
	}
	return a.state.live[i], true
}

// Set changes the settings, as a whole.
func (a *Appliance) Set(s Settings) (Answer, error) {
	d, err := a.deliver(SettingsGiven{s}, "settings")
	return d.Answer, err
}

// Settings are those of now.
func (a *Appliance) Settings() Settings {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state.settings
}

// Deploy asks for the component VMs of a mode (DEP-01, -02). The answer is
// durable when it returns; Deployment tells how far it is.
func (a *Appliance) Deploy(m deployment.Mode) (Answer, error) {
	d, err := a.deliver(DeploymentHeard{Event: deployment.Asked{Mode: m}, Unready: a.unready()}, "deploy")
	return d.Answer, err
}

// Undeploy asks for their removal. It is refused while a VM is on the cloud
// cache (DEP-04).
func (a *Appliance) Undeploy() (Answer, error) {
	d, err := a.deliver(DeploymentHeard{Event: deployment.RemovalAsked{}, Unready: a.unready()}, "undeploy")
	return d.Answer, err
}

// Deployment is that of now.
func (a *Appliance) Deployment() deployment.Deployment {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state.deployment
}

// Migrations lists every migration, first those that ended, in the order of
// their ends, then the others in order of their numbers: the In Progress
// and Summary views in one (MIG-09).
func (a *Appliance) Migrations() []Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.statuses()
}

// Epoch counts the boots.
func (a *Appliance) Epoch() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state.Epoch
}

// deliver takes one event through the loop: decide, write down, apply, act.
func (a *Appliance) deliver(ev Event, cause string) (Decision, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failed != nil {
		return Decision{}, a.failed
	}
	d := a.state.Step(a.Knobs, migration.Now{Wall: a.Runtime.Now().Round(0), Up: a.Runtime.Elapsed()}, ev)
	if heard, ok := ev.(Heard); ok && d.Ignored != "" && a.Observer != nil {
		switch done := heard.Event.(type) {
		case migration.EffectDone:
			a.Observer.EffectStale(heard.Migration, done.Key, d.Ignored)
		case migration.EffectFailed:
			a.Observer.EffectStale(heard.Migration, done.Key, d.Ignored)
		}
	}
	if d.nothing(a.state) {
		return d, nil
	}
	if err := a.write(d, cause); err != nil {
		a.failed = fmt.Errorf("%w: %w", ErrJournal, err)
		a.stop()
		return Decision{}, a.failed
	}
	a.state.Apply(d)
	a.observe(d)
	a.act(d)
	return d, nil
}

func (a *Appliance) write(d Decision, cause string) error {
	batch, err := records(d)
	if err != nil {
		return err
	}
	if err := a.Journal.Write(batch); err != nil {
		return err
	}
	if a.Observer != nil {
		a.Observer.JournalWrote(len(batch), cause)
	}
	return nil
}

func (a *Appliance) observe(d Decision) {
	if a.Observer == nil {
		return
	}
	if d.Deploy != nil {
		a.Observer.Deployed(*d.Deploy)
	}
	if d.Settings != nil {
		a.Observer.Set(*d.Settings)
	}
	if d.Recovery != nil {
		a.Observer.Recovering(*d.Recovery)
	}
	for _, n := range d.Notes {
		a.Observer.Noted(n)
	}
	for _, m := range d.Changed {
		a.Observer.Changed(m)
	}
}

func (a *Appliance) act(d Decision) {
	for _, key := range d.Cancels {
		if task := a.running[key]; task != nil {
			task.Cancel()
		}
	}
	if e := d.Deploying; e != nil {
		a.running[deploying] = a.Runtime.Go(a.ctx, e.Key, func(ctx context.Context) { a.deploys(ctx, *e) })
	}
	if e := d.Recovering; e != nil {
		a.running[e.Key] = a.Runtime.Go(a.ctx, e.Key, func(ctx context.Context) { a.recovers(ctx, *e) })
		if e.Kind == recovery.ResetOne && a.running[deploying] != nil {
			a.running[deploying].Cancel() // there is to be no deployment
		}
	}
	for _, e := range d.Effects {
		m, _ := a.state.Migration(e.Migration)
		a.running[e.Key] = a.Runtime.Go(a.ctx, e.Key, func(ctx context.Context) { a.execute(ctx, e, m) })
	}
	for _, m := range d.Changed {
		if m.Step != migration.StepTransfer {
			delete(a.progress, m.ID)
		}
	}
	a.reporter.wake()
	a.flusher.wake()
	if (d.Deploy != nil || d.Recovery != nil) && a.state.recovery.Phase == recovery.Healthy {
		if silent := a.silent(); len(silent) > 0 && a.state.deployment.Phase == deployment.Deployed {
			a.lookout.tell(BeatHeard{Failed: silent}) // of whom nobody took care yet
		}
	}
	if d.Deploy != nil && d.Deploy.Phase == deployment.None {
		a.pulse = component.Watch{}
	}
	a.lookout.wake()
	a.tellHealth()
}

// deploying is the key of the task that makes or removes component VMs.
const deploying = "deployment"

func (a *Appliance) statuses() []Status {
	var all []Status
	for _, list := range [][]migration.Migration{a.state.ended, a.state.live} {
		for _, m := range list {
			all = append(all, Status{m, a.progress[m.ID]})
		}
	}
	return all
}
