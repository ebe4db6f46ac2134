package guest_test

import (
	"bytes"
	"fmt"
	"io"
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
	"github.com/hdm-project/hdm/sim/vmdk"
)

// host notes what guests say.
type host struct {
	kernel *kernel.Kernel
	said   []string
}

func (h *host) Tools(site, vm string, running bool) { h.note("tools=%t %s/%s", running, site, vm) }
func (h *host) Rebooted(site, vm string)            { h.note("rebooted %s/%s", site, vm) }
func (h *host) Halted(site, vm string)              { h.note("halted %s/%s", site, vm) }

func (h *host) note(format string, args ...any) {
	if h.kernel != nil {
		h.said = append(h.said, h.kernel.Now().String()+" "+fmt.Sprintf(format, args...))
	}
}

// world is a kernel with guests, and its trace.
type world struct {
	t      testing.TB
	kernel *kernel.Kernel
	host   *host
	guests *guest.Guests
	trace  []kernel.Event
}

func newWorld(t testing.TB, seed uint64) *world {
	k := kernel.New(seed)
	w := &world{t: t, kernel: k, host: &host{kernel: k}}
	w.guests = guest.New(k, w.host)
	k.Observe(func(e kernel.Event) { w.trace = append(w.trace, e) })
	return w
}

func (w *world) run(until time.Duration) {
	w.t.Helper()
	require.NoError(w.t, kernel.NewDriver(w.kernel, 0, kernel.Limits{Events: 1e6}).Run(until, nil))
}

// add adds a guest with one disk of 1 GiB per id, installed.
func (w *world) add(s guest.Spec) (*guest.Guest, []*disk.Disk) {
	w.t.Helper()
	g, err := w.guests.Add(s)
	require.NoError(w.t, err)
	var disks []*disk.Disk
	for _, id := range s.Disks {
		disks = append(disks, disk.New(id, 1<<30))
	}
	require.NoError(w.t, g.Install(disks, 3))
	return g, disks
}

// devicesOf are the disks as a guest drives them.
func devicesOf(disks []*disk.Disk) []guest.Device {
	var all []guest.Device
	for _, d := range disks {
		all = append(all, guest.Local(d))
	}
	return all
}

func (w *world) kinds(kind string) (events []kernel.Event) {
	for _, e := range w.trace {
		if e.Kind == kind {
			events = append(events, e)
		}
	}
	return events
}

// db is a guest with two disks that writes four times a second.
func db() guest.Spec {
	return guest.Spec{
		Name: "db-01", Disks: []string{"db-01/0", "db-01/1"}, Boot: 40 * time.Second, Shutdown: 15 * time.Second,
		Workload: guest.Workload{Kind: guest.Random, Rate: 4, Burst: 2, Span: 1 << 20},
	}
}

func intact(t testing.TB, g *guest.Guest, disks []*disk.Disk) {
	t.Helper()
	for i, d := range disks {
		require.Empty(t, g.Check(i, d, 10))
	}
}

// carried is the disk after a journey as VMDK.
func carried(t testing.TB, d *disk.Disk) (there *disk.Disk) {
	t.Helper()
	var stream bytes.Buffer
	require.NoError(t, vmdk.Encode(&stream, vmdk.Header{DiskID: d.ID(), Capacity: d.Capacity()}, d))
	_, err := vmdk.Decode(&stream, func(h vmdk.Header) (io.WriterAt, error) {
		there = disk.New(h.DiskID, h.Capacity)
		return there, nil
	})
	require.NoError(t, err)
	return there
}

func TestAGuestBootsWritesAndShutsDown(t *testing.T) {
	w := newWorld(t, 1)
	g, disks := w.add(db())
	r := w.guests.PowerOn("on-premises", "db-01", devicesOf(disks))
	w.run(39 * time.Second)
	assert.False(t, r.Up())
	assert.False(t, r.Shutdown(), "a booting guest does not hear")
	assert.Empty(t, w.trace)
	w.run(100 * time.Second)
	assert.True(t, r.Up())
	assert.True(t, r.Shutdown())
	assert.True(t, r.Shutdown(), "asked twice, it shuts down once")
	w.run(200 * time.Second)
	r.PowerOff()

	assert.Equal(t, []string{"40s tools=true on-premises/db-01", "1m55s tools=false on-premises/db-01", "1m55s halted on-premises/db-01"}, w.host.said)
	stopped := w.kinds(event.GuestStopped)
	require.Len(t, stopped, 1)
	assert.Equal(t, "shutdown", stopped[0].Attr("how"))
	assert.Equal(t, "0", stopped[0].Attr("lost"))
	writes := w.kinds(event.GuestWrite)
	assert.InDelta(t, 75*2, len(writes), 30, "two bursts a second while it was up")
	assert.Equal(t, stopped[0].At, w.trace[len(w.trace)-1].At, "nothing after it stopped")
	for _, d := range disks {
		assert.Zero(t, d.Unflushed())
	}
	intact(t, g, disks)
}

