package oracle_test

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/harness/oracle"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/guest"
	"github.com/hdm-project/hdm/sim/kernel"
)

// silent is a host that nobody listens to.
type silent struct{}

func (silent) Tools(string, string, bool) {}
func (silent) Halted(string, string)      {}
func (silent) Rebooted(string, string)    {}

// guestsOf are guests that never ran, each on one disk.
func guestsOf(t *testing.T, names ...string) []*guest.Guest {
	t.Helper()
	all := guest.New(kernel.New(1), silent{})
	for _, name := range names {
		_, err := all.Add(guest.Spec{Name: name, Disks: []string{name + "/0"}})
		require.NoError(t, err)
	}
	return all.All()
}

func TestNoLostWriteWatchesThatTheVMIsOffWhileItIsExported(t *testing.T) {
	const (
		up     = "0s guest.started db-01 site=on-premises vm=db-01\n"
		down   = "1s guest.stopped db-01 site=on-premises vm=db-01 how=shutdown\n1s vm.power on-premises/db-01 state=off\n"
		first  = "2s lease.first-byte on-premises/db-01 lease=l1 mode=export disk=0\n"
		done   = "3s lease.closed on-premises/db-01 lease=l1 mode=export how=completed\n"
		abort  = "3s lease.closed on-premises/db-01 lease=l1 mode=export how=aborted\n"
		power  = "4s vm.power on-premises/db-01 state=on\n"
		again  = "5s guest.started db-01 site=on-premises vm=db-01\n"
		write  = "6s guest.write db-01 site=on-premises vm=db-01 disk=0 block=3,7 write=2\n"
		off    = "7s guest.stopped db-01 site=on-premises vm=db-01 how=shutdown\n7s vm.power on-premises/db-01 state=off\n"
		second = "8s lease.first-byte on-premises/db-01 lease=l2 mode=export disk=0\n9s lease.closed on-premises/db-01 lease=l2 mode=export how=completed\n"
		cloud  = "10s guest.started db-01 site=cloud vm=db-01\n"
	)
	check(t, func() oracle.Oracle { return oracle.NewNoLostWrite(nowhere{}) }, []history{
		{name: "off, export, start in the cloud", events: up + down + first + done + cloud},
		{name: "off from the beginning", events: first + done + cloud},
		{name: "the export begins while it is on", events: up + first, broken: "its export began while it was on", evidence: []uint64{1, 2}},
		{name: "the export begins after the guest stopped and before the power is off", events: up + "1s guest.stopped db-01 site=on-premises vm=db-01 how=shutdown\n" + first},
		{name: "powered on during the export", events: up + down + first + power, broken: "it runs again while it is being exported", evidence: []uint64{4, 5}},
		{name: "powered on after the export was given up", events: up + down + first + abort + power + again + write},
		{name: "started in the cloud from an export that is stale", events: up + down + first + done + power + again + write + off + cloud, broken: "from an export after which it had run again", evidence: []uint64{5, 6, 11}},
		{name: "exported again after it had run again", events: up + down + first + done + power + again + write + off + second + cloud},
		{name: "a failed export does not make a stale one good", events: up + down + first + done + power + again + write + off + "8s lease.first-byte on-premises/db-01 lease=l2 mode=export disk=0\n9s lease.closed on-premises/db-01 lease=l2 mode=export how=expired\n" + cloud, broken: "from an export after which it had run again", evidence: []uint64{5, 6, 13}},
		{name: "an import is no export", events: up + "2s lease.first-byte on-premises/db-01 lease=l1 mode=import disk=0\n"},
	})
}

func TestNoLostWriteRejectsAWriteDuringTheExport(t *testing.T) {
	o := oracle.NewNoLostWrite(nowhere{})
	found := judge(t, o, "1s lease.first-byte on-premises/db-01 lease=l1 mode=export disk=0\n2s guest.write db-01 site=on-premises vm=db-01 disk=0 block=1 write=9\n", nil)
	require.Len(t, found, 1)
	assert.Contains(t, found[0].What, "write #9")
	assert.Equal(t, []string{"COLD-07"}, found[0].Clauses)
}

