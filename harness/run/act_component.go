package run

import (
	"errors"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/faults"
	simcomponent "github.com/hdm-project/hdm/sim/component"
	"github.com/hdm-project/hdm/sim/disk"
)

// claimedCommand is a fault of commands to component VMs, counting those that
// match.
type claimedCommand struct {
	fault    int
	commands *faults.ComponentCommands
	act      simcomponent.Act
	seen     int
}

// armComponent makes a fault of a component act, and says whether it is one. What
// does not run cannot fail: then it has not acted.
func (st *stage) armComponent(i int, f *faults.Fault) bool {
	host := st.world.Components
	switch k := f.Kind().(type) {
	case *faults.ComponentCrash:
		st.once(i, host.Crash(k.VM, k.Service))
	case *faults.ComponentKill:
		st.once(i, host.Kill(k.VM, k.Service))
	case *faults.ComponentRestart:
		st.once(i, host.Restart(k.VM, k.Service))
	case *faults.ComponentHang:
		d, ends := k.Lasts().Time()
		if !ends {
			d = 0 // for ever
		}
		if host.Hang(k.VM, k.Service, d) == nil {
			st.lasts(i, k.Lasts(), func() {})
		}
	case *faults.ComponentVMReboot:
		st.reboot(i, k)
	case *faults.CommandLost:
		st.claimCommand(i, &k.ComponentCommands, simcomponent.LoseAnswer)
	case *faults.CommandHang:
		st.claimCommand(i, &k.ComponentCommands, simcomponent.Hang)
	case *faults.DeviceError:
		st.once(i, host.FailDevice(k.VM, deployment.Use(k.Use), disk.Op(k.Op), failures[k.Error], k.Count()))
	case *faults.FlushTorn:
		st.once(i, st.failFlush(k.VM, disk.ErrTorn, 1))
	case *faults.FlushFails:
		st.once(i, st.failFlush(k.VM, disk.ErrIO, k.Count()))
	default:
		return false
	}
	return true
}

// failures are the errors of disks as faults name them.
var failures = map[faults.Errno]error{faults.EIO: disk.ErrIO, faults.ENOSPC: disk.ErrNoSpace}

var errNotBound = errors.New("it is not on a cloud cache: it has no flush that could fail")

// failFlush makes the next writes fail with which flushes of a VM come to its own
// disks on premises.
func (st *stage) failFlush(name string, err error, times int) error {
	b := st.story.byVM[name]
	v, ok := st.vcenter(vsphere.OnPremises).VM(name)
	if b == nil || b.ended || !ok || len(v.Disks) == 0 {
		return errNotBound
	}
	hit := 0
	for _, d := range v.Disks {
		d.Disk.SetFault(func(op disk.Op, _ int64, _ int) error {
			if op != disk.Write || hit >= times {
				return nil
			}
			hit++
			return err
		})
	}
	return nil
}

func (st *stage) claimCommand(i int, commands *faults.ComponentCommands, act simcomponent.Act) {
	st.acting.commands = append(st.acting.commands, &claimedCommand{fault: i, commands: commands, act: act})
}

// interceptCommand lets the faults of commands act on one as it is sent.
func (st *stage) interceptCommand(vm string, c component.Command) simcomponent.Act {
	act := simcomponent.Pass
	left := st.acting.commands[:0]
	for _, f := range st.acting.commands {
		if !f.commands.Match(vm, c.Verb) {
			left = append(left, f)
			continue
		}
		f.seen++
		if f.commands.Hits(f.seen) && act == simcomponent.Pass {
			act = f.act
			st.begin(f.fault)
		}
		if f.seen < f.commands.Last() {
			left = append(left, f)
		} else if st.acting.acted[f.fault] {
			st.end(f.fault)
		}
	}
	st.acting.commands = left
	return act
}
