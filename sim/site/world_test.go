package site

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/guest"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/vcenter"
	"github.com/hdm-project/hdm/sim/wan"
)

// start builds a world and collects its trace.
func start(t testing.TB, d Description, o Options) (*World, *[]kernel.Event) {
	t.Helper()
	k := kernel.New(1)
	trace := new([]kernel.Event)
	k.Observe(func(e kernel.Event) { *trace = append(*trace, e) })
	w, err := Build(k, d, o)
	require.NoError(t, err)
	t.Cleanup(func() {
		k.Close()
		assert.NoError(t, w.Close())
	})
	return w, trace
}

func run(t testing.TB, w *World, until time.Duration) {
	t.Helper()
	require.NoError(t, kernel.NewDriver(w.Kernel, 0, kernel.Limits{Wall: time.Minute}).Run(until, nil))
}

// said are the events of that kind as "subject key=value ...".
func said(trace []kernel.Event, kind string) (lines []string) {
	for _, e := range trace {
		if e.Kind == kind {
			line := e.Subject
			for _, a := range e.Attrs {
				line += " " + a.Key + "=" + a.Value
			}
			lines = append(lines, line)
		}
	}
	return lines
}

func TestAWorldIsWhatItsDescriptionSays(t *testing.T) {
	w, _ := start(t, worlds(t)["small"], Options{})
	vms := w.OnPremises.VCenter.VMs()
	require.Len(t, vms, 5)
	db := vms[0]
	assert.Equal(t, "db-01", db.Name)
	assert.Equal(t, "production", db.Pool)
	assert.Equal(t, vsphere.On, db.Power)
	assert.True(t, db.ToolsRunning, "it has been running for long")
	assert.Equal(t, int32(4), db.CPUs)
	assert.Equal(t, int32(16<<10), db.MemoryMB)
	require.Len(t, db.Disks, 2)
	assert.Equal(t, int64(40<<30), db.Disks[0].Disk.Capacity())
	assert.Equal(t, int64(9<<30), db.Disks[0].Disk.Used())
	assert.Equal(t, "db-01/0", db.Disks[0].Disk.ID())
	assert.Equal(t, []string{"vmxnet3", "e1000e"}, []string{db.NICs[0].Type, db.NICs[1].Type})
	assert.Equal(t, []string{"VM Network", "Backend"}, []string{db.NICs[0].Network, db.NICs[1].Network})
	assert.Equal(t, vsphere.Off, vms[4].Power)
	assert.False(t, vms[4].ToolsRunning)
	require.Len(t, w.Cloud.VCenter.VMs(), 1)
	assert.Equal(t, []string{"Cloud Net", "Cloud Backend"}, w.Cloud.VCenter.Networks())
	assert.Equal(t, []string{"tenant-a"}, w.Cloud.VCenter.Pools())
	free, err := w.OnPremises.VCenter.DatastoreFree("ds-01")
	require.NoError(t, err)
	assert.Equal(t, int64(20<<40-(9+14+3+3+22+12)<<30), free)
}

func TestEveryWorldOfTheScenariosIsBuiltTheSameEachTimeAndInEitherMode(t *testing.T) {
	for name, d := range worlds(t) {
		t.Run(name, func(t *testing.T) {
			hash := func(o Options) uint64 {
				w, _ := start(t, d, o)
				run(t, w, 2*time.Minute)
				return w.Kernel.Hash()
			}
			first := hash(Options{})
			assert.Equal(t, first, hash(Options{}))
			assert.Equal(t, first, hash(Options{Mode: SOAP}), "nothing was called yet")
		})
	}
}