func TestAGuestThatRanBeforeTheWorldBeganWorksAtOnce(t *testing.T) {
	w := newWorld(t, 1)
	_, disks := w.add(db())
	r := w.guests.Running("on-premises", "db-01", devicesOf(disks))
	assert.True(t, r.Up())
	assert.Equal(t, []string{"0s tools=true on-premises/db-01"}, w.host.said)
	assert.Nil(t, w.guests.Running("on-premises", "other", nil))
	w.run(10 * time.Second)
	assert.NotEmpty(t, w.kinds(event.GuestWrite))
}

func TestAWriteOfSeveralBlocksIsOneWrite(t *testing.T) {
	w := newWorld(t, 1)
	s := db()
	s.Workload = guest.Workload{Kind: guest.Sequential, Rate: 1, BlockSize: 3 * disk.BlockSize, Span: 1 << 20}
	g, disks := w.add(s)
	first := g.Writes() + 1
	w.guests.Running("on-premises", "db-01", devicesOf(disks))
	w.run(5 * time.Second)
	for block := int64(1); block <= 3; block++ {
		stamp, whole := guest.ReadStamp(disks[0], block)
		require.True(t, whole)
		assert.Equal(t, guest.Stamp{Guest: guest.Identity("db-01"), Block: block, Write: first}, stamp)
	}
	assert.Equal(t, "1", w.kinds(event.GuestWrite)[0].Attr("block"), "the trace tells where it begins")
	intact(t, g, disks)
}

func TestTheTraceTellsEveryAcknowledgedWrite(t *testing.T) {
	w := newWorld(t, 1)
	g, disks := w.add(db())
	installed := g.Writes()
	w.guests.PowerOn("on-premises", "db-01", devicesOf(disks))
	w.run(2 * time.Minute)

	told := map[string]string{} // disk and block: the last write
	number := installed
	for _, e := range w.kinds(event.GuestWrite) {
		for _, block := range strings.Split(e.Attr("block"), ",") {
			number++
			told[e.Attr("disk")+" "+block] = strconv.FormatUint(number, 10)
		}
		require.Equal(t, strconv.FormatUint(number, 10), e.Attr("write"))
	}
	require.Equal(t, g.Writes(), number)
	for i := range disks {
		for block, ack := range g.Acknowledged(i) {
			if ack.Write > installed {
				key := fmt.Sprintf("%d %d", i, block)
				assert.Equal(t, told[key], strconv.FormatUint(ack.Write, 10))
				delete(told, key)
			}
		}
	}
	assert.Empty(t, told)
}

func TestWhatAFlushPromisedOutlivesAPowerCut(t *testing.T) {
	lostSome := false
	for seed := range uint64(30) {
		w := newWorld(t, seed)
		g, disks := w.add(db())
		r := w.guests.PowerOn("on-premises", "db-01", devicesOf(disks))
		w.run(70 * time.Second)
		flushes := w.kinds(event.GuestFlush)
		durable, err := strconv.ParseUint(flushes[len(flushes)-1].Attr("write"), 10, 64)
		require.NoError(t, err)
		promised := make([]map[int64]uint64, len(disks))
		for i := range disks {
			promised[i] = map[int64]uint64{}
			for block, ack := range g.Acknowledged(i) {
				if ack.Write <= durable {
					promised[i][block] = ack.Write
				}
			}
			require.NotEmpty(t, promised[i])
		}
		r.PowerOff()
		for i, d := range disks {
			for block, want := range promised[i] {
				got, whole := guest.ReadStamp(d, block)
				require.True(t, whole && got.Write == want, "seed %d: disk %d block %d holds %+v instead of write %d", seed, i, block, got, want)
			}
		}
		intact(t, g, disks)
		stopped := w.kinds(event.GuestStopped)
		require.Len(t, stopped, 1)
		require.Equal(t, "power-off", stopped[0].Attr("how"))
		lostSome = lostSome || stopped[0].Attr("lost") != "0"
	}
	assert.True(t, lostSome, "some of thirty power cuts must take something")
}

