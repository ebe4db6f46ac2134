package run

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// Facts of deployments, of VMs on a cloud cache, and of the ways there and back.
const (
	factMigrated      = "migrated"
	factRestored      = "snapshot-restored"
	factWarm          = "warm-completed"
	factWarmCarried   = "warm-carried"
	factWarmBrought   = "warm-brought"
	factWords         = "three-words"
	factOutOfOrder    = "word-out-of-order"
	factNoData        = "word-without-data"
	factTried         = "tbc-completed"
	factCameBack      = "back-completed"
	factCameTogether  = "back-together"
	factNotBack       = "back-not-migrated"
	factLate          = "guest-came-late"
	factNever         = "guest-never-came"
	factNoMode        = "no-cloud-cache"
	factNotReadyVM    = "not-prepared"
	factDeployed      = "deployed"
	factUndeployed    = "undeploy-refused-then-done"
	factServices      = "services-missed"
	factCloudQueued   = "cloud-queued"
	factFlushed       = "flushed"
	factInterval      = "flushed-every-20m"
	factOtherInterval = "flushed-at-another-interval"
	factDisturbed     = "flush-disturbed"
	factQuota         = "quota-given"
	factCloudReads    = "cloud-reads"
	factStalled       = "write-stalled"
	factWANFlush      = "outage-while-flushing"
	factWarmOutage    = "warm-outage-ridden-out"
	factCloudOutage   = "cloud-outage-ridden-out"
	factCloudResumed  = "tbc-resumed"
	factWarmExhausted = "warm-exhausted"
	factCloudExhaust  = "cloud-exhausted"
)

func init() {
	maps.Copy(absent, map[string]string{
		factRestored:      "nobody restored a migrate-time snapshot",
		factMigrated:      "no migration to the cloud completed",
		factWarm:          "no warm migration completed",
		factWarmCarried:   "no warm migration completed whose data HDM carried over the WAN",
		factWarmBrought:   "no warm migration completed whose data came by other means",
		factWords:         "no warm migration was led to its end by its three verbs",
		factOutOfOrder:    "no verb was refused because it came out of order",
		factNoData:        "no Configure & Sync was refused because the data was not in the cloud",
		factTried:         "no try-before-commit completed",
		factCameBack:      "no VM was brought back",
		factCameTogether:  "no VMs that depend on each other all came back",
		factNotBack:       "no migrate-back was refused because the VM was not on a cloud cache",
		factLate:          "no guest came up in the cloud after a reboot",
		factNever:         "no migration failed because its guest never came up",
		factNoMode:        "no warm migration was refused for want of a cloud cache",
		factNotReadyVM:    "no warm migration was refused because of its VM's power or tools",
		factDeployed:      "HDM was not deployed",
		factUndeployed:    "undeploying was not refused while a VM was on a cloud cache and done afterwards",
		factServices:      "no heartbeat named the services of a component VM that was off",
		factCloudQueued:   "no VM had to wait for the cloud cache while others moved there",
		factFlushed:       "no flush was applied on premises that had something to bring",
		factInterval:      "no two flushes of a VM were 20 minutes apart",
		factOtherInterval: "no two flushes of a VM were at an interval apart that somebody had set",
		factDisturbed:     "no flush went on while the WAN was down, was given up, or broke off",
		factQuota:         "no VM was given a cloud cache",
		factCloudReads:    "no guest on a cloud cache read anything",
		factStalled:       "no guest's write had to wait for room in its cloud cache",
		factWANFlush:      "the WAN never went down while a flush was on its way",
		factWarmOutage:    "no warm migration that ran when the WAN went down completed",
		factCloudOutage:   "no try-before-commit, or no way back, that ran when the WAN went down completed",
		factCloudResumed:  "no try-before-commit that was under way when the appliance restarted completed",
		factWarmExhausted: "no step of a warm migration used up its tries",
		factCloudExhaust:  "no step of a try-before-commit, or of a way back, used up its tries",
	})
}

// apart is how far two cuts may be from an interval that they keep.
const apart = time.Minute

