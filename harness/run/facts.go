package run

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/scenarios"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// Facts that the trace of a run can establish. The catalogue names those that a
// clause needs: a run in which they did not happen shows nothing of it, whatever
// its scenario says.
const (
	factBegan        = "began"
	factCompleted    = "completed"
	factTransferred  = "transferred"
	factTasks        = "shown-as-tasks"
	factNetwork      = "network-changed"
	factSnapshot     = "snapshot"
	factTarget       = "target-decided"
	factQueued       = "queued-at-limit"
	factAgain        = "transfer-again"
	factRetried      = "transfer-retried"
	factExhausted    = "exhausted"
	factRepeated     = "repeated-request"
	factRestartAfter = "restart-after-completion"
	factRestartIn    = "restart-in-transfer"
	factResumed      = "resumed"
	factRiddenOut    = "outage-ridden-out"
	factOffered      = "offered"
	factViewed       = "viewed"
)

// absent says of each fact, for people, that it did not happen.
var absent = map[string]string{
	factBegan:        "no migration was begun",
	factCompleted:    "no cold migration completed",
	factTransferred:  "no disk was carried to the cloud",
	factTasks:        "no migration was seen to succeed as a task of HDM on premises and an import in the cloud",
	factNetwork:      "no migration came through its network step",
	factSnapshot:     "no migrate-time snapshot was taken",
	factTarget:       "no migration with a target completed or was refused for its target",
	factQueued:       "no migration waited while as many ran as may",
	factAgain:        "no bulk transfer was begun again",
	factRetried:      "no bulk transfer was tried again after it had failed",
	factExhausted:    "no step used up its tries",
	factRepeated:     "no request was given twice",
	factRestartAfter: "the appliance never restarted after a migration had completed",
	factRestartIn:    "the appliance never restarted during a bulk transfer",
	factResumed:      "no migration that was under way when the appliance restarted completed",
	factRiddenOut:    "no migration that ran when the WAN went down completed",
	factOffered:      "nobody looked whether cold migration is offered",
	factViewed:       "nobody saw a migration in both views, first in progress and then in the summary",

	factByMessage:     "no migration that was ordered by message completed and was told so",
	factToken:         "no message was refused for its token",
	factReady:         "no heartbeat said Ready",
	factBooting:       "no heartbeat said Not Ready because HDM was booting",
	factVCenter:       "no heartbeat said Not Ready because a vCenter could not be reached",
	factListed:        "no inventory was told to its last page",
	factBadMode:       "no message was refused for its mode",
	factMissingField:  "no message was refused for a field that is missing",
	factUnknownVM:     "no message was refused for a VM that is not there",
	factProgress:      "no migration was told of at several values on its way and once at its end",
	factTBC:           "no try-before-commit was refused",
	factBack:          "no migrate-back was refused",
	factUnready:       "no message was refused with the state because HDM was not ready",
	factToldOnce:      "no migration failed and was told so by a final response",
	factAgainQueued:   "no message was delivered twice",
	factDeadLettered:  "no message went to the dead-letter queue",
	factNeedInternet:  "the message bus was never refused for want of the Internet",
	factNeedCommands:  "the message bus was never refused for want of the command queue",
	factNeedResponses: "the message bus was never refused for want of the response queue",
	factSilent:        "the appliance was never down between two heartbeats",
}

// targets are the reasons of refusals that are about the target.
var targets = []string{
	migration.CodeUnmapped, migration.CodeNoNetwork, migration.CodeAdapter, migration.CodeNoPool, migration.CodeNoDatastore,
}

// facts collects what happened in a run.
type facts struct {
	rules    limitsOf
	happened map[string]bool
	down     bool               // the appliance, or it boots
	live     map[string]*course // migrations that are not over
	tasks    map[string]bool    // sites at which one was seen to succeed as a task
	targeted map[string]bool    // VMs that were ordered with a target
	requests map[string]int     // how often each was given
	counts   map[string]int     // of migrations by state
	bus      busFacts
	cloud    cloudFacts
	recovery recoveryFacts
	bound    map[string]bool // VMs that were on a cloud cache

	seenInProgress bool // in a view
}

// limitsOf are the documented numbers that facts are about.
type limitsOf struct{ atOnce, tries int }

// course is how far a migration has got.
type course struct {
	vm, state, step   string
	restarted, outage bool // while it was under way
	failed            bool // its bulk transfer, at a try that counts

	// Of one that is not cold:
	kind    migration.Type
	waited  int  // how often it has waited for a word
	carried bool // HDM carried its data
	boots   int  // of its guest in the cloud, before it was over
	noBoot  bool // its guest never came up
	// transferred: its bulk transfer was begun.
	transferred bool
	through     bool // a part of HDM failed while it ran
	// queued is when it was, beside others that ran; 0: it was not.
	queued time.Duration
}

func newFacts(s *scenario.Scenario) *facts {
	f := &facts{
		rules: limitsOf{rules().ColdAtOnce, rules().Tries}, happened: map[string]bool{}, live: map[string]*course{},
		bus: newBusFacts(), cloud: newCloudFacts(), recovery: newRecoveryFacts(s), bound: map[string]bool{}, tasks: map[string]bool{}, targeted: map[string]bool{}, requests: map[string]int{}, counts: map[string]int{},
	}
	for _, step := range s.Steps {
		if m := step.Migrate; m != nil && (m.Target.Pool != "" || m.Target.Datastore != "" || m.Target.Adapter != "" || len(m.Target.Networks) > 0) {
			for _, vm := range m.Names() {
				f.targeted[vm] = true
			}
		}
	}
	return f
}

