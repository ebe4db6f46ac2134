package oracle_test

import (
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/oracle"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/guest"
	"github.com/hdm-project/hdm/sim/kernel"
)

// tried is a guest that runs in the cloud on a disk of its own, which a test
// flushes to the one on premises as it likes.
type tried struct {
	t          *testing.T
	kernel     *kernel.Kernel
	guests     *guest.Guests
	guest      *guest.Guest
	oracles    []oracle.Oracle
	here       *disk.Disk
	there      *disk.Disk
	cut        *disk.Disk // what there was at the last cut
	run        *guest.Run
	violations []record.Violation
}

func (m *tried) Guest(name string) *guest.Guest { return m.guests.Guest(name) }

func (m *tried) Disks(vm string) []oracle.Disk {
	switch vm {
	case "on-premises/db-01":
		return []oracle.Disk{{ID: "db-01/0", Image: m.here}}
	case "cloud/db-01":
		return []oracle.Disk{{ID: "db-01/0", Image: m.cut}} // the image that a test made
	}
	return []oracle.Disk{{ID: "db-01/0", Image: m.there}}
}

// trying is one whose guest has run on premises, and has been up in the cloud for
// a minute.
func trying(t *testing.T) *tried {
	m := &tried{t: t, kernel: kernel.New(7), here: disk.New("db-01/0", 64<<20)}
	m.oracles = []oracle.Oracle{oracle.NewFlushed(m), oracle.NewNoLostWrite(m)}
	m.kernel.Observe(func(e kernel.Event) {
		for _, o := range m.oracles {
			m.violations = append(m.violations, o.Observe(e)...)
		}
	})
	m.guests = guest.New(m.kernel, silent{})
	var err error
	m.guest, err = m.guests.Add(guest.Spec{Name: "db-01", Disks: []string{"db-01/0"}, Workload: guest.Workload{Kind: guest.Random, Rate: 5, Span: used}})
	require.NoError(t, err)
	require.NoError(t, m.guest.Install([]*disk.Disk{m.here}, 8))
	m.run = m.guests.PowerOn("on-premises", "db-01", []guest.Device{guest.Local(m.here)})
	m.pass(time.Minute)
	m.shutDown()
	m.there = copyOf(t, m.here)
	m.kernel.Emit(event.Bound, "b-1", "vm", "c", "source", "on-premises/db-01", "quota", "1")
	m.run = m.guests.PowerOn("cloud", "db-01 ARM", []guest.Device{guest.Local(m.there)})
	m.pass(2 * time.Minute)
	return m
}

func copyOf(t *testing.T, from *disk.Disk) *disk.Disk {
	t.Helper()
	to := disk.New(from.ID(), from.Capacity())
	onto(t, to, from)
	return to
}

// onto writes what a disk holds onto another one.
func onto(t *testing.T, to, from *disk.Disk) {
	t.Helper()
	for e := range from.Extents() {
		_, err := io.Copy(io.NewOffsetWriter(to, e.Off), io.NewSectionReader(from, e.Off, e.Len))
		require.NoError(t, err)
	}
	require.NoError(t, to.Flush())
}

func (m *tried) pass(d time.Duration) {
	require.NoError(m.t, kernel.NewDriver(m.kernel, 0, kernel.Limits{}).Run(m.kernel.Now()+d, nil))
}

func (m *tried) shutDown() {
	require.True(m.t, m.run.Shutdown())
	m.pass(10 * time.Minute)
	require.False(m.t, m.run.Up())
}

func (m *tried) cuts(number string) {
	m.cut = copyOf(m.t, m.there)
	m.kernel.Emit(event.FlushCut, "b-1", "number", number, "blocks", "1")
}

func (m *tried) applies(number string) {
	m.kernel.Emit(event.FlushApplied, "b-1", "number", number, "blocks", "1")
}

func (m *tried) releases() { m.kernel.Emit(event.Released, "b-1") }

// last is the block of the last write that the guest was told of.
func (m *tried) last() int64 {
	var at int64
	var newest uint64
	for block, ack := range m.guest.Acknowledged(0) {
		if ack.Write >= newest {
			at, newest = block, ack.Write
		}
	}
	return at
}

func (m *tried) spoil(d *disk.Disk, block int64) {
	_, err := d.WriteAt(make([]byte, disk.BlockSize), block*disk.BlockSize)
	require.NoError(m.t, err)
	require.NoError(m.t, d.Flush())
}

func (m *tried) clauses() (all []string) {
	for _, v := range m.violations {
		all = append(all, v.Oracle+" "+v.Clauses[0])
	}
	return all
}

func TestFlushedAcceptsWhatWasHeldAtTheCutThoughTheGuestGoesOnWriting(t *testing.T) {
	m := trying(t)
	m.cuts("1")
	m.pass(time.Minute)
	onto(t, m.here, m.cut)
	m.applies("1")
	assert.Empty(t, m.violations)
	assert.Equal(t, []string{"CACHE-05", "CACHE-06"}, m.oracles[0].Tested())
}

