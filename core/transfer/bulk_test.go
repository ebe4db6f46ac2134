package transfer_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/transfer"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/machine"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/transport"
	"github.com/hdm-project/hdm/sim/wan"
)

// world has one VM of two disks, 1 GB in use of each, and a link that takes
// about twenty minutes for them.
type world struct {
	*site.World
	t       *testing.T
	machine *machine.Machine
	seen    []vsphere.Progress

	stalls     vsphere.Site  // streams to or from there stand still
	stallsFrom time.Duration // from then on
	corrupts   vsphere.Site  // streams to or from there are changed on the way
}

func newWorld(t *testing.T, mode site.Mode) *world {
	t.Helper()
	used := site.Size(1 << 30)
	disk := site.Disk{Capacity: 4 << 30, Used: &used}
	k := kernel.New(7)
	w, err := site.Build(k, site.Description{
		OnPremises: site.Site{VMs: []site.VM{{Name: "db-01", Power: site.Off, Disks: []site.Disk{disk, disk}}}},
		Links:      site.Links{WAN: site.Link{Bandwidth: 2 << 20}},
	}, site.Options{Mode: mode})
	require.NoError(t, err)
	t.Cleanup(func() {
		k.Close()
		require.NoError(t, w.Close())
	})
	return &world{World: w, t: t, machine: w.Appliance()}
}

// bulk runs one transfer as the appliance would, and then lets an hour pass.
func (w *world) bulk() (result transfer.Result, err error) {
	w.t.Helper()
	return w.bulkUnder(context.Background())
}

func (w *world) bulkUnder(parent context.Context) (result transfer.Result, err error) {
	w.t.Helper()
	ended := false
	w.machine.Go(parent, "test", func(ctx context.Context) {
		result, err = w.attempt(ctx)
		ended = true
	})
	w.pass(24 * time.Hour)
	require.True(w.t, ended, "the transfer still waits")
	return result, err
}

func (w *world) attempt(ctx context.Context) (transfer.Result, error) {
	here, err := w.open(ctx, vsphere.OnPremises)
	if err != nil {
		return transfer.Result{}, err
	}
	defer here.Close(ctx)
	there, err := w.open(ctx, vsphere.Cloud)
	if err != nil {
		return transfer.Result{}, err
	}
	defer there.Close(ctx)
	r, err := there.Resources(ctx)
	if err != nil {
		return transfer.Result{}, err
	}
	vm, _ := w.OnPremises.VCenter.VM("db-01")
	return transfer.Bulk(ctx, w.machine, here, there, transfer.Spec{
		Source: vsphere.Ref(vm.Ref.String()), Name: "db-01", Mark: "hdm/m-1", BIOSUUID: vm.UUID,
		Pool: r.Pools[0].Ref, Datastore: r.Datastores[0].Name, Host: r.Hosts[0].Ref,
		Networks: map[string]string{"VM Network": "Cloud Net"},
	}, func(p vsphere.Progress) { w.seen = append(w.seen, p) })
}

func (w *world) open(ctx context.Context, s vsphere.Site) (*vsphere.Session, error) {
	e := w.At(s).Path.Endpoint("hdm-appliance/test")
	e.HTTP = &meddler{world: w, inner: e.HTTP, stalls: w.stalls == s, corrupts: w.corrupts == s}
	return vsphere.NewClient(w.machine, e).Open(ctx)
}

// pass lets virtual time pass.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	require.NoError(w.t, kernel.NewDriver(w.Kernel, 0, kernel.Limits{Events: 1e6, Wall: time.Minute}).Run(w.Kernel.Now()+d, nil))
}

// at lets fn act on the world that long after the start.
func (w *world) at(d time.Duration, fn func()) { w.Kernel.After(d, fn) }

// strike lets act meet the calls of method from the nth on, that many times.
func (w *world) strike(s vsphere.Site, method string, nth, times int, act transport.Act) {
	w.At(s).Path.Intercept = func(c transport.Call) transport.Act {
		if c.Method == method && c.Nth >= nth && c.Nth < nth+times {
			return act
		}
		return transport.Pass()
	}
}