func TestAGuestGoesOnAfterAPowerCut(t *testing.T) {
	w := newWorld(t, 3)
	g, disks := w.add(db())
	w.guests.PowerOn("on-premises", "db-01", devicesOf(disks)).PowerOff()
	assert.Empty(t, w.trace, "it had not booted")
	for range 5 {
		r := w.guests.PowerOn("on-premises", "db-01", devicesOf(disks))
		w.run(w.kernel.Now() + 70*time.Second)
		r.PowerOff()
		intact(t, g, disks)
	}
	assert.Len(t, w.kinds(event.GuestStarted), 5)
}

func TestTheLedgerRejectsADeviceThatLies(t *testing.T) {
	for name, lie := range map[string]func(*disk.Disk){
		"about flushes": (*disk.Disk).LoseFlushes,
		"about writes":  func(d *disk.Disk) { d.LoseWrites(disk.All) },
		"torn writes":   func(d *disk.Disk) { d.TearWrites(disk.All, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1)
			g, disks := w.add(db())
			r := w.guests.PowerOn("on-premises", "db-01", devicesOf(disks))
			w.run(70 * time.Second)
			lie(disks[1])
			w.run(100 * time.Second)
			r.PowerOff()
			assert.Empty(t, g.Check(0, disks[0], 10))
			losses := g.Check(1, disks[1], 10)
			require.NotEmpty(t, losses)
			assert.Regexp(t, `^disk db-01/1 block 0x[0-9a-f]+: write #\d+ acknowledged at .+, but the block (holds|was)`, losses[0].String())
			assert.Len(t, g.Check(1, disks[1], 1), 1, "no more than asked for")
		})
	}
}

func TestAGuestRebootsAndComesUpWhereItWas(t *testing.T) {
	w := newWorld(t, 1)
	g, disks := w.add(db())
	r := w.guests.PowerOn("on-premises", "db-01", devicesOf(disks))
	assert.False(t, r.Reboot(), "a booting guest does not hear")
	w.run(100 * time.Second)
	assert.True(t, r.Reboot())
	assert.True(t, r.Shutdown(), "who asks next is heard, and the first wish stands")
	w.run(200 * time.Second)
	assert.False(t, r.Up())
	assert.Equal(t, "rebooted on-premises/db-01", strings.SplitN(w.host.said[len(w.host.said)-1], " ", 2)[1])
	intact(t, g, disks)
}

func TestAGuestMovesWithItsDisks(t *testing.T) {
	w := newWorld(t, 1)
	g, disks := w.add(db())
	r := w.guests.PowerOn("on-premises", "db-01", devicesOf(disks))
	w.run(70 * time.Second)
	early := carried(t, disks[0])
	w.run(80 * time.Second)
	require.True(t, r.Shutdown())
	w.run(100 * time.Second)
	moved := []*disk.Disk{carried(t, disks[0]), carried(t, disks[1])}
	intact(t, g, moved)
	require.NotEmpty(t, g.Check(0, early, 10), "a copy from before the last writes is not enough")
	require.NotEmpty(t, g.Check(0, moved[1], 10), "nor is the other disk")
	require.NotEmpty(t, g.Check(0, disk.New("db-01/0", 1<<30), 10), "nor an empty one")

	there := w.guests.PowerOn("cloud", "db-01 ARM", devicesOf(moved))
	there.Rename("db-01")
	w.run(3 * time.Minute)
	last := w.trace[len(w.trace)-1]
	assert.Equal(t, "cloud", last.Attr("site"))
	assert.Equal(t, "db-01", last.Attr("vm"))
	assert.Equal(t, "db-01", last.Subject)
	intact(t, g, moved)
	assert.NotEmpty(t, g.Check(0, disks[0], 10), "the copy that stayed is behind")
}

func TestTheSameGuestTwiceAtOnceShows(t *testing.T) {
	w := newWorld(t, 1)
	g, disks := w.add(db())
	copies := []*disk.Disk{carried(t, disks[0]), carried(t, disks[1])}
	w.guests.PowerOn("on-premises", "db-01", devicesOf(disks))
	w.guests.PowerOn("cloud", "db-01", devicesOf(copies))
	w.run(2 * time.Minute)
	assert.Len(t, w.kinds(event.GuestStarted), 2)
	assert.NotEmpty(t, g.Check(0, disks[0], 1))
	assert.NotEmpty(t, g.Check(0, copies[0], 1))
}

