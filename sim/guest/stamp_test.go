package guest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/guest"
)

// stamped returns a disk whose blocks 0 and 5 hold stamps.
func stamped(t testing.TB) *disk.Disk {
	w := newWorld(t, 1)
	d := disk.New("web", 6*disk.BlockSize)
	g, err := w.guests.Add(guest.Spec{Name: "web", Disks: []string{"web"}})
	require.NoError(t, err)
	require.NoError(t, g.Install([]*disk.Disk{d}, 1))
	return d
}

func TestAStampSaysWhoseWriteABlockHolds(t *testing.T) {
	s, whole := guest.ReadStamp(stamped(t), 5)
	assert.True(t, whole)
	assert.Equal(t, guest.Stamp{Guest: guest.Identity("web"), Disk: 0, Block: 5, Write: 2}, s)
}

func TestABlockOfZerosWasNeverWritten(t *testing.T) {
	s, whole := guest.ReadStamp(stamped(t), 3)
	assert.True(t, whole)
	assert.Zero(t, s)
}

func TestAStampIsNotWholeWhenAnythingIsWrong(t *testing.T) {
	block := func(t *testing.T, d *disk.Disk) []byte {
		p := make([]byte, disk.BlockSize)
		_, err := d.ReadAt(p, 5*disk.BlockSize)
		require.NoError(t, err)
		return p
	}
	refused := func(t *testing.T, d *disk.Disk, at int64, p []byte, why string) {
		_, err := d.WriteAt(p, at*disk.BlockSize)
		require.NoError(t, err)
		_, whole := guest.ReadStamp(d, at)
		require.False(t, whole, why)
	}
	t.Run("a bit", func(t *testing.T) {
		d := stamped(t)
		good := block(t, d)
		for bit := 0; bit < 8*disk.BlockSize; bit += 7 {
			p := append([]byte(nil), good...)
			p[bit/8] ^= 1 << (bit % 8)
			refused(t, d, 5, p, fmt.Sprintf("bit %d", bit))
		}
	})
	t.Run("torn", func(t *testing.T) {
		for s := range disk.BlockSize / disk.SectorSize {
			d := stamped(t)
			p := block(t, d)
			clear(p[s*disk.SectorSize : (s+1)*disk.SectorSize])
			refused(t, d, 5, p, fmt.Sprintf("without sector %d", s))
		}
	})
	t.Run("misplaced", func(t *testing.T) {
		d := stamped(t)
		refused(t, d, 4, block(t, d), "the stamp of block 5 in block 4")
	})
	t.Run("unreadable", func(t *testing.T) {
		d := stamped(t)
		d.FailReads(disk.All, disk.ErrIO)
		_, whole := guest.ReadStamp(d, 5)
		assert.False(t, whole)
		_, whole = guest.ReadStamp(d, 99)
		assert.False(t, whole, "outside of the disk")
	})
}

func TestALossTellsWhatTheBlockHoldsInstead(t *testing.T) {
	loss := guest.Loss{Guest: "db-01", Disk: 1, Block: 0x41, Want: guest.Ack{Write: 412, At: 838 * time.Second}}
	for _, c := range []struct {
		got   guest.Stamp
		whole bool
		says  string
	}{
		{guest.Stamp{}, false, "holds no whole stamp"},
		{guest.Stamp{}, true, "was never written"},
		{guest.Stamp{Guest: guest.Identity("db-01"), Disk: 1, Block: 0x41, Write: 400}, true, "holds write #400"},
		{guest.Stamp{Guest: guest.Identity("db-01"), Disk: 0, Block: 0x41, Write: 400}, true, "holds what another guest or disk wrote"},
		{guest.Stamp{Guest: guest.Identity("web"), Disk: 1, Block: 0x41, Write: 400}, true, "holds what another guest or disk wrote"},
	} {
		loss.Got, loss.Whole = c.got, c.whole
		assert.Equal(t, "disk db-01/1 block 0x41: write #412 acknowledged at 13m58s, but the block "+c.says, loss.String())
	}
}
