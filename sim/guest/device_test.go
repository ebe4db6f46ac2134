package guest_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/guest"
	"github.com/hdm-project/hdm/sim/kernel"
)

// slow is a device that takes a time of its own for each request, so that they
// end in any order. What is under way at a power cut lands, or does not, or in
// part.
type slow struct {
	*disk.Disk
	t      testing.TB
	kernel *kernel.Kernel
	chance *rand.Rand
	most   time.Duration // a request takes up to that
	hangs  bool          // what is asked for stays under way
	err    error         // the answer to whatever is asked for
	flying []*task
	peak   int // requests under way at once
	cut    bool
	stale  disk.Reader // reads are answered from that
}

type task struct {
	write bool
	off   int64
	data  []byte
	done  func(error)
	at    *kernel.Timer
}

func newSlow(w *world, d *disk.Disk, most time.Duration) *slow {
	return &slow{Disk: d, t: w.t, kernel: w.kernel, chance: w.kernel.Rand("slow/" + d.ID()), most: most}
}

func (s *slow) ask(q *task) {
	for _, f := range s.flying {
		overlap := q.off < f.off+int64(len(f.data)) && f.off < q.off+int64(len(q.data))
		require.False(s.t, (q.write || f.write) && overlap, "two requests under way at one place")
	}
	s.flying = append(s.flying, q)
	s.peak = max(s.peak, len(s.flying))
	if !s.hangs {
		s.start(q)
	}
}

func (s *slow) start(q *task) {
	q.at = s.kernel.After(1+time.Duration(s.chance.Int64N(int64(s.most))), func() { s.end(q) })
}

func (s *slow) end(q *task) {
	if !s.cut {
		for i, f := range s.flying {
			if f == q {
				s.flying = append(s.flying[:i:i], s.flying[i+1:]...)
			}
		}
		s.land(q, len(q.data))
	}
	q.done(s.err)
}

// land carries out a request, of a write the first n bytes only.
func (s *slow) land(q *task, n int) {
	var err error
	switch {
	case q.write:
		_, err = s.WriteAt(q.data[:n], q.off)
	case q.data != nil && s.stale != nil:
		_, err = s.stale.ReadAt(q.data, q.off)
	case q.data != nil:
		_, err = s.ReadAt(q.data, q.off)
	default:
		err = s.Disk.Flush()
	}
	require.NoError(s.t, err)
}

// recover lets go of what hung.
func (s *slow) recover() {
	s.hangs = false
	for _, q := range s.flying {
		s.start(q)
	}
}

func (s *slow) Write(p []byte, off int64, done func(error)) {
	s.ask(&task{write: true, off: off, data: p, done: done})
}

func (s *slow) Read(p []byte, off int64, done func(error)) {
	s.ask(&task{off: off, data: p, done: done})
}

func (s *slow) Flush(done func(error)) { s.ask(&task{done: done}) }

func (s *slow) PowerCut(r *rand.Rand) {
	s.cut = true
	for _, q := range s.flying {
		if q.write {
			s.land(q, r.IntN(len(q.data)/disk.SectorSize+1)*disk.SectorSize)
		}
	}
	s.Crash(r)
}

func (s *slow) Boot(p []byte) error { return guest.Local(s.Disk).Boot(p) }

func (s *slow) Image() disk.Reader { return disk.Seen{Disk: s.Disk} }

// slowly are the disks as devices that take up to that for a request.
func slowly(w *world, disks []*disk.Disk, most time.Duration) (devices []guest.Device, slows []*slow) {
	for _, d := range disks {
		s := newSlow(w, d, most)
		devices, slows = append(devices, s), append(slows, s)
	}
	return devices, slows
}

// one is a guest with one disk that writes a burst of four each second.
func one() guest.Spec {
	s := db()
	s.Disks = s.Disks[:1]
	s.Workload.Burst = 0
	return s
}

