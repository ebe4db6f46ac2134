package run

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// Facts of failures, and of what HDM did about them.
const (
	factIdleRecovered  = "recovered-idle"
	factBusyRecovered  = "recovered-in-migration"
	factRefusedBusy    = "refused-while-recovering"
	factRefusedFatal   = "refused-unrecoverable"
	factRedundancy     = "redundancy-restored"
	factBroughtBack    = "brought-back"
	factStayed         = "others-stayed"
	factSuccessPool    = "success-pool"
	factFailedPool     = "failed-pool"
	factHandGood       = "recovered-by-hand"
	factHandBad        = "restored-by-hand"
	factRoundTrip      = "round-trip-from-recovery-pool"
	factAfterRecovery  = "migrated-after-recovery"
	factAfterReset     = "migrated-after-reset"
	factMultiple       = "multiple-failures-told"
	factReset          = "reset-done"
	factResetWaited    = "reset-waited"
	factResetRefused   = "reset-refused"
	factOfferMultiple  = "offered-multiple"
	factOfferOutage    = "offered-outage"
	factOfferDegraded  = "offered-degraded"
	factOfferFatal     = "offered-fatal"
	factFatalPosted    = "fatal-posted"
	factOutageBack     = "outage-brought-back"
	factOutageLasts    = "outage-lasts"
	factHostEnded      = "host-restart-ended-all"
	factFilterEnded    = "filter-restart-ended-all"
	factCauseComponent = "cause-component"
	factCauseVM        = "cause-component-vm"
	factCauseHost      = "cause-host"
	factCauseLink      = "cause-link"
	factSilenceFailed  = "silence-failed"
	factSilenceForgave = "silence-forgiven"
	factHealthyShown   = "healthy-shown"
	factDegradedShown  = "degraded-everywhere"
	factPoorShown      = "poor-shown"
	factRepairEvents   = "repair-events"
	factBeatRebooted   = "heartbeat-rebooted"
	factRebootPosted   = "reboot-posted"
	factMemory         = "memory-survived"
	factIOError        = "io-error-survived"
	factNoSpace        = "no-space-survived"
	factRepairGaveUp   = "repair-exhausted"
	factFlushLate      = "flush-late-told"
	factColdResumed    = "cold-resumed"
	factWarmRetried    = "warm-steps-retried"
	factLeftDeleted    = "leftover-deleted"
	factRestartFailed  = "warm-failed-by-restart"
	factRestartAgain   = "warm-transfer-after-restart"
	factRestartFlush   = "flushed-after-restart"
	factAskedDown      = "asked-while-down"
	factComponentFault = "fault-component"
	factVMFault        = "fault-component-vm"
	factBriefOutage    = "fault-brief-outage"
	factLongOutage     = "fault-long-outage"
	factHostFault      = "fault-host"
	factApplianceFault = "fault-appliance"
)

// rebootedWith are facts of component VMs that rebooted while VMs used them, by
// kind.
var rebootedWith = map[component.Kind]string{
	component.PremManager: "rebooted-onprem-manager", component.PremESXi: "rebooted-onprem-esxi-manager",
	component.CloudManager: "rebooted-cloud-manager", component.CloudCacheVM: "rebooted-cloud-cache",
}