func TestNoLostWriteRejectsAReadThatLacksAWrite(t *testing.T) {
	const (
		up    = "0s guest.started db-01 site=on-premises vm=db-01\n1s guest.write db-01 site=on-premises vm=db-01 disk=0 block=3,7 write=2\n"
		down  = "2s guest.stopped db-01 site=on-premises vm=db-01 how=shutdown\n2s vm.power on-premises/db-01 state=off\n"
		moved = "3s lease.first-byte on-premises/db-01 lease=l1 mode=export disk=0\n3s lease.closed on-premises/db-01 lease=l1 mode=export how=completed\n"
		there = "4s guest.started db-01 site=cloud vm=db-01·ARM\n"
		write = "5s guest.write db-01 site=cloud vm=db-01·ARM disk=0 block=9 write=3\n"
		image = "6s guest.stopped db-01 site=cloud vm=db-01·ARM how=shutdown\n7s guest.started db-01 site=cloud vm=db-01\n"
	)
	misread := func(where string) string {
		return "8s guest.misread db-01 site=" + where + " disk=0 block=7 write=2 got=was·never·written\n"
	}
	for _, h := range []struct {
		name, events, clause string
		evidence             []uint64
	}{
		{"on premises", up + misread("on-premises vm=db-01"), "COLD-05", []uint64{2, 3}},
		{"in the cloud on disks that were carried there", up + down + moved + there + misread("cloud vm=db-01·ARM"), "COLD-05", []uint64{2, 8}},
		{"in the cloud on disks that were not", up + down + there + write + misread("cloud vm=db-01·ARM"), "CACHE-08", []uint64{2, 7}},
		{"in the cloud on an image of those", up + down + there + write + image + misread("cloud vm=db-01"), "COLD-05", []uint64{2, 9}},
		{"that nobody was told of", misread("on-premises vm=db-01"), "COLD-05", []uint64{1}},
	} {
		t.Run(h.name, func(t *testing.T) {
			found := judge(t, oracle.NewNoLostWrite(nowhere{}), h.events, nil)
			require.Len(t, found, 1)
			assert.Equal(t, []string{h.clause}, found[0].Clauses)
			assert.Equal(t, h.evidence, found[0].Evidence)
			assert.Contains(t, found[0].What, "block 0x7 of disk 0 was never written, but write #2 to it was acknowledged")
		})
	}
}

// moved is a guest that wrote on premises for a while and was then copied into
// the cloud, where it goes on.
type moved struct {
	t          *testing.T
	kernel     *kernel.Kernel
	guests     *guest.Guests
	guest      *guest.Guest
	oracle     *oracle.NoLostWrite
	here       *disk.Disk
	there      *disk.Disk
	run        *guest.Run
	violations []record.Violation
}

func (m *moved) Guest(name string) *guest.Guest { return m.guests.Guest(name) }

func (m *moved) Disks(vm string) []oracle.Disk {
	if vm == "cloud/db-01" {
		return []oracle.Disk{{ID: "db-01/0", Image: m.there}}
	}
	return []oracle.Disk{{ID: "db-01/0", Image: m.here}}
}

const used = 256 * disk.BlockSize

func write(t *testing.T) *moved {
	m := installed(t)
	m.run = m.guests.PowerOn("on-premises", "db-01", []guest.Device{guest.Local(m.here)})
	m.pass(time.Minute)
	require.Positive(t, m.guest.Writes(), "the guest writes")
	return m
}

// installed is one that is off.
func installed(t *testing.T) *moved {
	m := &moved{t: t, kernel: kernel.New(7), here: disk.New("db-01/0", 64<<20), there: disk.New("db-01/0", 64<<20)}
	m.oracle = oracle.NewNoLostWrite(m)
	m.kernel.Observe(func(e kernel.Event) { m.violations = append(m.violations, m.oracle.Observe(e)...) })
	m.guests = guest.New(m.kernel, silent{})
	var err error
	m.guest, err = m.guests.Add(guest.Spec{Name: "db-01", Disks: []string{"db-01/0"}, Workload: guest.Workload{Kind: guest.Random, Rate: 5, Span: used}})
	require.NoError(t, err)
	require.NoError(t, m.guest.Install([]*disk.Disk{m.here}, 8))
	return m
}

func (m *moved) pass(d time.Duration) {
	require.NoError(m.t, kernel.NewDriver(m.kernel, 0, kernel.Limits{}).Run(m.kernel.Now()+d, nil))
}

func (m *moved) shutDown() {
	require.True(m.t, m.run.Shutdown())
	m.pass(10 * time.Minute)
	require.False(m.t, m.run.Up())
}

func (m *moved) copy() {
	m.kernel.Emit(event.LeaseFirstByte, "on-premises/db-01", "lease", "l1", "mode", "export", "disk", "0")
	for e := range m.here.Extents() {
		_, err := io.Copy(io.NewOffsetWriter(m.there, e.Off), io.NewSectionReader(m.here, e.Off, e.Len))
		require.NoError(m.t, err)
	}
	require.NoError(m.t, m.there.Flush())
	m.kernel.Emit(event.LeaseClosed, "on-premises/db-01", "lease", "l1", "mode", "export", "how", "completed")
}