func TestTheFactsReachTheVCenter(t *testing.T) {
	w, _ := start(t, worlds(t)["misfits"], Options{})
	vm := func(name string) (v struct {
		Connection string
		Template   bool
		Disks      int
	}) {
		got, ok := w.OnPremises.VCenter.VM(name)
		require.True(t, ok, name)
		v.Connection, v.Template, v.Disks = got.Connection, got.Template, len(got.Disks)
		return v
	}
	assert.Equal(t, "disconnected", vm("gone-01").Connection)
	assert.True(t, vm("template-01").Template)
	assert.Zero(t, vm("diskless-01").Disks)
	assert.Equal(t, "connected", vm("plain-01").Connection)
}

func TestGuestsOfRunningVMsWorkFromTheFirstMoment(t *testing.T) {
	_, trace := start(t, worlds(t)["tiny"], Options{})
	assert.Equal(t, []string{
		"vm-1 site=on-premises vm=vm-1", "vm-3 site=on-premises vm=vm-3", "vm-4 site=on-premises vm=vm-4",
	}, said(*trace, event.GuestStarted))
}

func TestAGuestThatIsAskedToShutDownDoesAndItsVMGoesOff(t *testing.T) {
	w, trace := start(t, worlds(t)["tiny"], Options{})
	w.Kernel.After(time.Second, func() { w.guests.shutDown(w.OnPremises, "vm-1") })
	w.Kernel.After(time.Second, func() { w.guests.shutDown(w.OnPremises, "vm-3") }) // has no tools: does not hear
	run(t, w, time.Minute)

	stopped := said(*trace, event.GuestStopped)
	require.Len(t, stopped, 1)
	assert.True(t, strings.HasPrefix(stopped[0], "vm-1 site=on-premises vm=vm-1 how=shutdown"), stopped[0])
	vm, _ := w.OnPremises.VCenter.VM("vm-1")
	assert.Equal(t, vsphere.Off, vm.Power)
	assert.False(t, vm.ToolsRunning)
	assert.Zero(t, vm.Disks[0].Disk.Unflushed())
	vm, _ = w.OnPremises.VCenter.VM("vm-3")
	assert.Equal(t, vsphere.On, vm.Power)
}

func TestAGuestWorksAfterItsBootTimeOnly(t *testing.T) {
	w, trace := start(t, worlds(t)["tiny"], Options{})
	w.Kernel.After(time.Second, func() {
		_, err := w.OnPremises.Power("vm-2", true) // takes 3 s, and the guest 10 s more
		assert.NoError(t, err)
	})
	run(t, w, 13*time.Second)
	vm, _ := w.OnPremises.VCenter.VM("vm-2")
	assert.Equal(t, vsphere.On, vm.Power)
	assert.False(t, vm.ToolsRunning)
	assert.Equal(t, []string{"vm-2"}, w.Booting())
	run(t, w, 15*time.Second)
	vm, _ = w.OnPremises.VCenter.VM("vm-2")
	assert.True(t, vm.ToolsRunning)
	assert.Contains(t, said(*trace, event.GuestStarted), "vm-2 site=on-premises vm=vm-2")

	assert.Empty(t, w.Booting())
	task, err := w.OnPremises.Power("vm-2", false)
	require.NoError(t, err)
	assert.Contains(t, strings.Join(said(*trace, event.TaskStarted), " "), "task="+task+" ")
	run(t, w, 20*time.Second)
	assert.True(t, strings.HasPrefix(said(*trace, event.GuestStopped)[0], "vm-2 site=on-premises vm=vm-2 how=power-off"))
}

func TestAnOperatorIsRefusedWhatTheVCenterRefuses(t *testing.T) {
	w, _ := start(t, worlds(t)["misfits"], Options{})
	_, err := w.OnPremises.Power("gone-01", false)
	assert.ErrorContains(t, err, "gone-01")
	_, err = w.OnPremises.Power("nobody", true)
	assert.ErrorContains(t, err, "nobody")
	assert.Empty(t, w.OnPremises.VCenter.Sessions())
}

