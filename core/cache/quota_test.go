package cache

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

const gib = int64(1) << 30

func TestAQuotaIsTheWorkingSetOrAShareAndNeverBelowTheFloor(t *testing.T) {
	standard, lite := Rule{15, 3 * gib}, Rule{25, 5 * gib}
	for _, c := range []struct {
		name                    string
		rule                    Rule
		provisioned, workingSet int64
		want                    int64
	}{
		{"a share of the disks", standard, 100 * gib, 0, 15 * gib},
		{"another mode's share", lite, 100 * gib, 0, 25 * gib},
		{"the floor", standard, 10 * gib, 0, 3 * gib},
		{"another mode's floor", lite, 10 * gib, 0, 5 * gib},
		{"what was measured, though the share is less", standard, 100 * gib, 40 * gib, 40 * gib},
		{"what was measured, though the share is more", standard, 100 * gib, 4 * gib, 4 * gib},
		{"the floor, though less was measured", standard, 100 * gib, gib, 3 * gib},
		{"whole blocks", standard, 0, 3*gib + 1, 3*gib + BlockSize},
		{"64 disks of the largest size", lite, 64 * maxCapacity, 0, 16 * maxCapacity},
	} {
		assert.Equal(t, c.want, Quota(c.rule, c.provisioned, c.workingSet), c.name)
	}
}

func TestAConfigurationThatCannotBeIsRefused(t *testing.T) {
	good := Config{Disks: []int64{BlockSize}, Quota: minSlots * BlockSize}
	assert.NoError(t, good.Check())
	for name, c := range map[string]Config{
		"no disk":            {Quota: gib},
		"too many disks":     {Disks: make([]int64, maxDisks+1), Quota: gib},
		"half a sector":      {Disks: []int64{SectorSize / 2}, Quota: gib},
		"a disk too large":   {Disks: []int64{maxCapacity + SectorSize}, Quota: gib},
		"a disk of nothing":  {Disks: []int64{0}, Quota: gib},
		"a quota too small":  {Disks: []int64{BlockSize}, Quota: minSlots*BlockSize - 1},
		"a quota too large":  {Disks: []int64{BlockSize}, Quota: (maxSlots + 1) * BlockSize},
		"a quota below zero": {Disks: []int64{BlockSize}, Quota: -gib},
	} {
		assert.ErrorIs(t, c.Check(), ErrConfig, name)
		assert.Panics(t, func() { New(c) }, name)
		_, err := Recover(c, newDevice(1))
		assert.ErrorIs(t, err, ErrConfig, name)
	}
}

func TestTheCacheTakesLittleMoreThanItsQuota(t *testing.T) {
	for _, quota := range []int64{3 * gib, 5 * gib, 512 * gib} {
		size := Config{Disks: []int64{gib}, Quota: quota}.Size()
		assert.Greater(t, size, quota)
		assert.Less(t, size, quota+quota/50, "the index takes less than 2%%")
	}
}