func TestAWriteCountsOnceItsDeviceHasAcknowledgedIt(t *testing.T) {
	w := newWorld(t, 1)
	g, disks := w.add(one())
	devices, slows := slowly(w, disks, time.Second)
	slows[0].hangs = true
	installed := g.Writes()
	w.guests.Running("cloud", "db-01", devices)
	w.run(10 * time.Second)
	require.Len(t, slows[0].flying, 4, "one burst is under way, and no more")
	require.Equal(t, installed+4, g.Writes())
	for _, ack := range g.Acknowledged(0) {
		require.LessOrEqual(t, ack.Write, installed, "nothing was acknowledged")
	}
	assert.Empty(t, w.kinds(event.GuestWrite))
	assert.Empty(t, w.kinds(event.GuestFlush))

	slows[0].hangs = false
	lucky := slows[0].flying[2]
	slows[0].start(lucky)
	w.run(20 * time.Second)
	acknowledged := 0
	for block, ack := range g.Acknowledged(0) {
		if ack.Write > installed {
			acknowledged++
			assert.Equal(t, lucky.off, block*disk.BlockSize)
		}
	}
	assert.Equal(t, 1, acknowledged)
	assert.Empty(t, w.kinds(event.GuestWrite), "the others of the burst are outstanding")
	assert.Positive(t, g.Counters().Longest)

	slows[0].recover()
	w.run(40 * time.Second)
	writes := w.kinds(event.GuestWrite)
	assert.Greater(t, len(writes), 10, "it goes on")
	assert.Equal(t, strconv.FormatUint(installed+4, 10), writes[0].Attr("write"))
	assert.Len(t, strings.Split(writes[0].Attr("block"), ","), 4)
	assert.NotEmpty(t, w.kinds(event.GuestFlush))
	intact(t, g, disks)
}

func TestTheTraceTellsWhatWasAcknowledgedOfABurstThatAPowerCutEnded(t *testing.T) {
	w := newWorld(t, 1)
	_, disks := w.add(one())
	devices, slows := slowly(w, disks, time.Second)
	slows[0].hangs = true
	r := w.guests.Running("cloud", "db-01", devices)
	w.run(5 * time.Second)
	lucky := slows[0].flying[1]
	slows[0].start(lucky)
	w.run(10 * time.Second)
	r.PowerOff()
	writes := w.kinds(event.GuestWrite)
	require.Len(t, writes, 1)
	assert.Equal(t, strconv.FormatInt(lucky.off/disk.BlockSize, 10), writes[0].Attr("block"))
	assert.Equal(t, event.GuestStopped, w.trace[len(w.trace)-1].Kind)
}

func TestABurstWaitsForTheOneBefore(t *testing.T) {
	w := newWorld(t, 1)
	g, disks := w.add(one())
	devices, slows := slowly(w, disks, 4*time.Second)
	r := w.guests.Running("cloud", "db-01", devices)
	w.run(10 * time.Minute)
	assert.Equal(t, 5, slows[0].peak, "a burst, and a flush beside the next")
	c := r.Counters()
	assert.Equal(t, c, g.Counters())
	assert.Zero(t, c.Reads+c.Failed+c.Misread)
	assert.InDelta(t, 4*600/4, c.Writes, 300, "slower than it wants to be")
	assert.Greater(t, c.Stalled, 5*time.Minute)
	assert.Less(t, c.Stalled, 10*time.Minute)
	assert.Greater(t, c.Longest, 3*time.Second)
	assert.LessOrEqual(t, c.Longest, 4*time.Second)
	r.PowerOff()
	assert.Equal(t, c.Writes, g.Counters().Writes, "what a run did stays")
	assert.GreaterOrEqual(t, g.Counters().Stalled, c.Stalled)
}

func TestAStallThatGoesOnCounts(t *testing.T) {
	w := newWorld(t, 1)
	g, disks := w.add(one())
	devices, slows := slowly(w, disks, time.Second)
	slows[0].hangs = true
	w.guests.Running("cloud", "db-01", devices)
	w.run(time.Hour)
	assert.InDelta(t, time.Hour, g.Counters().Stalled, float64(4*time.Second))
}

func TestAPowerCutMayTakeWhatWasUnderWayAndNothingElse(t *testing.T) {
	torn := 0
	for seed := range uint64(60) {
		w := newWorld(t, seed)
		s := db()
		s.Workload.Rate, s.Workload.Burst, s.Workload.Span = 40, 32, 64*disk.BlockSize
		g, disks := w.add(s)
		for range 4 {
			devices, _ := slowly(w, disks, 2*time.Second)
			r := w.guests.Running("cloud", "db-01", devices)
			w.run(w.kernel.Now() + 10*time.Second + time.Duration(w.kernel.Rand("test").Int64N(int64(20*time.Second))))
			durable := uint64(0)
			if flushes := w.kinds(event.GuestFlush); len(flushes) > 0 {
				var err error
				durable, err = strconv.ParseUint(flushes[len(flushes)-1].Attr("write"), 10, 64)
				require.NoError(t, err)
			}
			promised := map[[2]int64]uint64{}
			for i := range disks {
				for block, ack := range g.Acknowledged(i) {
					if ack.Write <= durable && !ack.Torn {
						promised[[2]int64{int64(i), block}] = ack.Write
					}
				}
			}
			r.PowerOff()
			for i, d := range disks {
				require.Empty(t, g.Check(i, d, 1), "seed %d", seed)
				for block, ack := range g.Acknowledged(i) {
					if want, ok := promised[[2]int64{int64(i), block}]; ok && !ack.Torn {
						got, _ := guest.ReadStamp(d, block)
						require.GreaterOrEqual(t, got.Write, want, "seed %d", seed)
					} else if ok {
						torn++
					}
				}
			}
			from := len(w.trace)
			w.run(w.kernel.Now() + 10*time.Second)
			require.Len(t, w.trace, from, "late answers are ignored")
		}
	}
	assert.Positive(t, torn, "some cut must tear a block that was durable, by a write that was not acknowledged")
}