func TestAnOlderWriteIsNotEnough(t *testing.T) {
	w := newWorld(t, 1)
	s := db()
	s.Workload = guest.Workload{Kind: guest.Sequential, Span: disk.BlockSize} // one block, again and again
	g, disks := w.add(s)
	w.guests.Running("on-premises", "db-01", devicesOf(disks))
	w.run(3 * time.Second)
	older := carried(t, disks[0])
	intact(t, g, []*disk.Disk{older})
	w.run(10 * time.Second)
	losses := g.Check(0, older, 10)
	require.Len(t, losses, 1)
	assert.Less(t, losses[0].Got.Write, losses[0].Want.Write)
	assert.NotZero(t, losses[0].Got.Write)
}

func TestWhatAnotherWroteIsNotEnough(t *testing.T) {
	w := newWorld(t, 1)
	g, disks := w.add(db()) // the second disk has the same blocks, and later writes
	assert.Len(t, g.Check(0, disks[1], 10), 4)

	other, others := w.add(guest.Spec{Name: "web-01", Disks: []string{"web-01/0"}})
	for range 5 {
		require.NoError(t, other.Install(others, 3))
	}
	require.Greater(t, other.Writes(), g.Writes())
	assert.Len(t, g.Check(0, others[0], 10), 4)
}

func TestAPowerCutTakesNothingFromATwin(t *testing.T) {
	w := newWorld(t, 1)
	s := db()
	s.Workload.FlushEvery = time.Hour
	g, disks := w.add(s)
	copies := []*disk.Disk{carried(t, disks[0]), carried(t, disks[1])}
	here := w.guests.Running("on-premises", "db-01", devicesOf(disks))
	w.guests.Running("cloud", "db-01", devicesOf(copies))
	w.run(time.Minute)
	twins := map[int64]guest.Ack{}
	for block, ack := range g.Acknowledged(0) {
		if s, whole := guest.ReadStamp(copies[0], block); whole && s.Write == ack.Write {
			twins[block] = ack
		}
	}
	require.Greater(t, len(twins), 10)
	here.PowerOff()
	for block, ack := range g.Acknowledged(0) {
		if want, ok := twins[block]; ok {
			require.Equal(t, want, ack, "block %d", block)
			delete(twins, block)
		}
	}
	assert.Empty(t, twins)
}

func TestAGuestBootsOnlyFromItsBootBlock(t *testing.T) {
	w := newWorld(t, 1)
	_, disks := w.add(db())
	empty := []*disk.Disk{disk.New("db-01/0", 1<<30), disks[1]}
	r := w.guests.PowerOn("cloud", "db-01", devicesOf(empty))
	require.NotNil(t, r)
	assert.Nil(t, w.guests.PowerOn("cloud", "other", devicesOf([]*disk.Disk{disk.New("other", 1<<30)})), "nobody lives there")
	assert.Nil(t, w.guests.PowerOn("cloud", "other", nil), "nor without disks")
	assert.Nil(t, w.guests.PowerOn("cloud", "other", devicesOf(disks[1:])), "a guest's second disk is not a boot disk")
	w.run(time.Hour)
	assert.False(t, r.Up())
	assert.Empty(t, w.trace)
	r.PowerOff()
	assert.Empty(t, w.host.said)
}

func TestAGuestDoesNotComeUpFromADiskThatCannotBeRead(t *testing.T) {
	w := newWorld(t, 1)
	g, disks := w.add(db())
	disks[0].FailReads(disk.All, disk.ErrIO)
	r := w.guests.PowerOn("cloud", "db-01", devicesOf(disks))
	w.run(time.Hour)
	assert.False(t, r.Up())
	assert.Empty(t, g.Check(0, devicesOf(disks)[0].Image(), 1), "and yet all is there")
	disks[0].Heal()
	again := w.guests.PowerOn("cloud", "db-01", devicesOf(disks))
	w.run(2 * time.Hour)
	assert.True(t, again.Up(), "once it can be read")
}