// nothingLeft says that a failed transfer left nothing behind.
func (w *world) nothingLeft() {
	w.t.Helper()
	assert.Empty(w.t, w.Cloud.VCenter.VMs(), "a VM in the cloud")
	for _, p := range w.Places() {
		assert.Empty(w.t, p.VCenter.Sessions(), "a session at %s", p.Site)
		for _, l := range p.VCenter.Leases() {
			assert.NotEmpty(w.t, l.End, "lease %s at %s", l.ID, p.Site)
		}
	}
	vm, _ := w.OnPremises.VCenter.VM("db-01")
	assert.False(w.t, vm.Busy)
}

func (w *world) same() {
	w.t.Helper()
	from, _ := w.OnPremises.VCenter.VM("db-01")
	to, ok := w.Cloud.VCenter.VM("db-01")
	require.True(w.t, ok)
	require.Len(w.t, to.Disks, len(from.Disks))
	for i := range from.Disks {
		equal, block := from.Disks[i].Disk.Equal(to.Disks[i].Disk)
		assert.True(w.t, equal, "disk %d differs at block %d", i, block)
	}
}

func TestACopyIsTheVMByteForByte(t *testing.T) {
	for _, mode := range []site.Mode{site.Direct, site.SOAP} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, mode)
			result, err := w.bulk()
			require.NoError(t, err)
			w.same()
			require.Len(t, result.Disks, 2)
			assert.Equal(t, result.Bytes, result.Disks[0].Bytes+result.Disks[1].Bytes)
			assert.Len(t, result.Disks[0].SHA256, 64)
			to, _ := w.Cloud.VCenter.VM("db-01")
			assert.Equal(t, result.Copy, vsphere.Ref(to.Ref.String()))
			assert.Equal(t, "hdm/m-1", to.Marks[vsphere.MarkWhole])
			for _, p := range w.Places() {
				for _, l := range p.VCenter.Leases() {
					assert.Equal(t, "completed", l.End)
				}
			}
		})
	}
}

func TestProgressRisesWhileTheDataCrosses(t *testing.T) {
	w := newWorld(t, site.Direct)
	shown := map[string]int32{}
	w.at(10*time.Minute, func() {
		for _, p := range w.Places() {
			for _, task := range p.VCenter.Tasks() {
				shown[task.Method] = task.Progress
			}
		}
	})
	_, err := w.bulk()
	require.NoError(t, err)
	for _, task := range []string{"ExportVm", "ImportVApp"} {
		assert.Greater(t, shown[task], int32(30), "people see it in task %s", task)
		assert.Less(t, shown[task], int32(70), "people see it in task %s", task)
	}
	require.Greater(t, len(w.seen), 50, "every ten seconds of twenty minutes")
	middle := 0
	for i, p := range w.seen[1:] {
		assert.GreaterOrEqual(t, p.Percent, w.seen[i].Percent)
		if p.Percent > 20 && p.Percent < 80 {
			middle++
		}
	}
	assert.Greater(t, middle, 20, "it does not jump")
	assert.Less(t, w.seen[len(w.seen)-1].Percent, int32(100), "all is only there when it has been compared")
}

func TestACopyThatIsWholeIsNeitherTakenNorThrownAway(t *testing.T) {
	w := newWorld(t, site.Direct)
	first, err := w.bulk()
	require.NoError(t, err)
	_, err = w.bulk()
	assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err), "%v", err)
	assert.ErrorContains(t, err, string(first.Copy))
	assert.Equal(t, 1, w.Cloud.Path.Count("ImportVApp"))
	w.same()
	for _, p := range w.Places() {
		assert.Empty(t, p.VCenter.Sessions(), "a session at %s", p.Site)
	}
	vm, _ := w.OnPremises.VCenter.VM("db-01")
	assert.False(t, vm.Busy, "the export was given up")
}

func TestAShortOutageIsRiddenOut(t *testing.T) {
	for name, outage := range map[string]time.Duration{"a second": time.Second, "a minute": time.Minute, "over four minutes": 4*time.Minute + 20*time.Second} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, site.Direct)
			w.at(5*time.Minute, func() { w.WAN.SetDown(wan.Both, true) })
			w.at(5*time.Minute+outage, func() { w.WAN.SetDown(wan.Both, false) })
			_, err := w.bulk()
			require.NoError(t, err)
			w.same()
			assert.Equal(t, 1, w.Cloud.Path.Count("ImportVApp"))
		})
	}
}