func init() {
	maps.Copy(absent, map[string]string{
		factIdleRecovered:  "HDM never recovered from a failure while nothing was on the cloud cache or under way",
		factBusyRecovered:  "HDM never recovered from a failure that came while a migration ran",
		factRefusedBusy:    "nothing was refused while HDM recovered",
		factRefusedFatal:   "nothing was refused because HDM could not be repaired",
		factRedundancy:     "no message gateway was repaired while another one carried on",
		factBroughtBack:    "no VM was brought back after a failure",
		factStayed:         "no VM stayed in the cloud while others were brought back",
		factSuccessPool:    "no VM came into the pool of those that are likely to boot",
		factFailedPool:     "no VM came into the pool of those that are not",
		factHandGood:       "nobody recovered a VM by hand whose data is good",
		factHandBad:        "nobody recovered a VM by hand whose data is bad",
		factRoundTrip:      "no VM went to the cloud from a recovery pool and came back to it",
		factAfterRecovery:  "no migration that was ordered after a recovery completed",
		factAfterReset:     "no migration that was ordered after a reset completed",
		factMultiple:       "no event in vCenter told of several failures",
		factReset:          "HDM was not reset",
		factResetWaited:    "no reset went through all its steps and told in vCenter what it waited for",
		factResetRefused:   "no reset was refused because none was offered",
		factOfferMultiple:  "no reset was offered because several parts had failed",
		factOfferOutage:    "no reset was offered because the link had been down for 5 minutes",
		factOfferDegraded:  "no reset was offered because HDM had been degraded for 15 minutes",
		factOfferFatal:     "no reset was offered because of a failure that cannot be repaired",
		factFatalPosted:    "no event in vCenter told of a failure that cannot be repaired",
		factOutageBack:     "no VM was brought back after an outage of 5 minutes or more",
		factOutageLasts:    "no outage lasted to the end, with a reset offered",
		factHostEnded:      "no restart of a host on premises ended a migration, brought a VM back and had new ones refused",
		factFilterEnded:    "no restart of an iofilter daemon ended a migration, brought a VM back and had new ones refused",
		factCauseComponent: "no probe found a component that had failed",
		factCauseVM:        "no probe found a component VM that had failed",
		factCauseHost:      "no probe found a host that had failed",
		factCauseLink:      "no probe found the link down",
		factSilenceFailed:  "no component was marked failed for its silence",
		factSilenceForgave: "no component was silent for less than two minutes and not marked failed",
		factHealthyShown:   "HDM never said again that every component is healthy",
		factDegradedShown:  "no failure showed in the panel, in the events of vCenter and in a heartbeat alike",
		factPoorShown:      "no component was shown as Poor with its error",
		factRepairEvents:   "no failure and its repair were events in vCenter and in HDM's log",
		factBeatRebooted:   "no heartbeat named a component VM that had rebooted",
		factRebootPosted:   "no event in vCenter told of a Docker reboot",
		factMemory:         "no service was killed for want of memory and repaired",
		factIOError:        "no disk failed with EIO, with something done on it again afterwards",
		factNoSpace:        "no disk ran out of space, with something done on it again afterwards",
		factRepairGaveUp:   "no repair was given up after its tries",
		factFlushLate:      "no event told of a last flush that was too old",
		factColdResumed:    "no cold migration that ran when a component failed completed",
		factWarmRetried:    "no warm migration completed after a step of it had been tried again, for seven steps",
		factLeftDeleted:    "nobody deleted what a failed warm migration had left in the cloud",
		factRestartFailed:  "no warm migration failed because the appliance restarted before its compute VM ran",
		factRestartAgain:   "no warm migration completed whose bulk transfer was done again after a restart of the appliance",
		factRestartFlush:   "no VM was flushed after a restart of the appliance",
		factAskedDown:      "nobody asked an appliance that was down",
		factComponentFault: "no component failed",
		factVMFault:        "no component VM rebooted",
		factBriefOutage:    "no outage lasted less than 5 minutes",
		factLongOutage:     "no outage lasted 5 minutes or more",
		factHostFault:      "no host restarted",
		factApplianceFault: "the appliance did not restart",
	})
	for kind, fact := range rebootedWith { //hdm:order-safe from a map into a map
		absent[fact] = "no " + kind.Name(0) + " rebooted whose VMs were then brought back"
	}
}