func TestAnOperatorRestoresASnapshotByItsName(t *testing.T) {
	d := worlds(t)["pair"]
	d.OnPremises.VMs[0].Power, d.OnPremises.VMs[0].Snapshots = Off, []string{"first", "_hdm1"}
	w, trace := start(t, d, Options{})
	vm, _ := w.OnPremises.VCenter.VM("vm-1")
	_, err := vm.Disks[0].Disk.WriteAt([]byte("since then"), 0)
	require.NoError(t, err)
	before := make([]byte, 10)
	_, err = w.OnPremises.Revert("vm-1", "none")
	require.ErrorContains(t, err, "restore none of vm-1 at the site on-premises: the VM has no such snapshot")
	_, err = w.OnPremises.Revert("nobody", "_hdm1")
	require.ErrorContains(t, err, `no VM "nobody"`)
	task, err := w.OnPremises.Revert("vm-1", "_hdm1")
	require.NoError(t, err)
	assert.Contains(t, strings.Join(said(*trace, event.TaskStarted), " "), "task="+task+" ")
	run(t, w, time.Minute)
	assert.Equal(t, []string{"on-premises/vm-1 op=reverted name=_hdm1"}, said(*trace, event.VMSnapshot)[len(said(*trace, event.VMSnapshot))-1:])
	_, err = vm.Disks[0].Disk.ReadAt(before, 0)
	require.NoError(t, err)
	assert.NotEqual(t, "since then", string(before))
	assert.Empty(t, w.OnPremises.VCenter.Sessions())
}

func TestWhatAPersonShipsIsInTheCloudOffWithTheSameOnItsDisks(t *testing.T) {
	d := worlds(t)["pair"]
	d.OnPremises.VMs[0].Power = Off
	w, trace := start(t, d, Options{})
	require.NoError(t, w.Ship("vm-1", "vm-1 ARM image"))
	here, _ := w.OnPremises.VCenter.VM("vm-1")
	there, ok := w.Cloud.VCenter.VM("vm-1 ARM image")
	require.True(t, ok)
	assert.Equal(t, vsphere.Off, there.Power)
	assert.NotEqual(t, here.UUID, there.UUID, "it is another VM")
	require.Len(t, there.Disks, 2)
	for i := range there.Disks {
		assert.Equal(t, here.Disks[i].Disk.ID(), there.Disks[i].Disk.ID())
		assert.Equal(t, here.Disks[i].Disk.Used(), there.Disks[i].Disk.Used())
		same, block := here.Disks[i].Disk.Equal(there.Disks[i].Disk)
		assert.True(t, same, "block %#x", block)
	}
	assert.Zero(t, w.WAN.Carried(wan.ToCloud), "it did not cross the WAN")
	assert.Contains(t, strings.Join(said(*trace, event.VMCreated), "\n"), "cloud/vm-1 ARM image ")
	require.ErrorContains(t, w.Ship("vm-2", "x"), "vm-2 is powered on")
	require.ErrorContains(t, w.Ship("nobody", "x"), `no VM "nobody"`)
	require.ErrorContains(t, w.Ship("vm-1", "vm-1 ARM image"), "importing vm-1 as vm-1 ARM image")
}

func TestADescriptionThatCannotBeBuiltMakesNoWorld(t *testing.T) {
	_, err := Build(kernel.New(1), Description{OnPremises: Site{VMs: []VM{{}}}}, Options{})
	var at *PathError
	assert.ErrorAs(t, err, &at)
}

func TestWorldsSideBySideDoNotDisturbOneAnother(t *testing.T) {
	small := worlds(t)["small"]
	hash := func() uint64 {
		k := kernel.New(1)
		defer k.Close()
		w, err := Build(k, small, Options{})
		if !assert.NoError(t, err) {
			return 0
		}
		defer func() { assert.NoError(t, w.Close()) }()
		assert.NoError(t, kernel.NewDriver(k, 0, kernel.Limits{}).Run(time.Minute, nil))
		return k.Hash()
	}
	alone := hash()
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() { assert.Equal(t, alone, hash()) })
	}
	wait.Wait()
}

