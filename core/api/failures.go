package api

import (
	"slices"
	"time"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
)

// Dashboard is the answer of PathDashboard: what the plug-in in vCenter shows of
// HDM as a whole (HLT-04).
type Dashboard struct {
	Status  string `json:"status"` // "Ready" or "Not Ready"
	Details string `json:"details"`
	// Good: nothing is red or yellow (HLT-03).
	Good   bool   `json:"good"`
	Notice string `json:"notice,omitempty"` // begins with "Services not ready or down"
	Reset  string `json:"reset,omitempty"`  // why an HDM reset is offered (RST-01)
}

// Panel is the answer of PathPanel: what the appliance's control panel shows
// (HLT-05).
type Panel struct {
	Dashboard
	Components []Component `json:"components"`
}

// Component of HDM. One that is in no VM of HDM's has none.
type Component struct {
	Name  string `json:"name"`
	VM    string `json:"vm,omitempty"`
	State string `json:"state"` // "Healthy", "Degraded" or "Poor"
	Color string `json:"color"` // "blue", "yellow" or "red"
	Error string `json:"error,omitempty"`
}

// Event is one event of HDM's own log (HLT-06).
type Event struct {
	Number int       `json:"number"`
	At     time.Time `json:"at"`
	Type   string    `json:"type"`
	Text   string    `json:"text"`
}

// Events is the answer of PathEvents, the newest last.
type Events struct {
	Events []Event `json:"events"`
}

// Recovery is the answer of PathRecovery: what HDM does about failures.
type Recovery struct {
	Number   int       `json:"number"` // counts the recoveries
	Phase    string    `json:"phase"`  // "healthy" if it does nothing
	Since    time.Time `json:"since,omitzero"`
	Failures []Failure `json:"failures"`
	Affected []string  `json:"affected"` // migrations whose VMs come back
	Held     []string  `json:"held"`     // migrations that wait for the repair
	Multiple bool      `json:"multiple"` // several parts have failed
	Offered  string    `json:"offered,omitempty"`
	Fatal    string    `json:"fatal,omitempty"`
	Reset    string    `json:"reset,omitempty"` // the step of a reset that is under way
}

// Failure is one part of HDM that has failed.
type Failure struct {
	VM       string    `json:"vm,omitempty"` // a component VM or an ESXi host; none: the link to the cloud
	Service  string    `json:"service,omitempty"`
	Cause    string    `json:"cause,omitempty"` // none: not known yet
	At       time.Time `json:"at"`
	Error    string    `json:"error,omitempty"`
	Repaired bool      `json:"repaired"`
}

// Leftover is what a failed migration has left in the cloud, until a user has it
// deleted (WARM-06).
type Leftover struct {
	Migration string   `json:"migration"`
	VM        string   `json:"vm"`
	Left      []string `json:"left"`
}

// Leftovers is the answer of PathLeftovers.
type Leftovers struct {
	Leftovers []Leftover `json:"leftovers"`
}

func dashboard(p health.Panel) Dashboard {
	good := !slices.ContainsFunc(p.Components, func(c health.Component) bool { return c.Level != health.Healthy })
	return Dashboard{Status: string(p.Status), Details: p.Details, Good: good && p.Ready(), Notice: p.Notice, Reset: p.Reset}
}

func panel(p health.Panel) Panel {
	said := Panel{Dashboard: dashboard(p), Components: []Component{}}
	for _, c := range p.Components {
		said.Components = append(said.Components, Component{Name: c.Name, VM: c.VM, State: string(c.Level), Color: c.Level.Color(), Error: c.Error})
	}
	return said
}

func events(log []appliance.Note) Events {
	said := Events{Events: []Event{}}
	for _, n := range log {
		said.Events = append(said.Events, Event(n))
	}
	return said
}

func recovering(r recovery.Recovery) Recovery {
	said := Recovery{
		Number: r.Number, Phase: string(r.Phase), Since: r.Since, Multiple: r.Multiple, Offered: r.Offered, Fatal: r.Fatal,
		Reset: string(r.Reset.Step), Failures: []Failure{}, Affected: texts(r.Affected), Held: texts(r.Held),
	}
	if r.Phase == recovery.Healthy {
		said.Phase = "healthy"
	}
	for _, f := range r.Failures {
		said.Failures = append(said.Failures, Failure{
			VM: f.VM, Service: string(f.Service), Cause: string(f.Cause), At: f.At, Error: f.Error, Repaired: f.Repaired,
		})
	}
	return said
}

func texts(ids []migration.ID) []string {
	all := make([]string, 0, len(ids))
	for _, id := range ids {
		all = append(all, string(id))
	}
	return all
}

func leftovers(left []migration.Migration) Leftovers {
	said := Leftovers{Leftovers: []Leftover{}}
	for _, m := range left {
		l := Leftover{Migration: string(m.ID), VM: m.Order.VM}
		for _, what := range m.Leftovers {
			l.Left = append(l.Left, what.String())
		}
		said.Leftovers = append(said.Leftovers, l)
	}
	return said
}
