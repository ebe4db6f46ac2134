package transfer

import (
	"sync"
	"time"

	"github.com/hdm-project/hdm/core/runtime"
	"github.com/hdm-project/hdm/core/vsphere"
)

// meter tells how far a transfer is. Streams are compressed and their length
// is often not known, so each disk has a part of the scale as large as what it
// uses, and its own fraction within that.
type meter struct {
	mu      sync.Mutex
	runtime runtime.Runtime
	disks   []*diskMeter
	moved   time.Duration // when the last byte passed, on the monotonic clock
}

// diskMeter is one disk's part of a meter.
type diskMeter struct {
	meter   *meter
	weight  int64 // bytes that the disk is expected to take of the scale
	length  int64 // of its stream; 0 if not known
	carried int64
}

func newMeter(rt runtime.Runtime, disks []vsphere.ExportDisk) *meter {
	m := &meter{runtime: rt, moved: rt.Elapsed()}
	for _, d := range disks {
		weight := d.Used
		if weight == 0 {
			weight = max(d.Capacity, 1)
		}
		m.disks = append(m.disks, &diskMeter{meter: m, weight: weight, length: max(d.Size, 0)})
	}
	return m
}

// disk is the meter of disk i, whose stream has that length, or -1.
func (m *meter) disk(i int, length int64) *diskMeter {
	m.mu.Lock()
	defer m.mu.Unlock()
	if length > 0 {
		m.disks[i].length = length
	}
	return m.disks[i]
}

func (d *diskMeter) add(n int64) {
	d.meter.mu.Lock()
	defer d.meter.mu.Unlock()
	d.carried += n
	if n > 0 {
		d.meter.moved = d.meter.runtime.Elapsed()
	}
}

// still is for how long no byte has passed.
func (m *meter) still() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.runtime.Elapsed() - m.moved
}

func (m *meter) bytes() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	var sum int64
	for _, d := range m.disks {
		sum += d.carried
	}
	return sum
}

// progress is how far the transfer is. It never says 100 %: that is for a copy
// that has been compared and completed.
func (m *meter) progress() vsphere.Progress {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := vsphere.Progress{At: m.runtime.Now()}
	var done, scale float64
	known := true
	for _, d := range m.disks {
		expected := d.length
		if expected == 0 {
			known, expected = false, d.weight
		}
		done += float64(d.weight) * min(float64(d.carried)/float64(expected), 1)
		scale += float64(d.weight)
		p.Bytes += d.carried
		p.Total += expected
	}
	if !known {
		p.Total = 0
	}
	p.Percent = int32(min(100*done/max(scale, 1), 99))
	return p
}