// cloudFacts is what facts about cloud caches are collected from.
type cloudFacts struct {
	groups   [][]string               // VMs that depend on each other, as somebody named them
	interval time.Duration            // that somebody set last; 0: none
	cuts     map[string]time.Duration // the last cut of each binding
	flying   map[string]bool          // flushes that are on their way, by binding
	backs    map[string]bool          // VMs that came back
	refused  bool                     // undeploying was, while a VM was on a cloud cache
	outages  map[migration.Type]bool  // of which a migration was ridden out
	down     bool                     // the WAN
}

func newCloudFacts() cloudFacts {
	return cloudFacts{backs: map[string]bool{}, cuts: map[string]time.Duration{}, flying: map[string]bool{}, outages: map[migration.Type]bool{}}
}

func (f *facts) hearCloud(e kernel.Event) {
	c := &f.cloud
	switch e.Kind {
	case event.Settings:
		c.interval, c.groups = 0, nil
		for _, group := range strings.Split(e.Attr("groups"), ";") {
			if group != "" {
				c.groups = append(c.groups, strings.Split(group, ","))
			}
		}
		for _, one := range strings.Split(e.Attr("flush-every"), ";") {
			if _, text, ok := strings.Cut(one, "="); ok {
				c.interval, _ = time.ParseDuration(text)
			}
		}
	case event.Deployment:
		f.happened[factDeployed] = f.happened[factDeployed] || e.Attr("phase") == "deployed"
		f.happened[factUndeployed] = f.happened[factUndeployed] || e.Attr("phase") == "undeployed" && c.refused
	case event.Heartbeat:
		f.happened[factServices] = f.happened[factServices] || strings.Contains(e.Attr("details"), "Cloud Cache, IO Interceptor")
	case event.Bound:
		f.happened[factQuota] = true
		f.bound[strings.TrimPrefix(e.Attr("source"), string(vsphere.OnPremises)+"/")] = true
	case event.LinkDown, event.LinkUp:
		if e.Subject == "wan" {
			c.down = e.Kind == event.LinkDown
			f.happened[factWANFlush] = f.happened[factWANFlush] || c.down && len(c.flying) > 0
		}
	case event.FlushCut, event.FlushApplied, event.FlushAbandoned, event.Released:
		f.flushes(e)
	case event.StepEnded:
		f.refusals(e)
	case event.OrderAnswered:
		codes := strings.Fields(e.Attr("reason"))
		f.happened[factNoMode] = f.happened[factNoMode] || slices.Contains(codes, migration.CodeMode)
		f.happened[factNotBack] = f.happened[factNotBack] || slices.Contains(codes, migration.CodeNotMigrated)
	}
}

func (f *facts) flushes(e kernel.Event) {
	c := &f.cloud
	switch e.Kind {
	case event.FlushCut:
		if last, ok := c.cuts[e.Subject]; ok {
			for fact, every := range map[string]time.Duration{factInterval: appliance.DefaultFlushEvery, factOtherInterval: c.interval} { //hdm:order-safe each for itself
				if between := e.At - last; every > 0 && between > every-apart && between < every+apart {
					f.happened[fact] = true
				}
			}
		}
		c.cuts[e.Subject] = e.At
		if e.Attr("blocks") != "0" {
			c.flying[e.Subject] = true
			f.happened[factWANFlush] = f.happened[factWANFlush] || c.down
		}
	case event.FlushApplied:
		f.happened[factFlushed] = f.happened[factFlushed] || c.flying[e.Subject]
		f.happened[factDisturbed] = f.happened[factDisturbed] || f.happened[factWANFlush]
		delete(c.flying, e.Subject)
	case event.FlushAbandoned, event.Released: // with a flush on its way: that is never applied
		f.happened[factDisturbed] = f.happened[factDisturbed] || e.Kind == event.FlushAbandoned || c.flying[e.Subject]
		delete(c.flying, e.Subject)
	}
}

// refusals takes note of what people were refused.
func (f *facts) refusals(e kernel.Event) {
	why := e.Attr("why")
	switch e.Attr("what") {
	case string(migration.StartTransfer), string(migration.ConfigureSync), string(migration.Commit):
		f.happened[factOutOfOrder] = f.happened[factOutOfOrder] || strings.Contains(why, "["+migration.CodeOrder+"]")
		f.happened[factNoData] = f.happened[factNoData] || strings.Contains(why, "["+migration.CodeNoData+"]")
	case "undeploy":
		f.cloud.refused = f.cloud.refused || strings.Contains(why, "[migrated-vms]")
	}
}

