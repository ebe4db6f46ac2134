// Package health is what HDM says of its own state, in the guide's words
// (System Health; Health State in the SQS Heartbeat).
//
// It decides from the state of the components whether HDM is ready, and the
// text that goes with it. It probes nothing, repairs nothing and asks no clock:
// who watches the components tells it. Every surface that shows the state shows
// this one.
package health

import (
	"fmt"
	"slices"
	"strings"
)

// Status of HDM as a whole.
type Status string

// The statuses, in the guide's words.
const (
	Ready    Status = "Ready"
	NotReady Status = "Not Ready"
)

// The components of an appliance without component VMs: itself, and its
// connections to the two vCenters. The guide names no component for those; these
// names are ours.
const (
	Appliance  = "Appliance" // until it has taken up what an earlier boot left
	OnPremises = "On Prem vCenter"
	Cloud      = "Cloud vCenter"
)

// The texts of a heartbeat's status_details (HLT-07, SQS-02).
const (
	allUp    = "All the components are deployed and up."
	notUp    = "Services not ready or down "
	rebooted = "HDM infrastructure VM rebooted or faulted "
)

// State is what every surface shows.
type State struct {
	Status  Status
	Details string
}

// Of is the state of HDM when these components are not ready or down, and these
// component VMs have rebooted or are faulted, each in the order in which they are
// to be named. VMs are named before the services in them.
func Of(down, vms []string) State {
	switch {
	case len(vms) > 0:
		quoted := make([]string, len(vms))
		for i, vm := range vms {
			quoted[i] = fmt.Sprintf("'%s'", vm)
		}
		return State{NotReady, rebooted + "[" + strings.Join(quoted, ", ") + "]"}
	case len(down) > 0:
		return State{NotReady, notUp + strings.Join(down, ", ")}
	}
	return State{Ready, allUp}
}

// Ready says whether new requests are served.
func (s State) Ready() bool { return s.Status == Ready }

func (s State) String() string { return string(s.Status) + ": " + s.Details }

// Level is how well one component does, and its color in the appliance's control
// panel (HLT-03, HLT-05).
type Level string

// The levels, in the guide's words; Degraded is what it calls yellow.
const (
	Healthy  Level = "Healthy"  // blue
	Degraded Level = "Degraded" // yellow: it serves, but its redundancy is lost or it is being repaired
	Poor     Level = "Poor"     // red: it has failed
)

// Color of a level.
func (l Level) Color() string {
	switch l {
	case Healthy:
		return "blue"
	case Degraded:
		return "yellow"
	}
	return "red"
}

// Component is one component as the panel shows it.
type Component struct {
	Name  string // of the service, or of a vCenter: "Cloud Cache", "On Prem vCenter"
	VM    string // that it runs in; "" if in none
	Level Level
	Error string // what is wrong; "" if nothing is
}

// Panel is the whole of what the appliance's control panel and the dashboard in
// vCenter show (HLT-03 to -05).
type Panel struct {
	State
	Components []Component
	// Notice is what the dashboard says; "" while all is well. It begins with
	// "Services not ready or down", whatever the details name (HLT-04).
	Notice string
	// Reset is why a reset is offered; "" if it is not (RST-01).
	Reset string
}

// Equal says whether both show the same.
func (p Panel) Equal(q Panel) bool {
	return p.State == q.State && p.Notice == q.Notice && p.Reset == q.Reset && slices.Equal(p.Components, q.Components)
}
