package run

import (
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/guest"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/vcenter"
)

// never is so long that no run sees its end.
const never = time.Duration(math.MaxInt64 / 4)

// forSoLong is a span as the world takes it.
func forSoLong(s faults.Span) time.Duration {
	if d, ends := s.Time(); ends {
		return d
	}
	return never
}

// Why the world would not have a fault.
var (
	errVCenterDown = errors.New("the vCenter was down already")
	errNoSession   = errors.New("HDM had no session there")
	errStillOn     = errors.New("the vCenter did not power it off")
)

// armPlace makes a fault of a vCenter, or of what a site has, act, and says
// whether it is one. What the world refuses has not acted.
func (st *stage) armPlace(i int, f *faults.Fault) bool {
	switch k := f.Kind().(type) {
	case *faults.HostRestart:
		if err := st.vcenter(k.Site).RestartHost(k.Host.Host, forSoLong(k.Lasts())); err != nil {
			st.refuse(i, err)
			break
		}
		st.lasts(i, k.Lasts(), func() {})
	case *faults.HostDisconnect:
		st.hold(i, k, func(on bool) error { return st.vcenter(k.Site).DisconnectHost(k.Host.Host, on) })
	case *faults.IOFilterRestart:
		st.once(i, st.vcenter(vsphere.OnPremises).RestartFilter(k.Host))
	case *faults.VCenterRestart:
		if st.vcenter(k.Site).Down() {
			st.refuse(i, errVCenterDown)
			break
		}
		st.vcenter(k.Site).Restart(forSoLong(k.Lasts()))
		st.lasts(i, k.Lasts(), func() {})
	case *faults.SessionExpiry:
		n, err := st.world.At(k.Site).EndSessions(agent + " boot-")
		if n == 0 && err == nil {
			err = errNoSession
		}
		st.once(i, err)
	case *faults.DatastoreFull:
		st.hold(i, k, func(on bool) error { return st.vcenter(k.Site).FillDatastore(k.Datastore.Datastore, on) })
	case *faults.DatastoreError:
		st.hold(i, k, func(on bool) error {
			return st.vcenter(k.Site).FailDatastore(k.Datastore.Datastore, string(k.Op), on)
		})
	case *faults.StorageCorrupt:
		err := st.vcenter(k.Site).Corrupt(k.VM, k.Disk, k.Block, false)
		if err == nil {
			st.kernel.Emit(event.DiskDamaged, string(k.Site)+"/"+k.VM, "disk", strconv.Itoa(k.Disk), "block", strconv.FormatInt(k.Block, 10))
		}
		st.once(i, err)
	case *faults.GuestLate:
		late := guest.ToolsLate{Site: string(vsphere.Cloud), Boots: k.Without()}
		st.refuse(i, st.world.Guests().Late(k.VM, late, func(boot int) { st.met(i, boot, k.Without()) }))
	case *faults.GuestNever:
		late := guest.ToolsLate{Site: string(vsphere.Cloud), Never: true}
		st.refuse(i, st.world.Guests().Late(k.VM, late, func(int) { st.begin(i) }))
	default:
		return false
	}
	return true
}

func (st *stage) vcenter(at vsphere.Site) *vcenter.VCenter { return st.world.At(at).VCenter }

// reboot takes a component VM's power in its vCenter, and gives it back.
func (st *stage) reboot(i int, k *faults.ComponentVMReboot) {
	at := component.SiteOf(k.VM)
	place := st.world.At(at)
	task, err := place.Power(k.VM, false)
	if err != nil {
		st.refuse(i, err)
		return
	}
	st.acting.open++
	st.acting.reboots[string(at)+"/"+task] = func(done bool) {
		st.acting.open--
		if !done {
			st.refuse(i, errStillOn)
			return
		}
		st.lasts(i, k.Lasts(), func() { _, _ = place.Power(k.VM, true) }) // HDM may have been first
	}
}

// rebooted hears of the ends of tasks that faults started.
func (st *stage) rebooted(e kernel.Event) {
	if e.Kind != event.TaskFinished || len(st.acting.reboots) == 0 {
		return
	}
	key := e.Subject + "/" + e.Attr("task")
	if fn := st.acting.reboots[key]; fn != nil {
		delete(st.acting.reboots, key)
		done := e.Attr("state") == string(vsphere.TaskSuccess)
		st.kernel.After(0, func() { fn(done) }) // not in the middle of the event
	}
}

// filterHosts are the hosts on premises that have the IO filter.
func (st *stage) filterHosts() (hosts []string) {
	for _, f := range st.vcenter(vsphere.OnPremises).Filters() {
		if f.Installed {
			hosts = append(hosts, f.Host)
		}
	}
	return hosts
}