// recoveryFacts is what facts of failures are made of.
type recoveryFacts struct {
	hands  []string // of each step: what a person found of the data of a VM that is recovered by hand
	told   recoveries
	phase  string
	moving map[string]bool   // VMs of migrations that run
	bound  map[string]string // bindings: the VM on premises
	busy   bool              // a migration ran when the recovery began
	idle   bool              // nothing did, and nothing was on the cloud cache

	came      map[string]bool   // VMs that were brought back
	pools     map[string]string // where VMs on premises were moved last
	recovered bool
	reset     bool
	ordered   map[string]bool // migrations ordered after a recovery, and after a reset
	after     map[string]bool

	down    time.Duration // of the WAN, since when; below 0: it is up
	hung    bool          // a component hangs, and HDM does not recover
	posted  map[string]bool
	noted   map[string]bool
	red     bool // a service of a component VM is shown as Poor now
	redAt   time.Duration
	poor    bool // one was
	beat    bool // a heartbeat named services
	killed  bool
	errors  map[string]bool // of disks
	retried map[string]map[string]bool
	steps   map[string]bool
	restart bool // with VMs on the cloud cache
	waited  bool
	kinds   map[string]bool // of faults that acted: host-restart, iofilter-restart
	refused bool            // something, because HDM could not be repaired
	ended   bool            // a migration failed after one of those
}

func newRecoveryFacts(s *scenario.Scenario) recoveryFacts {
	f := recoveryFacts{
		moving: map[string]bool{}, bound: map[string]string{}, came: map[string]bool{}, pools: map[string]string{},
		ordered: map[string]bool{}, after: map[string]bool{}, posted: map[string]bool{}, noted: map[string]bool{},
		errors: map[string]bool{}, retried: map[string]map[string]bool{}, steps: map[string]bool{}, kinds: map[string]bool{},
		phase: faults.Healthy, down: -1,
	}
	for _, step := range s.Steps {
		data := ""
		if step.RecoverByHand != nil {
			data = step.RecoverByHand.Data
		}
		f.hands = append(f.hands, data)
	}
	return f
}

func (f *facts) set(fact string, holds bool) { f.happened[fact] = f.happened[fact] || holds }

// hearRecovery takes note of failures and what follows.
func (f *facts) hearRecovery(e kernel.Event) {
	c := &f.recovery
	switch e.Kind {
	case event.Recovery:
		c.told.hear(e)
		f.recoveryMoved(e)
	case event.Migration:
		f.migrationIn(e)
	case event.Bound:
		c.bound[e.Subject] = strings.TrimPrefix(e.Attr("source"), string(vsphere.OnPremises)+"/")
	case event.Released:
		delete(c.bound, e.Subject)
	case event.VMPool:
		f.movedTo(e)
	case event.OrderAnswered:
		f.refusedIn(e)
	case event.StepEnded:
		f.byHand(e)
	case event.Note:
		c.noted[e.Attr("type")] = true
		f.toldOf()
	case event.EventPosted:
		c.posted[e.Attr("type")] = true
		f.toldOf()
	case event.Health, event.Heartbeat:
		f.shown(e)
	case event.ApplianceDown:
		c.restart = c.restart || len(c.bound) > 0
		f.set(factApplianceFault, true)
	case event.FlushApplied:
		f.set(factRestartFlush, c.restart && !f.down)
		f.survived()
	case event.EffectStarted, event.EffectEnded:
		f.effectIn(e)
	case event.FaultBegan, event.FaultEnded, event.ServiceDown, event.DiskError, event.LinkDown, event.LinkUp:
		f.trouble(e)
	}
}

