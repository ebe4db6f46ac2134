package faults

import (
	"fmt"
	"slices"
	"time"
)

// DefaultDowntime is how long an appliance takes to restart (guide, HDM
// Appliance Restart: about two minutes).
const DefaultDowntime = Duration(2 * time.Minute)

// CrashPoint is a place in the appliance's work at which it can lose its power.
type CrashPoint string

// The crash points, in the order of one turn of the appliance's loop.
const (
	BeforeWrite             CrashPoint = "before-write"              // a change is decided, nothing of it written
	WrittenNotSynced        CrashPoint = "written-not-synced"        // the power cut keeps or loses the batch whole
	SyncedBeforeEffect      CrashPoint = "synced-before-effect"      // durable, and nothing of it done
	AppliedBeforeCompletion CrashPoint = "applied-before-completion" // the vCenter did it, the journal does not say so
)

// CrashPoints are all of them, in order.
func CrashPoints() []CrashPoint {
	return []CrashPoint{BeforeWrite, WrittenNotSynced, SyncedBeforeEffect, AppliedBeforeCompletion}
}

// ApplianceRestart cuts the appliance's power and boots it again.
type ApplianceRestart struct {
	// For is how long it is down; default DefaultDowntime.
	For Duration `yaml:"for,omitempty" nonzero:"default"`
	// CrashPoint: not at once when the trigger holds, but at the Nth time from
	// then on that the appliance gets there.
	CrashPoint CrashPoint `yaml:"crash-point,omitempty" jsonschema:"enum=before-write,enum=written-not-synced,enum=synced-before-effect,enum=applied-before-completion"`
	// Nth counts from 1; 0 means 1.
	Nth int `yaml:"nth,omitempty" nonzero:"count from 1"`
}

// Name implements Kind.
func (*ApplianceRestart) Name() string { return "appliance-restart" }

// Target implements Kind.
func (r *ApplianceRestart) Target() string {
	if r.CrashPoint == "" {
		return "appliance"
	}
	return fmt.Sprintf("appliance %s %d", r.CrashPoint, r.Time())
}

// Downtime is how long the appliance is down.
func (r *ApplianceRestart) Downtime() Duration {
	if r.For == 0 {
		return DefaultDowntime
	}
	return r.For
}

// Lasts is its downtime.
func (r *ApplianceRestart) Lasts() Span { return Span(r.Downtime()) }

// clash: where a crash point decides the moment, the order is the run's.
func (r *ApplianceRestart) clash(other Kind) string {
	if o := other.(*ApplianceRestart); r.CrashPoint == "" && o.CrashPoint == "" {
		return "the appliance would restart while it is down"
	}
	return ""
}

// Time is which arrival at the crash point is meant, from 1.
func (r *ApplianceRestart) Time() int { return max(r.Nth, 1) }

func (r *ApplianceRestart) check(c *checker) {
	c.positive("for", r.Downtime())
	if r.CrashPoint != "" && !slices.Contains(CrashPoints(), r.CrashPoint) {
		c.fail("crash-point", "use one of "+list(CrashPoints()), "there is no crash point %q", r.CrashPoint)
	}
	c.nth(r.Nth)
	if r.Nth > 0 && r.CrashPoint == "" {
		c.fail("nth", "add a crash-point, or leave nth out", "it counts arrivals at a crash point, and there is none")
	}
}