func (f *facts) hear(e kernel.Event) {
	f.hearBus(e)
	f.hearCloud(e)
	f.hearRecovery(e)
	switch e.Kind {
	case event.Migration:
		f.moved(e)
	case event.JournalWrite: // the first one ends a boot
		f.down = false
	case event.ApplianceDown:
		f.down = true
		for _, c := range f.live { //hdm:order-safe each for itself
			c.restarted = true
			f.happened[factRestartIn] = f.happened[factRestartIn] || c.state == string(migration.Running) && c.step == string(migration.StepTransfer)
		}
		f.happened[factRestartAfter] = f.happened[factRestartAfter] || f.happened[factCompleted]
	case event.LinkDown:
		for _, c := range f.live { //hdm:order-safe each for itself
			c.outage = c.outage || c.state == string(migration.Running)
		}
	case event.LeaseDisk:
		f.happened[factTransferred] = f.happened[factTransferred] || e.Attr("mode") == "import"
	case event.VMSnapshot:
		named := strings.HasPrefix(e.Attr("name"), rules().SnapshotPrefix) && strings.HasPrefix(e.Subject, string(vsphere.OnPremises))
		f.happened[factSnapshot] = f.happened[factSnapshot] || e.Attr("op") == "created" && named
		f.happened[factRestored] = f.happened[factRestored] || e.Attr("op") == "reverted" && named
	case event.GuestStarted:
		f.started(e)
	case event.EffectStarted, event.EffectEnded:
		f.effect(e)
	case event.TaskFinished:
		if e.Attr("state") == string(vsphere.TaskSuccess) && (e.Attr("method") == vsphere.TaskMigrate || e.Attr("method") == "ImportVApp") {
			f.tasks[e.Subject] = true
			f.happened[factTasks] = len(f.tasks) == 2
		}
	}
}

// moved takes note of a migration that is somewhere else now.
func (f *facts) moved(e kernel.Event) {
	c := f.live[e.Subject]
	if c == nil {
		// What is told while the appliance boots was journalled before it went down.
		c = &course{vm: e.Attr("vm"), restarted: f.down}
		f.live[e.Subject] = c
	}
	cold := e.Attr("type") == string(migration.Cold)
	if !cold {
		f.movedInCloud(e, c)
	}
	f.counts[c.state]--
	c.state, c.step = e.Attr("to"), e.Attr("step")
	f.counts[c.state]++
	under := f.counts[string(migration.Running)] + f.counts[string(migration.Undoing)]
	switch s := migration.State(c.state); {
	case s == migration.Running:
		f.happened[factBegan] = true
	case s == migration.Completed:
		f.happened[factCompleted] = f.happened[factCompleted] || cold
		f.happened[factMigrated] = f.happened[factMigrated] || c.kind != migration.Back
		f.happened[factResumed] = f.happened[factResumed] || cold && c.restarted
		f.happened[factRiddenOut] = f.happened[factRiddenOut] || cold && c.outage
		f.happened[factTarget] = f.happened[factTarget] || f.targeted[c.vm]
	case s == migration.Refused:
		f.happened[factTarget] = f.happened[factTarget] || slices.Contains(targets, e.Attr("reason"))
	}
	f.happened[factQueued] = f.happened[factQueued] || f.counts[string(migration.Queued)] > 0 && under >= f.rules.atOnce
	if migration.State(c.state).Final() {
		delete(f.live, e.Subject)
	}
}

// effect takes note of tries.
func (f *facts) effect(e kernel.Event) {
	attempt, err := strconv.Atoi(e.Attr("attempt"))
	c := f.live[e.Subject]
	if err != nil || c == nil || e.Attr("undo") != "" {
		return
	}
	if c.kind != "" && c.kind != migration.Cold {
		f.effectInCloud(e, c)
		return
	}
	step := migration.StepName(e.Attr("step"))
	switch {
	case e.Kind == event.EffectStarted:
		again := step == migration.StepTransfer && attempt > 1
		f.happened[factAgain] = f.happened[factAgain] || again
		f.happened[factRetried] = f.happened[factRetried] || again && c.failed
	case e.Attr("outcome") == "done":
		f.happened[factNetwork] = f.happened[factNetwork] || step == migration.StepNetwork
	case e.Attr("outcome") == vsphere.Retryable.String():
		c.failed = c.failed || step == migration.StepTransfer
		f.happened[factExhausted] = f.happened[factExhausted] || attempt >= f.rules.tries
	}
}

// given takes note of a request that is put to the appliance.
func (f *facts) given(request string) {
	f.requests[request]++
	f.happened[factRepeated] = f.happened[factRepeated] || f.requests[request] > 1
}

// missing is the first fact that a cover needs and that did not happen, or "".
func (f *facts) missing(c scenario.Cover) string {
	clause, _ := scenarios.FindClause(c.Clause()) // the scenario was checked
	for _, fact := range clause.Needed(c.Part()) {
		if !f.happened[fact] {
			return fact
		}
	}
	return ""
}

// covered are the clauses that the scenario covers and that the run was about.
// Of a run that was not over, nobody can say.
func (st *stage) covered() (covers []string) {
	for _, c := range st.scenario.Covers {
		if !st.unover && st.facts.missing(c) == "" {
			covers = append(covers, string(c))
		}
	}
	return covers
}

// judgeCovers tells of clauses that the scenario says it covers, in a run that
// was not about them.
func (st *stage) judgeCovers() {
	for _, c := range st.scenario.Covers {
		if fact := st.facts.missing(c); fact != "" {
			st.violate("expect", "covers", "it covers %s, but %s", c, absent[fact])
		}
	}
}