func TestFlushedRejectsABlockThatIsNewerThanTheCut(t *testing.T) {
	m := trying(t)
	m.cuts("1")
	m.pass(time.Minute)
	onto(t, m.here, m.there)
	m.applies("1")
	require.Equal(t, []string{"flushed CACHE-05"}, m.clauses())
	assert.Contains(t, m.violations[0].What, "does not hold what it held in the cloud at the cut")
	assert.Len(t, m.violations[0].Evidence, 2, "the cut, and that it was applied")
}

func TestFlushedRejectsABlockThatWasLeftOut(t *testing.T) {
	m := trying(t)
	m.cuts("1")
	m.pass(time.Second)
	onto(t, m.here, m.cut)
	m.spoil(m.here, m.last())
	m.applies("1")
	assert.Contains(t, m.clauses(), "flushed CACHE-05")
}

func TestFlushedTakesWhatWasAbandonedForTheNextFlush(t *testing.T) {
	m := trying(t)
	before := copyOf(t, m.here)
	m.cuts("1")
	m.kernel.Emit(event.FlushAbandoned, "b-1", "number", "1", "blocks", "1")
	m.cuts("2")
	onto(t, m.here, before)
	m.applies("2")
	assert.Equal(t, []string{"flushed CACHE-05"}, m.clauses(), "what the first one held is in the second")
	m = trying(t)
	m.cuts("1")
	m.kernel.Emit(event.FlushAbandoned, "b-1", "number", "1", "blocks", "1")
	m.cuts("2")
	onto(t, m.here, m.cut)
	m.applies("2")
	assert.Empty(t, m.violations)
}

func TestFlushedComparesTheDisksWholeWhileTheVMIsOff(t *testing.T) {
	m := trying(t)
	m.shutDown()
	m.cuts("1")
	onto(t, m.here, m.cut)
	m.spoil(m.here, 32<<20/disk.BlockSize)
	_, err := m.here.WriteAt([]byte("what no guest wrote"), 32<<20)
	require.NoError(t, err)
	m.applies("1")
	require.Equal(t, []string{"flushed CACHE-05"}, m.clauses())
	assert.Contains(t, m.violations[0].What, "block 0x2000 is not what it is in cloud/db-01 ARM, which is off")
}

func TestAVMThatIsBroughtBackWithEveryCloudWriteIsAccepted(t *testing.T) {
	m := trying(t)
	m.shutDown()
	m.cuts("1")
	onto(t, m.here, m.cut)
	m.applies("1")
	m.releases()
	assert.Empty(t, m.violations)
	assert.Equal(t, []string{"CACHE-05", "CACHE-06", "BACK-03"}, m.oracles[0].Tested())
	assert.Contains(t, m.oracles[1].Tested(), "BACK-03")
	m.run = m.guests.PowerOn("on-premises", "db-01", []guest.Device{guest.Local(m.here)})
	m.pass(time.Hour)
	assert.Empty(t, m.violations, "it goes on at home, beside a compute VM that is no longer served")
}

func TestAVMThatIsBroughtBackWithoutItsLastWritesIsRejected(t *testing.T) {
	m := trying(t)
	m.cuts("1")
	onto(t, m.here, m.cut)
	m.applies("1")
	m.pass(time.Minute)
	m.shutDown()
	m.releases()
	assert.Contains(t, m.clauses(), "flushed BACK-03")
	assert.Contains(t, m.clauses(), "no-lost-write BACK-03")
}

func TestAnImageThatEqualsTheComputeVMIsAccepted(t *testing.T) {
	m := trying(t)
	m.shutDown()
	m.cut = copyOf(t, m.there)
	m.run = m.guests.PowerOn("cloud", "db-01", []guest.Device{guest.Local(m.cut)})
	m.pass(10 * time.Minute)
	m.releases()
	assert.Empty(t, m.violations, "what was not flushed is in the image")
	assert.Contains(t, m.oracles[1].Tested(), "WARM-05")
}

func TestAnImageThatLacksACloudWriteIsRejected(t *testing.T) {
	m := trying(t)
	m.shutDown()
	m.cut = copyOf(t, m.there)
	m.spoil(m.cut, m.last())
	m.run = m.guests.PowerOn("cloud", "db-01", []guest.Device{guest.Local(m.cut)})
	m.pass(10 * time.Minute)
	assert.Contains(t, m.clauses(), "no-lost-write WARM-05")
}

func TestWhatAPersonRestoresIsMeantToBeLost(t *testing.T) {
	m := trying(t)
	m.run.PowerOff()
	m.there.Crash(rand.New(rand.NewPCG(1, 2)))
	m.kernel.Emit(event.VMSnapshot, "on-premises/db-01", "op", "reverted", "name", "_hdm1")
	m.run = m.guests.PowerOn("on-premises", "db-01", []guest.Device{guest.Local(m.here)})
	m.pass(10 * time.Minute)
	assert.Empty(t, m.violations)
}