func TestSomeGuestsDoNotHear(t *testing.T) {
	for name, set := range map[string]func(*guest.Spec){
		"without tools": func(s *guest.Spec) { s.NoTools = true },
		"deaf":          func(s *guest.Spec) { s.Deaf = true },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1)
			s := db()
			set(&s)
			_, disks := w.add(s)
			r := w.guests.PowerOn("on-premises", "db-01", devicesOf(disks))
			w.run(time.Minute)
			assert.False(t, r.Shutdown())
			w.run(2 * time.Minute)
			assert.True(t, r.Up())
			assert.Equal(t, s.NoTools, len(w.host.said) == 0, "tools are told of where they are")
		})
	}
}

func TestAFailedWriteIsNotAcknowledgedAndTheGuestGoesOn(t *testing.T) {
	w := newWorld(t, 1)
	g, disks := w.add(db())
	w.guests.PowerOn("on-premises", "db-01", devicesOf(disks))
	w.run(50 * time.Second)
	disks[0].FailWrites(disk.All, disk.ErrIO)
	disks[1].FailFlushes(disk.ErrIO)
	from := len(w.trace)
	w.run(80 * time.Second)
	for _, e := range w.trace[from:] {
		require.Equal(t, event.GuestWrite, e.Kind, "no flush succeeds while one disk refuses")
		require.Equal(t, "1", e.Attr("disk"))
	}
	disks[0].Heal()
	disks[1].Heal()
	from = len(w.trace)
	w.run(90 * time.Second)
	kinds := map[string]bool{}
	for _, e := range w.trace[from:] {
		kinds[e.Kind+e.Attr("disk")] = true
	}
	assert.Equal(t, map[string]bool{event.GuestWrite + "0": true, event.GuestWrite + "1": true, event.GuestFlush: true}, kinds)
	intact(t, g, disks)
}

func TestARunIsAFunctionOfItsSeed(t *testing.T) {
	hash := func(seed uint64) uint64 {
		w := newWorld(t, seed)
		_, disks := w.add(db())
		r := w.guests.PowerOn("on-premises", "db-01", devicesOf(disks))
		w.run(80 * time.Second)
		r.PowerOff()
		return w.kernel.Hash()
	}
	assert.Equal(t, hash(1), hash(1))
	assert.NotEqual(t, hash(1), hash(2))
}

func TestImpossibleGuestsAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*guest.Spec)
		says   string
	}{
		"no disk":       {func(s *guest.Spec) { s.Disks = nil }, "no disk"},
		"same name":     {func(s *guest.Spec) { s.Disks = []string{"x"} }, "two guests db-01"},
		"same disk":     {func(s *guest.Spec) { s.Name = "x" }, "guests db-01 and x live on the same disk"},
		"negative boot": {func(s *guest.Spec) { s.Name, s.Disks, s.Boot = "x", []string{"x"}, -1 }, "negative"},
		"bad workload":  {func(s *guest.Spec) { s.Name, s.Disks, s.Workload.Kind = "x", []string{"x"}, "y" }, `kind "y"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1)
			w.add(db())
			s := db()
			c.change(&s)
			_, err := w.guests.Add(s)
			require.ErrorContains(t, err, c.says)
			assert.Len(t, w.guests.All(), 1)
		})
	}
}

func TestInstallingRefusesTheDisksOfOthersAndPassesErrorsOn(t *testing.T) {
	w := newWorld(t, 1)
	g, err := w.guests.Add(db())
	require.NoError(t, err)
	assert.ErrorContains(t, g.Install([]*disk.Disk{disk.New("db-01/1", 1<<20)}, 1), "not its own")
	full := disk.New("db-01/0", 1<<20)
	full.SetSpace(0)
	assert.ErrorIs(t, g.Install([]*disk.Disk{full}, 1), disk.ErrNoSpace)
	full.Heal()
	full.FailFlushes(disk.ErrIO)
	assert.ErrorIs(t, g.Install([]*disk.Disk{full}, 1), disk.ErrIO)
	assert.NoError(t, g.Install([]*disk.Disk{disk.New("db-01/0", 100)}, 1), "a disk smaller than a block stays empty")
}

func TestAnInstalledGuestIsOnAllOfItsDisk(t *testing.T) {
	w := newWorld(t, 1)
	g, disks := w.add(db())
	var blocks []int64
	for block := range g.Acknowledged(1) {
		blocks = append(blocks, block)
	}
	last := int64(1<<30/disk.BlockSize - 1)
	assert.Equal(t, []int64{0, last / 3, last * 2 / 3, last}, blocks)
	assert.Zero(t, disks[1].Unflushed())
	assert.Empty(t, w.trace)
	intact(t, g, disks)
}