// other is a device of which only the image is its own.
type other struct {
	guest.Device
	image disk.Reader
}

func (o other) Boot(p []byte) error {
	_, err := o.image.ReadAt(p, 0)
	return err
}

func (o other) Image() disk.Reader { return o.image }

func TestAGuestDrivesTheDeviceThatItsVMHas(t *testing.T) {
	w, trace := start(t, decode(t, "on-premises: {vms: [{name: vm-1}, {name: vm-2, power: off}]}"), Options{})
	image := disk.New("vm-2/0", 20<<30)
	asked := map[string]int{}
	w.Device = func(p *Place, vm vcenter.VM, i int) guest.Device {
		asked[string(p.Site)+"/"+vm.Name]++
		if vm.Name != "vm-2" {
			return nil
		}
		return other{guest.Local(vm.Disks[i].Disk), image}
	}
	vm2, _ := w.OnPremises.VCenter.VM("vm-2")
	vm1, _ := w.OnPremises.VCenter.VM("vm-1")
	assert.Same(t, image, w.Images(w.OnPremises, vm2)[0], "what the device holds, be the VM on or off")
	assert.Equal(t, disk.Seen{Disk: vm1.Disks[0].Disk}, w.Images(w.OnPremises, vm1)[0])
	assert.Empty(t, w.Images(w.OnPremises, vcenter.VM{}))

	before := asked["on-premises/vm-2"]
	w.Kernel.After(time.Second, func() {
		_, err := w.OnPremises.Power("vm-2", true)
		assert.NoError(t, err)
	})
	run(t, w, 5*time.Second)
	assert.Equal(t, before+1, asked["on-premises/vm-2"], "asked at the power-on")
	run(t, w, time.Hour)
	assert.NotContains(t, strings.Join(said(*trace, event.GuestStarted), "\n"), "vm-2", "its boot block is not on the device")
}

func TestToolsThatAreLateInTheCloudAreInTimeOnPremises(t *testing.T) {
	for _, c := range []struct {
		site  string
		tools bool
	}{{"cloud", true}, {"on-premises", false}} {
		w, _ := start(t, decode(t, "on-premises: {vms: [{name: a, power: off, tools-late: {never: true, site: "+c.site+"}}]}"), Options{})
		w.Kernel.After(0, func() {
			_, err := w.OnPremises.Power("a", true)
			assert.NoError(t, err)
		})
		run(t, w, 10*time.Minute)
		vm, _ := w.OnPremises.VCenter.VM("a")
		assert.Equal(t, c.tools, vm.ToolsRunning)
		assert.Empty(t, w.Booting(), "the guest itself is up")
	}
}

func TestAResetIsABoot(t *testing.T) {
	w, trace := start(t, decode(t, "on-premises: {vms: [{name: a, power: off, tools-late: {boots: 1}}]}"), Options{})
	power := func(at time.Duration, on bool) {
		w.Kernel.After(at, func() {
			_, err := w.OnPremises.Power("a", on)
			assert.NoError(t, err)
		})
	}
	power(0, true)
	run(t, w, 5*time.Minute)
	vm, _ := w.OnPremises.VCenter.VM("a")
	assert.False(t, vm.ToolsRunning)
	w.Kernel.After(0, func() {
		person := w.OnPremises.VCenter.Direct("operator")
		user := w.OnPremises.VCenter.Credentials()
		password, _ := user.Password()
		_, err := methods.Login(t.Context(), person, &types.Login{This: sessionManager, UserName: user.Username(), Password: password})
		assert.NoError(t, err)
		_, err = methods.ResetVM_Task(t.Context(), person, &types.ResetVM_Task{This: vm.Ref})
		assert.NoError(t, err)
	})
	run(t, w, 10*time.Minute)
	vm, _ = w.OnPremises.VCenter.VM("a")
	assert.True(t, vm.ToolsRunning)
	assert.Len(t, said(*trace, event.GuestStarted), 2)
}