func TestALongOutageIsUnreachableAndNoFailureOfTheTransfer(t *testing.T) {
	for name, outage := range map[string]time.Duration{"six minutes": 6 * time.Minute, "an hour": time.Hour} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, site.Direct)
			w.at(5*time.Minute, func() { w.WAN.SetDown(wan.Both, true) })
			w.at(5*time.Minute+outage, func() { w.WAN.SetDown(wan.Both, false) })
			_, err := w.bulk()
			assert.Equal(t, vsphere.Unreachable, vsphere.ClassOf(err), "%v", err)
			var e *vsphere.Error
			require.ErrorAs(t, err, &e)
			assert.Less(t, e.Down, 5*time.Minute, "it was found down a little after it went")
			assert.Greater(t, e.Down, 4*time.Minute)
			_, err = w.bulk()
			require.NoError(t, err)
			w.same()
		})
	}
}

// An outage of nearly five minutes may or may not cost the lease: that depends
// on when it was last told of progress. It never counts as a failure.
func TestAnOutageAsLongAsALeaseLivesIsRiddenOutOrUnreachable(t *testing.T) {
	ridden, lost := 0, 0
	for length := 284 * time.Second; length <= 320*time.Second; length += 4 * time.Second {
		w := newWorld(t, site.Direct)
		w.at(5*time.Minute, func() { w.WAN.SetDown(wan.Both, true) })
		w.at(5*time.Minute+length, func() { w.WAN.SetDown(wan.Both, false) })
		_, err := w.bulk()
		if err != nil {
			lost++
			require.Equal(t, vsphere.Unreachable, vsphere.ClassOf(err), "%v: %v", length, err)
			_, err = w.bulk()
		} else {
			ridden++
		}
		require.NoError(t, err)
		w.same()
	}
	assert.Positive(t, ridden)
	assert.Positive(t, lost)
}

func TestALeaseThatAnOutageCostIsUnreachableEvenIfTheStreamDoesNotBreak(t *testing.T) {
	lost := 0
	for length := 290 * time.Second; length <= 306*time.Second; length += time.Second {
		w := newWorld(t, site.Direct)
		w.stalls, w.stallsFrom = vsphere.Cloud, 5*time.Minute
		w.at(5*time.Minute, func() { w.WAN.SetDown(wan.Both, true) })
		w.at(5*time.Minute+length, func() { w.WAN.SetDown(wan.Both, false) })
		_, err := w.bulk()
		require.Error(t, err)
		assert.NotEqual(t, "Timedout", vsphere.FaultName(err), "%v: %v", length, err)
		if vsphere.ClassOf(err) == vsphere.Unreachable {
			lost++
		}
	}
	assert.Positive(t, lost)
}

func TestAVCenterThatHangsIsAFailureOfTheTransfer(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.at(5*time.Minute, func() {
		w.Cloud.Path.Intercept = func(c transport.Call) transport.Act { return transport.Hang() }
	})
	w.stalls = vsphere.Cloud
	_, err := w.bulk()
	assert.Equal(t, vsphere.Retryable, vsphere.ClassOf(err), "%v", err)
	var e *vsphere.Error
	require.ErrorAs(t, err, &e)
	assert.Zero(t, e.Down, "the way was never found down")
}

func TestAStreamThatStandsStillWhileBothVCentersAnswerIsGivenUp(t *testing.T) {
	for _, s := range []vsphere.Site{vsphere.OnPremises, vsphere.Cloud} {
		t.Run(string(s), func(t *testing.T) {
			w := newWorld(t, site.Direct)
			w.stalls = s
			_, err := w.bulk()
			assert.Equal(t, vsphere.Retryable, vsphere.ClassOf(err), "%v", err)
			assert.ErrorContains(t, err, "no byte has passed for 2m0s")
			w.nothingLeft()
			w.stalls = ""
			_, err = w.bulk()
			require.NoError(t, err)
			w.same()
		})
	}
}

func TestProgressThatGetsNoAnswerDoesNotEndATransfer(t *testing.T) {
	for name, act := range map[string]transport.Act{
		"lost": transport.LoseAnswer(), "hangs": transport.Hang(), "fails": transport.Fail(&types.SystemError{}),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, site.Direct)
			w.strike(vsphere.Cloud, "HttpNfcLeaseProgress", 3, 2, act)
			_, err := w.bulk()
			require.NoError(t, err)
			w.same()
		})
	}
}

