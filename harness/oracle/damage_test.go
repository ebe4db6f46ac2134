package oracle_test

import (
	"bytes"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
)

// rots has storage lose a block of the VM in the cloud, and tells so.
func (m *moved) rots(block int64) {
	m.lose(block)
	m.kernel.Emit(event.DiskDamaged, "cloud/db-01", "disk", "0", "block", strconv.FormatInt(block, 10))
}

func (m *moved) lose(block int64) {
	_, err := m.there.WriteAt(bytes.Repeat([]byte{0xA5}, disk.BlockSize), block*disk.BlockSize)
	require.NoError(m.t, err)
}

// wrote is a block, not the one that it boots from, that the guest has written.
func (m *moved) wrote() int64 {
	for block, ack := range m.guest.Acknowledged(0) {
		if block > 0 && ack.At > 0 {
			return block
		}
	}
	require.FailNow(m.t, "the guest has written nothing")
	return 0
}

func gone(t *testing.T) *moved {
	m := write(t)
	m.shutDown()
	m.copy()
	m.start()
	return m
}

func TestWhatStorageLosesBelowEverybodyIsHeldAgainstNobody(t *testing.T) {
	m := gone(t)
	m.shutDown()
	m.rots(m.wrote())
	m.rots(0)
	assert.Empty(t, m.finish())
}

func TestWhatIsLostBesideThatIsALostWrite(t *testing.T) {
	m := gone(t)
	m.shutDown()
	m.rots(0)
	m.lose(m.wrote())
	found := m.finish()
	require.Len(t, found, 1)
	assert.NotContains(t, found[0].What, "block 0x0:")
}

func TestWhatIsWrittenAfterwardsWhereStorageHasLostABlockIsThere(t *testing.T) {
	m := gone(t)
	block := m.wrote()
	m.kernel.Emit(event.DiskDamaged, "cloud/db-01", "disk", "0", "block", strconv.FormatInt(block, 10))
	m.pass(3 * time.Hour) // it is written again
	m.shutDown()
	m.lose(block)
	assert.Len(t, m.finish(), 1)
}

func TestAReadOfABlockThatStorageHasLostIsNoMisread(t *testing.T) {
	misread := func(m *moved, block int64) {
		m.kernel.Emit(event.GuestMisread, "db-01", "site", "cloud", "vm", "db-01", "disk", "0", "block", strconv.FormatInt(block, 10), "write", "1", "got", "holds no whole stamp")
	}
	m := gone(t)
	m.rots(0)
	misread(m, 0)
	assert.Empty(t, m.violations)
	misread(m, m.wrote())
	assert.Len(t, m.violations, 1)
}
