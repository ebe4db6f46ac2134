package disk_test

import (
	"bytes"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/sim/disk"
)

func TestAFaultThatIsAskedDecidesWhatBecomesOfEachOperation(t *testing.T) {
	d := disk.New("d", 1<<20)
	old, fresh := bytes.Repeat([]byte{1}, disk.BlockSize), bytes.Repeat([]byte{2}, disk.BlockSize)
	write := func(p []byte) error {
		_, err := d.WriteAt(p, 0)
		return err
	}
	require.NoError(t, write(old))
	require.NoError(t, d.Flush())

	var seen []disk.Op
	left := 2
	d.SetFault(func(op disk.Op, off int64, n int) error {
		seen = append(seen, op)
		if op == disk.Write && left > 0 {
			left--
			return disk.ErrIO
		}
		return nil
	})
	require.ErrorIs(t, write(fresh), disk.ErrIO)
	require.ErrorIs(t, write(fresh), syscall.EIO, "as an operating system calls it")
	require.NoError(t, write(old), "it passes")
	assert.Equal(t, []disk.Op{disk.Write, disk.Write, disk.Write}, seen)

	d.SetFault(func(op disk.Op, _ int64, _ int) error { return map[disk.Op]error{disk.Write: disk.ErrTorn}[op] })
	require.NoError(t, write(fresh), "a torn write is acknowledged")
	got := make([]byte, disk.BlockSize)
	_, err := d.ReadAt(got, 0)
	require.NoError(t, err)
	assert.Equal(t, append(bytes.Clone(fresh[:disk.SectorSize]), old[disk.SectorSize:]...), got)

	d.SetFault(func(op disk.Op, _ int64, _ int) error {
		return map[disk.Op]error{disk.Write: disk.ErrLost, disk.Flush: disk.ErrLost}[op]
	})
	require.NoError(t, write(old))
	_, err = d.ReadAt(got, 0)
	require.NoError(t, err)
	assert.Equal(t, fresh[:disk.SectorSize], got[:disk.SectorSize], "a lost write changes nothing")
	require.NoError(t, d.Flush())
	assert.Equal(t, 1, d.Unflushed(), "a lost flush makes nothing durable")

	d.SetFault(func(op disk.Op, _ int64, _ int) error {
		return map[disk.Op]error{disk.Read: disk.ErrIO, disk.Flush: disk.ErrNoSpace}[op]
	})
	_, err = d.ReadAt(got, 0)
	require.ErrorIs(t, err, disk.ErrIO)
	require.ErrorIs(t, d.Flush(), disk.ErrNoSpace)
	d.Heal()
	require.NoError(t, d.Flush())
}