func TestALeaseThatIsNotKeptEndsTheTransfer(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.strike(vsphere.Cloud, "HttpNfcLeaseProgress", 2, 1e6, transport.Fail(&types.SystemError{}))
	_, err := w.bulk()
	assert.Equal(t, vsphere.Retryable, vsphere.ClassOf(err), "%v", err)
	assert.Equal(t, "Timedout", vsphere.FaultName(err), "%v", err)
	w.nothingLeft()
}

func TestAFailedTransferLeavesNothingAndWorksTheNextTime(t *testing.T) {
	system := transport.Fail(&types.SystemError{})
	for name, c := range map[string]struct {
		site   vsphere.Site
		method string
		nth    int
		act    transport.Act
	}{
		"the export is refused":        {vsphere.OnPremises, "ExportVm", 1, system},
		"the descriptor is refused":    {vsphere.OnPremises, "CreateDescriptor", 1, system},
		"the import spec is refused":   {vsphere.Cloud, "CreateImportSpec", 1, system},
		"the import is refused":        {vsphere.Cloud, "ImportVApp", 1, system},
		"the import's answer is lost":  {vsphere.Cloud, "ImportVApp", 1, transport.LoseAnswer()},
		"the first disk is refused":    {vsphere.Cloud, "POST nfc", 1, system},
		"the second disk is refused":   {vsphere.Cloud, "POST nfc", 2, system},
		"a disk cannot be read":        {vsphere.OnPremises, "GET nfc", 2, system},
		"the manifest is refused":      {vsphere.Cloud, "HttpNfcLeaseGetManifest", 1, system},
		"the end is refused":           {vsphere.Cloud, "HttpNfcLeaseComplete", 1, system},
		"the mark cannot be written":   {vsphere.Cloud, "ReconfigVM_Task", 1, system},
		"the disk arrives, unanswered": {vsphere.Cloud, "POST nfc", 2, transport.LoseAnswer()},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, site.Direct)
			w.strike(c.site, c.method, c.nth, 1, c.act)
			_, err := w.bulk()
			require.Error(t, err)
			assert.Equal(t, vsphere.Retryable, vsphere.ClassOf(err), "%v", err)
			if name != "the mark cannot be written" { // then the copy is there, and found by its mark
				w.nothingLeft()
			}
			w.At(c.site).Path.Intercept = nil
			_, err = w.bulk()
			require.NoError(t, err)
			w.same()
			assert.Len(t, w.Cloud.VCenter.VMs(), 1)
		})
	}
}

func TestACancelledTransferStopsAtOnceAndLeavesNothing(t *testing.T) {
	w := newWorld(t, site.Direct)
	ctx, cancel := w.machine.WithCancel(context.Background())
	w.at(5*time.Minute, cancel)
	_, err := w.bulkUnder(ctx)
	assert.Equal(t, vsphere.Cancelled, vsphere.ClassOf(err), "%v", err)
	assert.NotEmpty(t, w.seen)
	w.nothingLeft()
}

func TestAPersonWhoCancelsTheImportIsHeard(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.machine.Go(context.Background(), "person", func(ctx context.Context) {
		require.NoError(t, w.machine.Sleep(ctx, 5*time.Minute))
		cancelImport(t, w)
	})
	_, err := w.bulk()
	assert.Equal(t, "RequestCanceled", vsphere.FaultName(err), "%v", err)
	w.nothingLeft()
}

func TestADiskThatWasChangedOnTheWayIsNotAccepted(t *testing.T) {
	for s, want := range map[vsphere.Site]string{vsphere.OnPremises: "what was sent of disk-0.vmdk", vsphere.Cloud: "what arrived of disk-0.vmdk"} {
		t.Run(string(s), func(t *testing.T) {
			w := newWorld(t, site.Direct)
			w.corrupts = s
			_, err := w.bulk()
			assert.Equal(t, vsphere.Retryable, vsphere.ClassOf(err), "%v", err)
			assert.ErrorContains(t, err, want)
			w.nothingLeft()
		})
	}
}