// movedInCloud takes note of a migration that is not cold, as moved has it.
func (f *facts) movedInCloud(e kernel.Event, c *course) {
	typ, to := migration.Type(e.Attr("type")), migration.State(e.Attr("to"))
	c.kind = typ
	if to == migration.Waiting {
		c.waited++
	}
	if to == migration.Queued {
		for _, other := range f.live { //hdm:order-safe any
			onCloud := other.kind == migration.Warm || other.kind == migration.TBC
			if onCloud && other.state == string(migration.Running) && (typ == migration.Warm || typ == migration.TBC) {
				c.queued = e.At
			}
		}
	}
	switch {
	case to == migration.Running: // one that finds a slot is queued for no time at all
		f.happened[factCloudQueued] = f.happened[factCloudQueued] || c.queued > 0 && e.At > c.queued
		c.queued = 0
	case to == migration.Refused:
		reason := e.Attr("reason")
		f.happened[factNotReadyVM] = f.happened[factNotReadyVM] || strings.HasPrefix(reason, "tools-") || reason == "powered-off"
	case to == migration.Failed:
		f.happened[factNever] = f.happened[factNever] || c.noBoot
		f.set(factRestartFailed, typ == migration.Warm && c.restarted && !c.transferred)
	case to == migration.Completed:
		f.completedInCloud(typ, c)
	}
}

func (f *facts) completedInCloud(typ migration.Type, c *course) {
	set := func(fact string, holds bool) { f.happened[fact] = f.happened[fact] || holds }
	switch typ {
	case migration.Warm:
		set(factWarm, true)
		set(factWarmCarried, c.carried)
		set(factWarmBrought, !c.carried)
		set(factWords, c.waited >= 3)
		set(factWarmOutage, c.outage)
	case migration.TBC:
		set(factTried, true)
		set(factCloudResumed, c.restarted)
		set(factLate, c.boots > 1)
	case migration.Back:
		f.cloud.backs[c.vm] = true
		set(factCameBack, true)
		set(factCameTogether, slices.ContainsFunc(f.cloud.groups, func(group []string) bool {
			return !slices.ContainsFunc(group, func(vm string) bool { return !f.cloud.backs[vm] })
		}))
	}
	if typ != migration.Warm && c.outage {
		f.cloud.outages[typ] = true
		set(factCloudOutage, f.cloud.outages[migration.TBC] && f.cloud.outages[migration.Back])
	}
}

// effectInCloud takes note of tries, as effect has them.
func (f *facts) effectInCloud(e kernel.Event, c *course) {
	step := migration.StepName(e.Attr("step"))
	switch {
	case e.Kind == event.EffectStarted:
		c.carried = c.carried || step == migration.StepTransfer
	case step == migration.StepBoot && e.Attr("outcome") == vsphere.Refused.String():
		c.noBoot = true
	case e.Attr("outcome") == vsphere.Retryable.String():
		if n, err := strconv.Atoi(e.Attr("attempt")); err == nil && n >= f.rules.tries {
			f.happened[factWarmExhausted] = f.happened[factWarmExhausted] || c.kind == migration.Warm
			f.happened[factCloudExhaust] = f.happened[factCloudExhaust] || c.kind == migration.TBC || c.kind == migration.Back
		}
	}
}

// started takes note of guests that come up in the cloud.
func (f *facts) started(e kernel.Event) {
	if e.Attr("site") != string(vsphere.Cloud) {
		return
	}
	for _, c := range f.live { //hdm:order-safe at most one VM has that name
		if migration.ComputeName(c.vm) == e.Attr("vm") {
			c.boots++
		}
	}
}

// countGuests takes note of what guests did on cloud caches, once the run is
// over: their reads, and how long their writes waited.
func (st *stage) countGuests() {
	for name := range st.facts.bound { //hdm:order-safe each for itself
		if g := st.world.Guests().Guest(name); g != nil {
			c := g.Counters()
			st.facts.happened[factCloudReads] = st.facts.happened[factCloudReads] || c.Reads > 0
			st.facts.happened[factStalled] = st.facts.happened[factStalled] || c.Stalled > 0
		}
	}
}