// recoveryMoved takes note of where a recovery is.
func (f *facts) recoveryMoved(e kernel.Event) {
	c := &f.recovery
	if len(c.told.all) == 0 {
		return
	}
	now := c.told.all[len(c.told.all)-1]
	phase := cmp.Or(e.Attr("phase"), faults.Healthy)
	before := c.phase
	c.phase = phase
	if before == faults.Healthy && phase != faults.Healthy {
		f.set(factSilenceFailed, c.hung)
		c.busy, c.idle, c.hung = len(c.moving) > 0, len(c.moving) == 0 && len(c.bound) == 0, false
		for _, m := range f.live { //hdm:order-safe each for itself
			m.through = m.through || m.state == string(migration.Running)
		}
	}
	for _, cause := range now.failed { //hdm:order-safe each for itself
		f.set(causeFacts[cause], causeFacts[cause] != "")
	}
	for offer, fact := range map[string]string{ //hdm:order-safe each for itself
		recovery.OfferMultiple: factOfferMultiple, recovery.OfferOutage: factOfferOutage,
		recovery.OfferDegraded: factOfferDegraded, recovery.OfferFatal: factOfferFatal,
	} {
		f.set(fact, slices.Contains(now.offered, offer))
	}
	lost := slices.Contains(now.offered, recovery.OfferOutage)
	f.set(factOutageLasts, lost && phase == string(recovery.Probing))
	f.set(factRepairGaveUp, phase == string(recovery.Unrecoverable) && !now.lasting())
	c.waited = c.waited || phase == string(recovery.Resetting) && len(c.told.reset) >= 3 && c.posted[appliance.EventResetWaits]
	if phase != faults.Healthy || before == faults.Healthy {
		return
	}
	if before == string(recovery.Resetting) {
		c.reset, c.phase = true, phase
		f.set(factReset, true)
		f.set(factResetWaited, c.waited)
		return
	}
	f.recoveryEnded(now, lost)
}

// lasting says whether a host on premises, or its iofilter daemon, had restarted.
func (r *recovered) lasting() bool {
	for _, cause := range r.failed { //hdm:order-safe any
		if cause == recovery.HostRestarted || cause == recovery.FilterRestarted {
			return true
		}
	}
	return false
}

var causeFacts = map[recovery.Cause]string{
	recovery.Crashed: factCauseComponent, recovery.Hung: factCauseComponent, recovery.Restarted: factCauseComponent,
	recovery.Rebooted: factCauseVM, recovery.VMDown: factCauseVM,
	recovery.HostDown: factCauseHost, recovery.HostRestarted: factCauseHost, recovery.FilterRestarted: factCauseHost,
	recovery.LinkDown: factCauseLink,
}

// recoveryEnded takes note of a recovery after which HDM is Ready.
func (f *facts) recoveryEnded(now *recovered, lost bool) {
	c := &f.recovery
	c.recovered = true
	repaired := slices.Contains(now.phases, string(recovery.Repairing))
	f.set(factIdleRecovered, c.idle && repaired)
	f.set(factBusyRecovered, c.busy && repaired)
	f.set(factOutageBack, lost && len(now.affected) > 0)
	gateway := false
	for part, cause := range now.failed { //hdm:order-safe each for itself
		vm, service, _ := strings.Cut(part, "/")
		gateway = gateway || strings.HasSuffix(service, "Message Gateway")
		if cause == recovery.Rebooted && len(now.affected) > 0 {
			f.happened[rebootedWith[component.KindOf(vm)]] = true
		}
	}
	f.set(factRedundancy, gateway && len(now.affected) == 0 && len(c.bound) > 0)
	for _, vm := range c.bound { //hdm:order-safe any
		f.set(factStayed, len(now.affected) > 0 && !slices.Contains(now.affected, vm))
	}
	f.set(factMemory, c.killed)
	f.survived()
}

// survived takes note that something was done after disks had failed.
func (f *facts) survived() {
	f.set(factIOError, f.recovery.errors["EIO"])
	f.set(factNoSpace, f.recovery.errors["ENOSPC"])
}

