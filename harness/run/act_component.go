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

// commandFault is a fault of commands to component VMs.
type commandFault struct {
	*faults.ComponentCommands
	act simcomponent.Act
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
		if err := host.Hang(k.VM, k.Service, d); err != nil {
			st.refuse(i, err)
			break
		}
		st.lasts(i, k.Lasts(), func() {})
	case *faults.ComponentVMReboot:
		st.reboot(i, k)
	case *faults.CommandLost:
		st.claimCommand(i, &k.ComponentCommands, simcomponent.LoseAnswer)
	case *faults.CommandHang:
		st.claimCommand(i, &k.ComponentCommands, simcomponent.Hang)
	case *faults.DeviceError:
		st.refuse(i, host.FailDevice(k.VM, deployment.Use(k.Use), disk.Op(k.Op), failures[k.Error], k.Count(), func(hit int) { st.met(i, hit, k.Count()) }))
	case *faults.FlushTorn:
		st.refuse(i, st.failFlush(i, k.VM, disk.ErrTorn, 1))
	case *faults.FlushFails:
		st.refuse(i, st.failFlush(i, k.VM, disk.ErrIO, k.Count()))
	default:
		return false
	}
	return true
}

// failures are the errors of disks as faults name them.
var failures = map[faults.Errno]error{faults.EIO: disk.ErrIO, faults.ENOSPC: disk.ErrNoSpace}

var errNotBound = errors.New("it is not on a cloud cache: it has no flush that could fail")

// failFlush arms fault i: the next writes fail with which flushes of a VM come to
// its own disks on premises, until it is let go of.
func (st *stage) failFlush(i int, name string, err error, times int) error {
	b := st.story.byVM[name]
	v, ok := st.vcenter(vsphere.OnPremises).VM(name)
	if b == nil || b.ended || !ok || len(v.Disks) == 0 {
		return errNotBound
	}
	hit := 0
	for _, d := range v.Disks {
		d.Disk.SetFault(func(op disk.Op, _ int64, _ int) error {
			if op != disk.Write || hit >= times || b.ended {
				return nil
			}
			hit++
			st.met(i, hit, times)
			return err
		})
	}
	return nil
}

func (st *stage) claimCommand(i int, commands *faults.ComponentCommands, act simcomponent.Act) {
	st.acting.commands = append(st.acting.commands, &claim[commandFault]{fault: i, of: commandFault{commands, act}})
}

// interceptCommand lets the faults of commands act on one as it is sent.
func (st *stage) interceptCommand(vm string, c component.Command) simcomponent.Act {
	f, _ := count(st, &st.acting.commands, func(f commandFault) bool { return f.Match(vm, c.Verb) })
	return f.act // of none: it passes
}