func TestADeviceHearsThatItsVMIsOffHoweverThatCame(t *testing.T) {
	for _, stop := range []func(*guest.Run){(*guest.Run).PowerOff, func(r *guest.Run) { r.Shutdown() }} {
		w := newWorld(t, 1)
		s := db()
		s.Workload.ReadShare = 1
		_, disks := w.add(s)
		devices, slows := slowly(w, disks, time.Second)
		r := w.guests.Running("cloud", "db-01", devices)
		w.run(10 * time.Second)
		assert.False(t, slows[0].cut)
		stop(r)
		w.run(time.Minute)
		assert.False(t, r.Up())
		assert.True(t, slows[0].cut && slows[1].cut)
	}
}

func TestADeviceThatLosesAcknowledgedWritesIsFoundOut(t *testing.T) {
	w := newWorld(t, 1)
	g, disks := w.add(one())
	devices, _ := slowly(w, disks, time.Second)
	r := w.guests.Running("cloud", "db-01", devices)
	w.run(10 * time.Second)
	disks[0].LoseFlushes()
	w.run(time.Minute)
	r.PowerOff()
	assert.NotEmpty(t, g.Check(0, disks[0], 1))
}

func TestShuttingDownWaitsForWhatIsOutstanding(t *testing.T) {
	w := newWorld(t, 1)
	g, disks := w.add(db())
	devices, slows := slowly(w, disks, time.Second)
	r := w.guests.Running("cloud", "db-01", devices)
	w.run(20 * time.Second)
	slows[1].hangs = true
	require.True(t, r.Shutdown())
	w.run(10 * time.Minute)
	assert.True(t, r.Up(), "it is deaf")
	assert.Empty(t, w.kinds(event.GuestStopped))
	for _, e := range w.kinds(event.GuestWrite) {
		assert.Less(t, e.At, 40*time.Second, "it begins nothing new")
	}
	slows[1].recover()
	w.run(20 * time.Minute)
	assert.False(t, r.Up())
	assert.Equal(t, "halted cloud/db-01", strings.SplitN(w.host.said[len(w.host.said)-1], " ", 2)[1])
	flush := w.trace[len(w.trace)-2]
	assert.Equal(t, event.GuestFlush, flush.Kind)
	assert.Equal(t, strconv.FormatUint(g.Writes(), 10), flush.Attr("write"), "all is durable before it halts")
	for i, d := range disks {
		require.Zero(t, d.Unflushed())
		require.Empty(t, g.Check(i, d, 1))
	}
}

func TestAGuestWhoseStorageHangsIsPoweredOff(t *testing.T) {
	w := newWorld(t, 1)
	g, disks := w.add(db())
	devices, slows := slowly(w, disks, time.Second)
	r := w.guests.Running("cloud", "db-01", devices)
	w.run(20 * time.Second)
	slows[0].hangs, slows[1].hangs = true, true
	require.True(t, r.Shutdown())
	w.run(time.Hour)
	require.True(t, r.Up())
	r.PowerOff()
	assert.Equal(t, "power-off", w.kinds(event.GuestStopped)[0].Attr("how"))
	from := len(w.trace)
	slows[0].recover()
	slows[1].recover()
	w.run(2 * time.Hour)
	assert.Len(t, w.trace, from)
	intact(t, g, disks)
	w.guests.Running("cloud", "db-01", devicesOf(disks))
	w.run(3 * time.Hour)
	intact(t, g, disks)
}

func TestADeviceThatRefusesIsAskedAgainLater(t *testing.T) {
	w := newWorld(t, 1)
	g, disks := w.add(one())
	devices, slows := slowly(w, disks, time.Second)
	r := w.guests.Running("cloud", "db-01", devices)
	w.run(20 * time.Second)
	slows[0].err = fmt.Errorf("the cache is full: %w", disk.ErrIO)
	from := len(w.trace)
	w.run(40 * time.Second)
	assert.LessOrEqual(t, len(w.trace)-from, 1, "nothing was acknowledged but what came before")
	assert.Positive(t, r.Counters().Failed)
	slows[0].err = nil
	w.run(time.Minute)
	assert.Equal(t, event.GuestFlush, w.kinds(event.GuestFlush)[0].Kind)
	assert.Greater(t, len(w.trace)-from, 10)
	intact(t, g, disks)
	r.PowerOff()
	intact(t, g, disks)
}

