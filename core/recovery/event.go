package recovery

import (
	"fmt"
	"time"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/migration"
)

// Knobs are the numbers of a recovery.
type Knobs struct {
	Outage   time.Duration // of the link, from when on it is permanent
	Degraded time.Duration // from when on a reset is offered (RST-01)
	Tries    int           // of a repair
	Backoff  time.Duration // before another try
	// Settle is the wait before a probe: what fails together is then seen together.
	Settle time.Duration
}

// DefaultKnobs are the documented numbers, and ours where there are none.
var DefaultKnobs = Knobs{
	Outage: 5 * time.Minute, Degraded: 15 * time.Minute,
	Tries: 3, Backoff: 10 * time.Second, Settle: component.HeartbeatEvery,
}

// Kind of an effect.
type Kind string

// The effects.
const (
	Probe     Kind = "probe"      // find the cause of every failure whose cause is unknown; answers Probed
	AwaitLink Kind = "await link" // wait until the cloud answers; answers LinkLost, then LinkBack
	Repair    Kind = "repair"     // one failure, until all its services are heard; answers Repaired
	ResetOne  Kind = "reset step" // do, or wait for, one step of a reset; answers StepDone
)

// Effect is what is to be done in the world. Each may be done again.
type Effect struct {
	Key     string
	Kind    Kind
	Delay   time.Duration
	Failure Failure // of a Repair
	Reset   Reset   // of a ResetOne
}

// Event is something that a recovery hears of.
type Event interface{ event() }

// The events.
type (
	// Noticed: these parts have failed, some with a cause that is plain.
	Noticed struct{ Failures []Failure }
	// Probed: the causes of those that were unknown. One that is Repaired was heard
	// again, has lost nothing, and is forgotten. Link: nothing of the cloud can be reached, so
	// that nothing is known of what is there.
	Probed struct {
		Key   string
		Found []Failure
		Link  bool
	}
	// LinkLost: the outage has been proven to last for Knobs.Outage.
	LinkLost struct{ Key string }
	// LinkBack: the cloud answers again; these of its parts are still silent.
	LinkBack struct {
		Key   string
		Still []Failure
	}
	// CacheLost: the service runs, and has lost what it held of these, whose VMs come
	// back: there is nothing to repair.
	CacheLost struct {
		VM       string
		Service  component.Service
		Error    string
		Affected []migration.ID
	}
	// Identified: whom what has failed affects. The caller answers Verdict.Identify
	// with it, in the same write.
	Identified struct{ Affected, Held []migration.ID }
	// Repaired: the failure of the effect's is.
	Repaired struct{ Key string }
	// Failed: an effect failed.
	Failed struct {
		Key     string
		Failure migration.Failure
	}
	// Returned: every VM that Verdict.Return asked for is back.
	Returned struct{}
	// Looked: time has passed.
	Looked struct{}
	// Booted: the appliance came up, for the Epoch-th time.
	Booted struct{ Epoch int }
	// ResetAsked: a user wants a reset, in this epoch of the appliance, with these
	// epochs of the iofilter daemons by host; or declares, while one is under way,
	// that the cloud is dead.
	ResetAsked struct {
		Order   ResetOrder
		Epoch   int
		Filters map[string]uint64
	}
	// StepDone: the step of a reset is.
	StepDone struct {
		Key   string
		Epoch int // of the appliance
	}
)

func (Noticed) event()    {}
func (Probed) event()     {}
func (LinkLost) event()   {}
func (LinkBack) event()   {}
func (CacheLost) event()  {}
func (Identified) event() {}
func (Repaired) event()   {}
func (Failed) event()     {}
func (Returned) event()   {}
func (Looked) event()     {}
func (Booted) event()     {}
func (ResetAsked) event() {}
func (StepDone) event()   {}

// Verdict is what Decide makes of an event.
type Verdict struct {
	Recovery Recovery
	Effect   *Effect // to be done
	Cancel   string  // key of an effect that is to be told to stop
	// Identify: tell with Identified whom the failures affect that are not Judged.
	Identify bool
	// Return: everything is repaired. Affected migrations fail now, VMs that are on
	// the cloud cache come back, and held ones go on; then tell Returned (REC-12).
	Return bool
	// Reset: every step of a reset is done. Nothing is deployed any more, no VM is
	// on a cloud cache.
	Reset   bool
	Refused []migration.Reason // of what a user asked
	Ignored string             // why the event changed nothing; "" if it did
}

// Of says what has failed, for people: "Cloud Cache from HDM_Cloud_Cache-0".
func (f Failure) Of() string {
	switch {
	case f.VM == "":
		return "the link to the cloud"
	case f.Service == "":
		return f.VM
	}
	return fmt.Sprintf("%s from %s", f.Service, f.VM)
}