// migrationIn takes note of a migration that is somewhere else now.
func (f *facts) migrationIn(e kernel.Event) {
	c := &f.recovery
	vm, typ, to := e.Attr("vm"), migration.Type(e.Attr("type")), migration.State(e.Attr("to"))
	if e.Attr("from") == "" {
		c.ordered[e.Subject], c.after[e.Subject] = c.recovered, c.reset
	}
	onWay := to == migration.Running || to == migration.Undoing || to == migration.Waiting
	if onWay && typ != migration.Recover {
		c.moving[vm] = true
		if m := f.live[e.Subject]; m != nil {
			m.through = m.through || c.phase != faults.Healthy
		}
	}
	if !to.Final() {
		return
	}
	delete(c.moving, vm)
	switch {
	case to == migration.Failed:
		c.ended = c.ended || c.kinds["host-restart"] || c.kinds["iofilter-restart"]
	case to != migration.Completed:
	case typ == migration.Recover:
		c.came[vm] = true
		f.set(factBroughtBack, true)
		f.lasted()
	case typ == migration.Back:
		pool := c.pools[vm]
		f.set(factRoundTrip, c.came[vm] && (pool == migration.RecoverySuccessPool || pool == migration.RecoveryFailedPool))
	default:
		f.set(factAfterRecovery, c.ordered[e.Subject])
		f.set(factAfterReset, c.after[e.Subject])
		if typ == migration.Warm {
			maps.Copy(c.steps, c.retried[e.Subject])
			f.set(factWarmRetried, len(c.steps) >= 7)
		}
		m := f.live[e.Subject]
		f.set(factColdResumed, typ == migration.Cold && m != nil && m.through)
	}
	delete(c.retried, e.Subject)
}

// lasted takes note of what a restart on premises has ended, once all of it has
// happened.
func (f *facts) lasted() {
	c := &f.recovery
	all := c.refused && c.ended && len(c.came) > 0
	f.set(factHostEnded, all && c.kinds["host-restart"])
	f.set(factFilterEnded, all && c.kinds["iofilter-restart"])
}

func (f *facts) movedTo(e kernel.Event) {
	name, here := strings.CutPrefix(e.Subject, string(vsphere.OnPremises)+"/")
	if !here {
		return
	}
	f.recovery.pools[name] = e.Attr("pool")
	f.set(factSuccessPool, e.Attr("pool") == migration.RecoverySuccessPool)
	f.set(factFailedPool, e.Attr("pool") == migration.RecoveryFailedPool)
}

// refusedIn takes note of orders that were refused while HDM was not well.
func (f *facts) refusedIn(e kernel.Event) {
	c := &f.recovery
	if e.Attr("outcome") != "refused" || !slices.Contains(strings.Fields(e.Attr("reason")), migration.CodeNotReady) {
		return
	}
	switch recovery.Phase(c.phase) {
	case recovery.Probing, recovery.Repairing, recovery.Returning:
		f.set(factRefusedBusy, true)
	case recovery.Unrecoverable:
		f.set(factRefusedFatal, true)
		c.refused = true
		f.lasted()
	}
}

// byHand takes note of what people did.
func (f *facts) byHand(e kernel.Event) {
	done := e.Attr("outcome") == "done"
	switch e.Attr("what") {
	case "recover":
		n, err := strconv.Atoi(e.Subject)
		if err == nil && n <= len(f.recovery.hands) {
			f.set(factHandGood, done && f.recovery.hands[n-1] == scenario.DataGood)
			f.set(factHandBad, done && f.recovery.hands[n-1] == scenario.DataBad)
		}
	case "reset":
		f.set(factResetRefused, !done)
	case "delete-leftover":
		f.set(factLeftDeleted, done)
	}
}

// toldOf takes note of an event that is in HDM's log, or was posted in vCenter.
func (f *facts) toldOf() {
	c := &f.recovery
	both := func(kind string) bool { return c.posted[kind] && c.noted[kind] }
	f.set(factMultiple, both(appliance.EventMultipleFailures))
	f.set(factFatalPosted, both(appliance.EventFatal))
	f.set(factRebootPosted, both(appliance.EventDockerReboot))
	f.set(factFlushLate, both(appliance.EventFlushLate))
	f.set(factRepairEvents, both(appliance.EventComponentFailed) && both(appliance.EventComponentRepaired))
	f.everywhere()
}

