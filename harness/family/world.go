package family

import (
	"time"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/outcome"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/sim/site"
)

// Names in the worlds of families.
const (
	subject = "vm-1" // the VM that is migrated
	spare   = "vm-2" // one that is not, for whoever tries afterwards whether migrations work
)

// course is how a run goes until the failure, and after it.
type course struct {
	mode  string // of the deployment
	bus   faults.Bus
	after time.Duration // the failure comes so long after the place is reached
}

// usual is the course of most members.
var usual = course{mode: "standard"}

// world is one of the fewest and smallest VMs that show anything.
func world() site.Description {
	size := func(n float64) *site.Size { s := site.Size(n * float64(site.MB)); return &s }
	latency := 20 * time.Millisecond
	rate := 2.0
	span := 256 * site.KB
	quick, down := 10*time.Second, 5*time.Second
	var d site.Description
	d.OnPremises.VMs = []site.VM{
		{Name: subject, Disks: []site.Disk{{Capacity: 8 * site.MB, Used: size(6)}, {Capacity: 4 * site.MB, Used: size(1)}}},
		{Name: spare, Disks: []site.Disk{{Capacity: 4 * site.MB, Used: size(1)}}},
	}
	d.Guests.Workload = &site.Workload{Kind: "random", Rate: &rate, Span: span, FlushEvery: 3 * time.Second}
	d.Guests.BootTime, d.Guests.StopTime = &quick, &down
	d.Links.WAN.Latency, d.Links.WAN.Bandwidth = &latency, site.Rate(1e6/8)
	return d
}

// scenario is a run that comes to a place, without a failure yet.
func (c course) scenario(at outcome.Place) *scenario.Scenario {
	s := &scenario.Scenario{IdleSteps: true, World: scenario.World{Description: world()}}
	if c.bus != "" {
		s.Bus = &scenario.Bus{Queues: c.bus}
	}
	s.Steps = append(s.Steps, scenario.Step{Trigger: faults.AtTime(0), Deploy: &scenario.Deploy{Mode: c.mode}})
	order := &scenario.Migrate{VM: subject, Request: "r-1", Type: at.Type, Target: scenario.Target{Networks: map[string]string{"VM Network": "Cloud Net"}}}
	if c.bus != "" && (at.Type == migration.Cold || at.Type == migration.Warm) {
		order.By = "message"
	}
	step := scenario.Step{Trigger: whenUp(time.Minute), Migrate: order}
	switch at.Type {
	case outcome.Idle:
		return s
	case migration.Cold:
		s.Steps = append(s.Steps, step)
	case migration.Warm:
		s.Steps = append(s.Steps, step)
		c.lead(s, order)
	default:
		order.Type = migration.TBC
		s.Steps = append(s.Steps, step, scenario.Step{Trigger: faults.AtTime(0), Settings: &scenario.Settings{FlushEvery: map[string]scenario.Duration{"Cluster": scenario.Duration(5 * time.Minute)}}})
		if at.Type == migration.Back {
			s.Steps = append(s.Steps, scenario.Step{Trigger: completed(7 * time.Minute), MigrateBack: &scenario.MigrateBack{VM: subject, Request: "r-2"}})
		}
	}
	return s
}

// lead says the words that a warm migration waits for, if it does.
func (c course) lead(s *scenario.Scenario, order *scenario.Migrate) {
	if order.By == "message" {
		order.Transfer = "online"
		return
	}
	waits := func(n int) faults.Trigger {
		return faults.Trigger{When: &faults.When{VM: subject, Type: migration.Warm, Enters: string(migration.Waiting), Occurrence: n, After: faults.Duration(10 * time.Second)}}
	}
	word := &scenario.Word{VM: subject}
	s.Steps = append(s.Steps,
		scenario.Step{Trigger: waits(1), StartTransfer: word},
		scenario.Step{Trigger: waits(2), ConfigureSync: word},
		scenario.Step{Trigger: waits(3), Commit: word})
}

func whenUp(after time.Duration) faults.Trigger {
	return faults.Trigger{When: &faults.When{Deployment: faults.Deployed, After: faults.Duration(after)}}
}

func completed(after time.Duration) faults.Trigger {
	return faults.Trigger{When: &faults.When{VM: subject, Type: migration.TBC, Enters: string(migration.Completed), After: faults.Duration(after)}}
}

// reached is the trigger of a place.
func (c course) reached(at outcome.Place) faults.Trigger {
	switch at.Type {
	case outcome.Idle:
		return whenUp(5*time.Minute + c.after)
	case outcome.Bound:
		return completed(12*time.Minute + c.after)
	}
	return faults.Trigger{When: &faults.When{VM: subject, Type: at.Type, Enters: string(at.Step), After: faults.Duration(c.after)}}
}

// first is what has a recovery bring the subject back.
func first() faults.Fault {
	return faults.Fault{Trigger: completed(12 * time.Minute), ComponentVMReboot: &faults.ComponentVMReboot{VM: cacheVM}}
}