func TestReadsAreHeldAgainstWhatWasAcknowledged(t *testing.T) {
	for name, make := range map[string]func(*world, []*disk.Disk) []guest.Device{
		"at once": func(_ *world, disks []*disk.Disk) []guest.Device { return devicesOf(disks) },
		"later": func(w *world, disks []*disk.Disk) []guest.Device {
			devices, _ := slowly(w, disks, 200*time.Millisecond)
			return devices
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1)
			s := db()
			s.Workload.ReadShare, s.Workload.Rate, s.Workload.Span = 0.7, 20, 32*disk.BlockSize
			g, disks := w.add(s)
			w.guests.Running("cloud", "db-01", make(w, disks))
			w.run(10 * time.Minute)
			c := g.Counters()
			assert.InDelta(t, 0.7, float64(c.Reads)/float64(c.Reads+c.Writes), 0.03)
			assert.Greater(t, c.Reads, uint64(3000))
			assert.Zero(t, c.Misread)
			assert.Empty(t, w.kinds(event.GuestMisread))
			intact(t, g, disks)
		})
	}
}

func TestAReadThatLacksAnAcknowledgedWriteIsTold(t *testing.T) {
	w := newWorld(t, 1)
	s := one()
	s.Workload.ReadShare, s.Workload.Rate, s.Workload.Span = 0.5, 8, 32*disk.BlockSize
	g, disks := w.add(s)
	devices, slows := slowly(w, disks, 100*time.Millisecond)
	w.guests.Running("cloud", "db-01", devices)
	w.run(time.Minute)
	layer, err := disks[0].Snapshot()
	require.NoError(t, err)
	old, err := disks[0].View(layer)
	require.NoError(t, err)
	slows[0].stale = old
	w.run(2 * time.Minute)
	misreads := w.kinds(event.GuestMisread)
	require.NotEmpty(t, misreads)
	assert.EqualValues(t, len(misreads), g.Counters().Misread)
	first := misreads[0]
	assert.Equal(t, "db-01", first.Subject)
	assert.Regexp(t, `^(holds write #\d+|was never written)$`, first.Attr("got"))
	assert.Equal(t, "0", first.Attr("disk"))
	assert.NotEmpty(t, first.Attr("write"))
	assert.NotEmpty(t, first.Attr("block"))
	intact(t, g, disks)
}

func TestAGuestThatOnlyReadsHasNothingToFlush(t *testing.T) {
	w := newWorld(t, 1)
	s := db()
	s.Workload.ReadShare = 1
	g, disks := w.add(s)
	installed := g.Writes()
	w.guests.Running("cloud", "db-01", devicesOf(disks))
	w.run(time.Minute)
	assert.Equal(t, installed, g.Writes())
	assert.Positive(t, g.Counters().Reads)
	assert.Len(t, w.trace, 1, "it started, and that is all there is to tell")
}

func TestARunOnSlowDevicesIsAFunctionOfItsSeed(t *testing.T) {
	hash := func(seed uint64) uint64 {
		w := newWorld(t, seed)
		s := db()
		s.Workload.ReadShare = 0.5
		_, disks := w.add(s)
		devices, _ := slowly(w, disks, 3*time.Second)
		r := w.guests.PowerOn("cloud", "db-01", devices)
		w.run(3 * time.Minute)
		r.PowerOff()
		w.run(4 * time.Minute)
		return w.kernel.Hash()
	}
	assert.Equal(t, hash(1), hash(1))
	assert.NotEqual(t, hash(1), hash(2))
}

func TestAWriteThatFailedExcusesNothingOnceItsBlockIsDurable(t *testing.T) {
	w := newWorld(t, 1)
	s := one()
	s.Workload = guest.Workload{Kind: guest.Sequential, Span: disk.BlockSize, FlushEvery: time.Millisecond}
	g, disks := w.add(s)
	r := w.guests.Running("cloud", "db-01", devicesOf(disks))
	w.run(10 * time.Second)
	disks[0].FailWrites(disk.All, disk.ErrIO)
	w.run(20 * time.Second)
	require.Positive(t, g.Counters().Failed)
	disks[0].Heal()
	w.run(40 * time.Second)
	require.Equal(t, event.GuestFlush, w.trace[len(w.trace)-1].Kind)
	_, err := disks[0].WriteAt([]byte("what no guest wrote"), disk.BlockSize)
	require.NoError(t, err)
	require.NoError(t, disks[0].Flush())
	r.PowerOff()
	assert.Len(t, g.Check(0, disks[0], 9), 1)
}