// shown takes note of what the panel and heartbeats say.
func (f *facts) shown(e kernel.Event) {
	c := &f.recovery
	ready := e.Attr("status") == string(health.Ready)
	if e.Kind == event.Heartbeat {
		c.beat = c.beat || !ready && strings.Contains(e.Attr("details"), "Services not ready or down") && c.phase != faults.Healthy
		f.set(factBeatRebooted, strings.Contains(e.Attr("details"), "infrastructure VM rebooted"))
	} else {
		c.poor = c.poor || c.red && e.At > c.redAt // what is shown for no time nobody sees
		f.set(factHealthyShown, ready && c.poor)
		f.set(factPoorShown, c.poor)
		c.red, c.redAt = poor(e.Attr("components")), e.At
	}
	f.everywhere()
}

// poor says whether a service of a component VM is shown as failed: not one of the
// appliance's own, which are while it starts.
func poor(components string) bool {
	for text := range strings.SplitSeq(components, ";") {
		name, is := strings.CutSuffix(text, "="+string(health.Poor))
		vm, _, _ := strings.Cut(name, "/")
		if is && vm != "" && vm != component.Appliance.Name(0) {
			return true
		}
	}
	return false
}

func (f *facts) everywhere() {
	c := &f.recovery
	f.set(factDegradedShown, c.poor && c.beat && c.posted[appliance.EventComponentFailed] && c.noted[appliance.EventComponentFailed])
}

// effectIn takes note of tries.
func (f *facts) effectIn(e kernel.Event) {
	c := &f.recovery
	m := f.live[e.Subject]
	if m == nil || m.kind != migration.Warm {
		return
	}
	if e.Kind == event.EffectStarted {
		f.set(factRestartAgain, m.restarted && m.transferred && e.Attr("step") == string(migration.StepTransfer))
		m.transferred = m.transferred || e.Attr("step") == string(migration.StepTransfer)
		return
	}
	if e.Attr("outcome") == vsphere.Retryable.String() && e.Attr("undo") == "" {
		if c.retried[e.Subject] == nil {
			c.retried[e.Subject] = map[string]bool{}
		}
		c.retried[e.Subject][e.Attr("step")] = true
	}
}

// trouble takes note of what goes wrong.
func (f *facts) trouble(e kernel.Event) {
	c := &f.recovery
	switch e.Kind {
	case event.FaultBegan:
		kind := e.Attr("kind")
		c.kinds[kind] = true
		f.set(factComponentFault, strings.HasPrefix(kind, "component-") && kind != "component-vm-reboot")
		f.set(factVMFault, kind == "component-vm-reboot")
		f.set(factHostFault, kind == "host-restart")
	case event.FaultEnded:
		if e.Attr("kind") == "component-hang" {
			f.set(factSilenceForgave, c.hung && c.phase == faults.Healthy)
			c.hung = false
		}
	case event.ServiceDown:
		c.hung = c.hung || e.Attr("how") == "hang" && c.phase == faults.Healthy
		c.killed = c.killed || e.Attr("how") == "no-memory"
	case event.DiskError:
		c.errors[e.Attr("error")] = true
	case event.LinkDown:
		if e.Subject == "wan" && c.down < 0 {
			c.down = e.At
		}
	case event.LinkUp:
		if e.Subject == "wan" && c.down >= 0 {
			long := e.At-c.down >= 5*time.Minute
			f.set(factBriefOutage, !long)
			f.set(factLongOutage, long)
			c.down = -1
		}
	}
	if e.Kind != event.LinkUp && c.down >= 0 {
		f.set(factLongOutage, e.At-c.down >= 5*time.Minute)
	}
}
