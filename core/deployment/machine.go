package deployment

import (
	"fmt"
	"time"

	"github.com/hdm-project/hdm/core/cache"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
)

// Phase of a deployment. The edges:
//
//	none        -> deploying    a user asked
//	deploying   -> deployed     every component VM is there, and its services answer
//	deploying   -> undeploying  it failed for good: what was made is removed
//	deployed    -> undeploying  a user asked
//	undeploying -> none         everything is removed
type Phase string

// The phases.
const (
	None        Phase = ""
	Deploying   Phase = "deploying"
	Deployed    Phase = "deployed"
	Undeploying Phase = "undeploying"
)

// Deployment is everything durable about the component VMs.
type Deployment struct {
	Mode   Mode   `json:"mode,omitzero"`
	Phase  Phase  `json:"phase,omitempty"`
	Number int    `json:"number,omitempty"` // counts the deployments
	Made   []Made `json:"made,omitempty"`

	Effect string             `json:"effect,omitempty"` // key of the outstanding one
	Issued int                `json:"issued,omitempty"`
	Tries  int                `json:"tries,omitempty"` // failures that count
	Why    []migration.Reason `json:"why,omitempty"`   // the last one failed
}

// Made is a component VM that was made.
type Made struct {
	Name string       `json:"name"`
	Site vsphere.Site `json:"site"`
	Ref  vsphere.Ref  `json:"ref"`
}

// Effect is what is to be done in the world: to make, or to remove, every
// component VM. Both find what was done before.
type Effect struct {
	Key    string
	Remove bool
	Mode   Mode
	Number int
	Failed string // of a removal: why what is removed could not be deployed
	Delay  time.Duration
}

// Event is something that a deployment hears of.
type Event interface{ event() }

// The events.
type (
	// Asked: a user wants that mode deployed.
	Asked struct{ Mode Mode }
	// RemovalAsked: a user wants it removed, while so many VMs are on the cloud
	// cache, or are being moved.
	RemovalAsked struct{ Bound, Moving int }
	// Done: the effect of that key has done its work.
	Done struct {
		Key  string
		Made []Made
	}
	// Failed: it has not.
	Failed struct {
		Key     string
		Failure migration.Failure
	}
	// Restarted: the appliance came up again.
	Restarted struct{}
)

func (Asked) event()        {}
func (RemovalAsked) event() {}
func (Done) event()         {}
func (Failed) event()       {}
func (Restarted) event()    {}

// Tries of a deployment; a removal goes on for as long as it takes.
const Tries = 3

// Verdict is what Decide makes of an event.
type Verdict struct {
	Deployment Deployment
	Effect     *Effect
	Refused    []migration.Reason // of what a user asked
	Ignored    string             // why the event changed nothing; "" if it did
}

// Decide moves a deployment. It is pure and total.
func (d Deployment) Decide(k migration.Knobs, ev Event) Verdict {
	v := Verdict{Deployment: d}
	switch ev := ev.(type) {
	case Asked:
		v.ask(ev.Mode)
	case RemovalAsked:
		v.remove(ev)
	case Done:
		v.done(ev)
	case Failed:
		v.failed(k, ev)
	case Restarted:
		if d.Effect == "" {
			v.Ignored = "nothing was outstanding"
			break
		}
		v.issue(0)
	default:
		panic(fmt.Sprintf("deployment: unknown event %T", ev))
	}
	return v
}

func (v *Verdict) refuse(code, fix, format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	v.Ignored, v.Refused = what, append(v.Refused, migration.Reason{Code: code, What: what, Fix: fix})
}

func (v *Verdict) ask(m Mode) {
	d := &v.Deployment
	if err := m.Validate(); err != nil {
		v.refuse(migration.CodeMode, "choose a mode that can be", "%v", err)
		return
	}
	if d.Phase != None {
		v.refuse(migration.CodeDeployed, "undeploy it first", "HDM is %s as %s", d.Phase, d.Mode)
		return
	}
	d.Mode, d.Phase, d.Number, d.Tries, d.Why = m, Deploying, d.Number+1, 0, nil
	v.issue(0)
}

func (v *Verdict) remove(ev RemovalAsked) {
	d := &v.Deployment
	switch {
	case d.Phase != Deployed:
		v.refuse(migration.CodeDeployed, "wait until it is deployed", "HDM is not deployed")
	case ev.Bound > 0: // DEP-04, A-27
		v.refuse("migrated-vms", "migrate them back, or commit them", "%d migrated VMs are on the cloud cache", ev.Bound)
	case ev.Moving > 0:
		v.refuse("migrating-vms", "wait for their migrations, or cancel them", "%d migrations are under way", ev.Moving)
	default:
		d.Phase, d.Tries, d.Why = Undeploying, 0, nil
		v.issue(0)
	}
}

func (v *Verdict) issue(delay time.Duration) {
	d := &v.Deployment
	d.Issued++
	remove := d.Phase == Undeploying
	d.Effect = fmt.Sprintf("deployment-%d/%d", d.Number, d.Issued)
	v.Effect = &Effect{Key: d.Effect, Remove: remove, Mode: d.Mode, Number: d.Number, Delay: delay}
	if remove && len(d.Why) > 0 {
		v.Effect.Failed = d.Why[0].What
	}
}

func (v *Verdict) awaits(key string) bool {
	if d := &v.Deployment; d.Effect != key || key == "" {
		v.Ignored = fmt.Sprintf("%s is not awaited, but %q", key, d.Effect)
		return false
	}
	return true
}

func (v *Verdict) done(ev Done) {
	if !v.awaits(ev.Key) {
		return
	}
	d := &v.Deployment
	d.Effect = ""
	if d.Phase == Deploying {
		d.Phase, d.Made = Deployed, ev.Made
		return
	}
	d.Phase, d.Made, d.Mode = None, nil, Mode{}
}

func (v *Verdict) failed(k migration.Knobs, ev Failed) {
	if !v.awaits(ev.Key) {
		return
	}
	d := &v.Deployment
	if ev.Failure.Class == vsphere.Unreachable {
		v.issue(k.Backoff)
		return
	}
	d.Tries++
	if d.Phase == Undeploying || ev.Failure.Class == vsphere.Retryable && d.Tries < Tries {
		v.issue(k.MaxBackoff)
		return
	}
	d.Why = []migration.Reason{{Code: migration.CodeFailed, What: migration.Cut(ev.Failure.What), Fix: migration.Cut(ev.Failure.Fix)}}
	d.Phase, d.Tries = Undeploying, 0
	v.issue(0)
}

// Offers is what the deployment offers to migrations.
func (d Deployment) Offers() migration.Cloud {
	if d.Phase != Deployed {
		return migration.Cloud{}
	}
	l, c := d.Mode.Limits(), classes[d.Mode.Class]
	return migration.Cloud{Mode: d.Mode.String(), Warm: l.Warm, VMs: l.CloudVMs, Cache: cache.Rule{Percent: c.share, Floor: c.floor}}
}
