package disk_test

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hdm-project/hdm/sim/disk"
)

// model is the disk as plain arrays: what it must do, without how.
type model struct {
	disk      *disk.Disk
	now       []byte
	durable   []byte
	snapshots map[disk.LayerID][]byte
	views     map[*disk.Image][]byte // taken at any time, held for good
	touched   map[int64]bool         // blocks of the image of now
	under     map[disk.LayerID]map[int64]bool
	last      disk.LayerID
}

// The last block is cut by the capacity.
const modelSize = 9*disk.BlockSize + 3*disk.SectorSize

func newModel() *model {
	return &model{
		disk: disk.New("d", modelSize), now: make([]byte, modelSize), durable: make([]byte, modelSize),
		snapshots: map[disk.LayerID][]byte{}, views: map[*disk.Image][]byte{},
		touched: map[int64]bool{}, under: map[disk.LayerID]map[int64]bool{},
	}
}

func (m *model) someSnapshot(t *rapid.T) disk.LayerID {
	if len(m.snapshots) == 0 {
		t.Skip("no snapshot")
	}
	return rapid.SampledFrom(slices.Sorted(maps.Keys(m.snapshots))).Draw(t, "snapshot")
}

// content draws n bytes of a shape that the disk stores in its own way: zeros,
// blocks with sector heads only, or anything.
func content(t *rapid.T, n int) []byte {
	p := make([]byte, n)
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "data"), 0))
	switch rapid.SampledFrom([]string{"zeros", "heads", "anything"}).Draw(t, "shape") {
	case "heads":
		for i := 0; i < n; i += disk.SectorSize {
			p[i] = byte(1 + r.IntN(255))
		}
	case "anything":
		for i := range p {
			p[i] = byte(r.Uint32())
		}
	}
	return p
}

func (m *model) write(t *rapid.T) {
	off := rapid.IntRange(0, modelSize).Draw(t, "off")
	if rapid.Bool().Draw(t, "aligned") {
		off = off / disk.BlockSize * disk.BlockSize
	}
	n := min(modelSize-off, rapid.SampledFrom([]int{0, 1, 100, disk.SectorSize, disk.BlockSize, 2*disk.BlockSize + 7}).Draw(t, "len"))
	p := content(t, n)
	done, err := m.disk.WriteAt(p, int64(off))
	require.NoError(t, err)
	require.Equal(t, n, done)
	copy(m.now[off:], p)
	for b := off / disk.BlockSize; n > 0 && b*disk.BlockSize < off+n; b++ {
		m.touched[int64(b)] = true
	}
}

func (m *model) crash(t *rapid.T) {
	m.disk.Crash(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "crash"), 0)))
	left := make([]byte, modelSize)
	_, err := m.disk.ReadAt(left, 0)
	require.NoError(t, err)
	for at := 0; at < modelSize; at += disk.SectorSize {
		sector := left[at : at+disk.SectorSize]
		was, is := m.durable[at:at+disk.SectorSize], m.now[at:at+disk.SectorSize]
		require.True(t, bytes.Equal(sector, was) || bytes.Equal(sector, is), "sector at %d is neither old nor new", at)
	}
	m.now, m.durable = left, bytes.Clone(left)
	m.touched = touched(m.disk) // a lost first write leaves a block untouched, or not: both read alike
	require.Zero(t, m.disk.Unflushed())
}

func touched(r disk.Reader) map[int64]bool {
	blocks := map[int64]bool{}
	for x := range r.Extents() {
		for at := x.Off; at < x.Off+x.Len; at += disk.BlockSize {
			blocks[at/disk.BlockSize] = true
		}
	}
	return blocks
}

func (m *model) snapshot(t *rapid.T) {
	id, err := m.disk.Snapshot()
	require.NoError(t, err)
	require.Greater(t, id, m.last, "ids are never given again")
	m.last = id
	m.snapshots[id], m.under[id] = bytes.Clone(m.now), maps.Clone(m.touched)
	m.durable = bytes.Clone(m.now)
}

func (m *model) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"write":  m.write,
		"write2": m.write, // as often as all that follows a write
		"write3": m.write,
		"crash":  m.crash,
		"flush": func(t *rapid.T) {
			require.NoError(t, m.disk.Flush())
			m.durable = bytes.Clone(m.now)
		},
		"snapshot": m.snapshot,
		"revert": func(t *rapid.T) {
			id := m.someSnapshot(t)
			require.NoError(t, m.disk.Revert(id))
			m.now, m.durable, m.touched = bytes.Clone(m.snapshots[id]), bytes.Clone(m.snapshots[id]), maps.Clone(m.under[id])
		},
		"remove": func(t *rapid.T) {
			id := m.someSnapshot(t)
			require.NoError(t, m.disk.RemoveSnapshot(id))
			delete(m.snapshots, id)
			delete(m.under, id)
		},
		"view": func(t *rapid.T) {
			id := m.someSnapshot(t)
			v, err := m.disk.View(id)
			require.NoError(t, err)
			m.views[v] = m.snapshots[id]
		},
		"": m.check,
	}
}

// check compares all that can be seen of the disk with the model.
func (m *model) check(t *rapid.T) {
	same := func(r disk.Reader, want []byte, what string) {
		got := make([]byte, modelSize)
		_, err := r.ReadAt(got, 0)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), "the image of %s", what)
		off, n := modelSize/3+5, disk.BlockSize+11
		_, err = r.ReadAt(got[:n], int64(off))
		require.NoError(t, err)
		require.True(t, bytes.Equal(want[off:off+n], got[:n]), "a part of the image of %s", what)
	}
	same(m.disk, m.now, "now")
	for id, want := range m.snapshots {
		v, err := m.disk.View(id)
		require.NoError(t, err)
		same(v, want, "a snapshot")
		require.Equal(t, m.under[id], touched(v))
	}
	for v, want := range m.views {
		same(v, want, "a view that was kept")
	}
	require.Equal(t, slices.Sorted(maps.Keys(m.snapshots)), append([]disk.LayerID(nil), m.disk.Snapshots()...))
	require.Equal(t, m.touched, touched(m.disk))
	require.Equal(t, min(int64(len(m.touched))*disk.BlockSize, modelSize), m.disk.Used())
	end := int64(-1)
	for x := range m.disk.Extents() {
		require.Greater(t, x.Off, end, "ascending, and not adjacent")
		require.Positive(t, x.Len)
		end = x.Off + x.Len
	}
	require.LessOrEqual(t, end, int64(modelSize))
}

func TestDiskDoesWhatPlainArraysWould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { t.Repeat(newModel().actions()) })
}