func (m *moved) start() {
	m.run = m.guests.PowerOn("cloud", "db-01", []guest.Device{guest.Local(m.there)})
	m.pass(10 * time.Minute)
	require.True(m.t, m.run.Up())
}

func (m *moved) finish() []record.Violation {
	before := oracle.VM{Site: vsphere.OnPremises, ID: "vm-1", Name: "db-01", Disks: []oracle.Disk{{ID: "db-01/0", Image: m.here}}}
	cloud := oracle.VM{Site: vsphere.Cloud, ID: "vm-9", Name: "db-01", On: true, Disks: []oracle.Disk{{ID: "db-01/0", Image: m.there}}}
	return append(m.violations, m.oracle.Finish(&oracle.Truth{Guests: m.guests.All(), Before: []oracle.VM{before}, VMs: []oracle.VM{before, cloud}})...)
}

func TestNoLostWriteAcceptsAFaithfulCopyThatGoesOnWriting(t *testing.T) {
	m := write(t)
	m.shutDown()
	m.copy()
	m.start()
	m.pass(time.Hour)
	assert.Empty(t, m.finish())
	assert.Equal(t, []string{"COLD-05", "COLD-07"}, m.oracle.Tested())
}

func TestNoLostWriteAcceptsWhatAPowerCutMayTake(t *testing.T) {
	m := write(t)
	m.run.PowerOff()
	m.copy()
	m.start()
	assert.Empty(t, m.finish())
}

func TestNoLostWriteRejectsACopyThatLacksAWriteThoughTheGuestWritesItAgain(t *testing.T) {
	m := write(t)
	m.shutDown()
	m.copy()
	for block, ack := range m.guest.Acknowledged(0) {
		if block > 0 && ack.At > 0 { // one that an event told of; without its boot block the guest would not come up
			_, err := m.there.WriteAt(make([]byte, disk.BlockSize), block*disk.BlockSize)
			require.NoError(t, err)
			break
		}
	}
	m.start()
	m.pass(time.Hour)
	found := m.finish()
	require.Len(t, found, 2, "the write is missing, and so the disks differ")
	assert.Equal(t, []string{"COLD-05"}, found[0].Clauses)
	assert.Contains(t, found[0].What, "acknowledged at")
	assert.Len(t, found[0].Evidence, 2, "the write, and the start from the copy")
	assert.Contains(t, found[1].What, "is not what it is in on-premises/db-01")
}

func TestNoLostWriteRejectsACopyMadeBeforeTheLastWrites(t *testing.T) {
	m := write(t)
	m.copy()
	m.pass(time.Minute)
	m.shutDown()
	m.start()
	assert.NotEmpty(t, m.finish())
}

func TestNoLostWriteRejectsADifferenceThatNoGuestMade(t *testing.T) {
	m := write(t)
	m.shutDown()
	_, err := m.here.WriteAt([]byte("what no guest wrote"), 32<<20)
	require.NoError(t, err)
	m.copy()
	_, err = m.there.WriteAt(make([]byte, disk.BlockSize), 32<<20)
	require.NoError(t, err)
	m.start()
	found := m.finish()
	require.Len(t, found, 1)
	assert.Contains(t, found[0].What, "block 0x2000 is not what it is in on-premises/db-01")
}

func TestNoLostWriteLooksAtTheDisksOfAVMThatWasOffToo(t *testing.T) {
	m := installed(t)
	m.copy()
	m.start()
	assert.Empty(t, m.finish())
	assert.Empty(t, m.oracle.Tested(), "it never wrote, and never ran on premises")
	m = installed(t)
	m.copy()
	_, err := m.there.WriteAt([]byte("what was not there"), 32<<20)
	require.NoError(t, err)
	m.start()
	found := m.finish()
	require.Len(t, found, 1)
	assert.Contains(t, found[0].What, "block 0x2000 is not what it is in on-premises/db-01")
}

func TestNoLostWriteRejectsADiskOfAnotherSize(t *testing.T) {
	m := write(t)
	m.shutDown()
	m.there = disk.New("db-01/0", 65<<20)
	m.copy()
	m.start()
	found := m.finish()
	require.Len(t, found, 1)
	assert.Contains(t, found[0].What, "block 0x4000 is not what it is in on-premises/db-01")
}

func TestNoLostWriteRejectsAWriteLostAfterTheMove(t *testing.T) {
	m := write(t)
	m.shutDown()
	m.copy()
	m.start()
	m.shutDown()
	_, err := m.there.WriteAt(make([]byte, disk.BlockSize), 0)
	require.NoError(t, err)
	found := m.finish()
	require.Len(t, found, 1)
	assert.Contains(t, found[0].What, "block 0x0: write #")
}
