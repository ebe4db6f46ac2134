package datapath

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/cache"
	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/vsphere"
)

func block(fill byte) []byte { return bytes.Repeat([]byte{fill}, cache.BlockSize) }

func TestAGuestReadsWhatThePremisesHoldAndThenWhatItWrote(t *testing.T) {
	p := newPair(t)
	p.bind("db", 2*mib, 4*mib, 3*mib+512)
	assert.Equal(t, p.premises("db")[1][mib:mib+12288], p.read("db", 1, mib, 12288))
	assert.Equal(t, p.premises("db")[1][3*mib:], p.read("db", 1, 3*mib, 512), "the end of a disk that is no whole block")
	p.write("db", 1, mib+512, block(7)[:1024])
	want := bytes.Clone(p.premises("db")[1][mib : mib+4096])
	copy(want[512:], block(7)[:1024])
	assert.Equal(t, want, p.read("db", 1, mib, 4096))
	now := p.now
	p.read("db", 1, mib, 4096)
	assert.Equal(t, now, p.now, "what the cache holds takes no time")
}

func TestAFlushMakesThePremisesWhatTheGuestSawAtItsInstant(t *testing.T) {
	p := newPair(t)
	p.bind("db", 8*mib, 8*mib, 4*mib)
	for i := range int64(300) {
		p.write("db", int(i%2), i/2*8192, block(byte(i)))
	}
	before := p.premises("db")
	want := p.premises("db")
	for i := range int64(300) {
		copy(want[i%2][i/2*8192:], block(byte(i)))
	}
	cmd := p.key(component.Command{Service: component.CloudCache, Verb: component.Flush, IDs: []string{"db"}})
	require.Equal(t, component.Running, p.cache.Command(p.now, cmd).State)
	p.write("db", 0, 0, block(0xee)) // after the cut
	assert.Equal(t, before, p.premises("db"))
	done := p.do(cmd)
	require.Equal(t, component.Done, done.State, "%v", done.Error)
	assert.Equal(t, []component.Flushed{{ID: "db", Number: 1, Blocks: 300, Bytes: 300 * 4096}}, done.Flushed)
	assert.Equal(t, want, p.premises("db"))
	assert.Equal(t, done, p.do(cmd), "the same command again finds its result")
	done = p.flush("db")
	assert.Equal(t, []component.Flushed{{ID: "db", Number: 2, Blocks: 1, Bytes: 4096}}, done.Flushed)
	assert.Equal(t, block(0xee), p.premises("db")[0][:4096])
	assert.Equal(t, uint64(3), p.flush("db").Flushed[0].Number, "of nothing")
}

func TestAGroupIsCutAtOneInstantAndOnePairOfThePremisesFollowsTheOther(t *testing.T) {
	p := newPair(t)
	p.bind("db", 2*mib, 2*mib)
	p.bind("app", 2*mib, 2*mib)
	p.write("db", 0, 0, block(1))
	p.write("app", 0, 0, block(2))
	done := p.flush("app", "db")
	require.Equal(t, component.Done, done.State, "%v", done.Error)
	assert.Equal(t, "app", done.Flushed[0].ID)
	assert.Equal(t, block(1), p.premises("db")[0][:4096])
	assert.Equal(t, block(2), p.premises("app")[0][:4096])
	assert.Equal(t, []EventKind{EventBound, EventBound, FlushCut, FlushCut, FlushApplied, FlushApplied}, kinds(p.events))
}

func kinds(events []Event) (all []EventKind) {
	for _, e := range events {
		all = append(all, e.Kind)
	}
	return all
}

func TestAFlushRidesOutAnOutage(t *testing.T) {
	p := newPair(t)
	p.bind("db", 8*mib, 8*mib)
	for i := range int64(1000) {
		p.write("db", 0, i*4096, block(byte(i)))
	}
	want := p.premises("db")
	for i := range 1000 {
		copy(want[0][i*4096:], block(byte(i)))
	}
	cmd := p.key(component.Command{Service: component.CloudCache, Verb: component.Flush, IDs: []string{"db"}})
	p.cache.Command(p.now, cmd)
	p.run(30*time.Millisecond, never)
	p.setCut(true)
	p.run(4*time.Minute, never)
	assert.Equal(t, component.Running, p.cache.Command(p.now, cmd).State)
	p.setCut(false)
	assert.Equal(t, component.Done, p.do(cmd).State)
	assert.Equal(t, want, p.premises("db"))
	assert.Equal(t, []EventKind{EventBound, FlushCut, FlushApplied}, kinds(p.events), "nothing began anew")
}

func TestAQuotaSmallerThanWhatIsWrittenWantsAFlushAndGoesOnAfterIt(t *testing.T) {
	p := newPair(t)
	p.bind("db", 64*4096, 2*mib)
	acknowledged := 0
	for i := range int64(100) {
		p.cache.Submit(p.now, "db", cache.Request{Kind: cache.Write, Off: i * 4096, Data: block(byte(i))}, func(err error) {
			require.NoError(t, err)
			acknowledged++
		})
	}
	p.run(time.Second, never)
	assert.Less(t, acknowledged, 100)
	ids, fresh := p.cache.FlushWanted()
	assert.Equal(t, []string{"db"}, ids)
	assert.True(t, fresh)
	_, fresh = p.cache.FlushWanted()
	assert.False(t, fresh, "told once")
	require.Equal(t, component.Done, p.flush("db").State)
	assert.Equal(t, 100, acknowledged)
	require.Equal(t, component.Done, p.flush("db").State)
	for i := range int64(100) {
		assert.Equal(t, block(byte(i)), p.premises("db")[0][i*4096:][:4096])
	}
}

func TestWritesThatWaitForRoomNeverHappenWhenTheirVMLosesItsPower(t *testing.T) {
	p := newPair(t)
	p.bind("db", 8*4096, 2*mib)
	failed := 0
	for i := range int64(12) {
		p.cache.Submit(p.now, "db", cache.Request{Kind: cache.Write, Off: i * 4096, Data: block(9)}, func(err error) {
			if errors.Is(err, cache.ErrWithdrawn) {
				failed++
			}
		})
	}
	p.cache.Withdraw(p.now, "db", 0)
	assert.Equal(t, 4, failed)
	before := p.premises("db")
	require.Equal(t, component.Done, p.flush("db").State)
	require.Equal(t, component.Done, p.flush("db").State)
	assert.Equal(t, block(9), p.premises("db")[0][7*4096:8*4096])
	assert.Equal(t, before[0][8*4096:], p.premises("db")[0][8*4096:])
}

func TestAReconcileLeavesOnlyWhatIsWrittenMeanwhile(t *testing.T) {
	p := newPair(t)
	p.bind("db", 2*mib, 4*mib, mib)
	ref := vsphere.Ref("VirtualMachine:image")
	for _, d := range p.premises("db") {
		p.images[ref] = append(p.images[ref], &memory{b: d})
	}
	want := p.premises("db")
	for i := range int64(400) { // more than the quota: flushed and evicted in between
		p.write("db", int(i%2), i/2*4096, block(byte(i+1)))
		copy(want[i%2][i/2*4096:], block(byte(i+1)))
		if i%200 == 199 {
			require.Equal(t, component.Done, p.flush("db").State)
		}
	}
	cmd := p.key(component.Command{Service: component.CloudCache, Verb: component.Reconcile, IDs: []string{"db"}, Image: ref})
	require.Equal(t, component.Running, p.cache.Command(p.now, cmd).State)
	p.write("db", 0, 0, block(0xaa)) // taken already, and written again
	copy(want[0], block(0xaa))
	done := p.do(cmd)
	require.Equal(t, component.Done, done.State, "%v", done.Error)
	assert.Equal(t, 1, done.Left)
	assert.Equal(t, int64(400*4096), done.Progress.Bytes)
	again := p.do(component.Command{Service: component.CloudCache, Verb: component.Reconcile, IDs: []string{"db"}, Image: ref})
	assert.Equal(t, 0, again.Left)
	for i := range want {
		assert.True(t, bytes.Equal(want[i], p.images[ref][i].b), "disk %d", i)
	}
}

func TestAReconcileThatFailedTakesNothingAway(t *testing.T) {
	p := newPair(t)
	p.bind("db", 2*mib, mib)
	ref := vsphere.Ref("VirtualMachine:image")
	p.images[ref] = []*memory{newMemory(mib)}
	for i := range int64(50) {
		p.write("db", 0, i*4096, block(3))
	}
	p.images[ref][0].failed = errors.New("no space")
	command := component.Command{Service: component.CloudCache, Verb: component.Reconcile, IDs: []string{"db"}, Image: ref}
	done := p.do(command)
	assert.Equal(t, component.Failed, done.State)
	assert.Contains(t, done.Error.What, "no space")
	assert.Equal(t, 50, p.cache.report()[0].Changed)
	p.images[ref][0].failed = nil
	assert.Equal(t, component.Done, p.do(command).State)
	assert.Equal(t, bytes.Repeat([]byte{3}, 50*4096), p.images[ref][0].b[:50*4096])
}

func TestReleaseIsRefusedWhileSomethingIsDirtyAndDiscardIsNot(t *testing.T) {
	p := newPair(t)
	p.bind("db", 2*mib, mib)
	p.write("db", 0, 0, block(3))
	release := component.Command{Service: component.CloudCache, Verb: component.Release, IDs: []string{"db"}}
	done := p.do(release)
	require.Equal(t, component.Failed, done.State)
	assert.Equal(t, vsphere.Refused, done.Error.Class)
	before := p.premises("db")
	discard := release
	discard.Verb = component.Discard
	assert.Equal(t, component.Done, p.do(discard).State)
	assert.Equal(t, component.Done, p.do(release).State, "again")
	assert.Equal(t, component.Done, p.do(component.Command{Service: component.PremIOManager, Verb: component.Close, IDs: []string{"db"}}).State)
	assert.Equal(t, before, p.premises("db"))
	var got error
	p.cache.Submit(p.now, "db", cache.Request{Kind: cache.Read, Data: block(0)}, func(err error) { got = err })
	assert.ErrorIs(t, got, ErrUnbound)
	p.bind("db", 2*mib, mib) // and the room is free again
}

func TestAVMThatIsOnIsNotOpened(t *testing.T) {
	p := newPair(t)
	p.on["VirtualMachine:db"] = true
	done := p.do(component.Command{Service: component.PremIOManager, Verb: component.Open, Bind: &component.Binding{
		ID: "db", Source: "VirtualMachine:db", Quota: mib, Disks: []component.BoundDisk{{Key: 2000, Capacity: mib}},
	}})
	require.Equal(t, component.Failed, done.State)
	assert.Equal(t, vsphere.Refused, done.Error.Class)
	assert.Contains(t, done.Error.What, "powered on")
	assert.Empty(t, p.homes.volume.entries, "nothing half done")
}

func TestServicesThatRestartHoldWhatWasFlushedAndGoOn(t *testing.T) {
	p := newPair(t)
	p.bind("db", 2*mib, mib)
	p.write("db", 0, 0, block(1))
	require.Equal(t, uint64(1), p.flush("db").Flushed[0].Number)
	p.write("db", 0, 4096, block(2))
	p.cache.Submit(p.now, "db", cache.Request{Kind: cache.Flush}, func(err error) { require.NoError(t, err) })
	stale := p.key(component.Command{Service: component.CloudCache, Verb: component.Report, Epoch: p.cache.cfg.Epoch})
	p.bootCache()
	p.bootHomes()
	done := p.do(stale)
	require.Equal(t, component.Failed, done.State, "the one that took it up is gone")
	assert.Equal(t, vsphere.Retryable, done.Error.Class)
	assert.Equal(t, block(2), p.read("db", 0, 4096, 4096))
	assert.Equal(t, uint64(2), p.flush("db").Flushed[0].Number, "numbers go on")
	assert.Equal(t, block(2), p.premises("db")[0][4096:8192])
	refused := p.do(component.Command{Service: component.CloudCache, Verb: component.Reconcile, IDs: []string{"db"}, Image: "VirtualMachine:image"})
	assert.Contains(t, refused.Error.What, "restarted")
}

func TestAHomeIsNotLetGoOfWhileAFlushOfItMayBeHalfApplied(t *testing.T) { // CACHE-07, A-08
	p := newPair(t)
	p.bind("db", 2*mib, mib)
	p.write("db", 0, 0, block(7))
	source := p.sources["VirtualMachine:db"][0]
	source.failed = errOn // whatever is applied now is not known to last
	p.cache.Command(p.now, p.key(component.Command{Service: component.CloudCache, Verb: component.Flush, IDs: []string{"db"}}))
	p.run(time.Minute, never)
	copy(source.b, block(0)) // and has not lasted
	p.on["VirtualMachine:db"] = true
	p.bootHomes()
	closing := component.Command{Service: component.PremIOManager, Verb: component.Close, IDs: []string{"db"}}
	done := p.do(closing)
	require.Equal(t, component.Failed, done.State, "nobody could complete it any more")
	assert.Contains(t, done.Error.What, "powered on")
	require.Len(t, p.homes.homes, 1)

	p.on["VirtualMachine:db"], source.failed = false, nil
	told := p.do(component.Command{Service: component.PremIOManager, Verb: component.Report})
	require.Len(t, told.Status, 1)
	assert.Equal(t, uint64(1), told.Status[0].Last, "its cache has not heard the end of it")
	done = p.do(closing)
	require.Equal(t, component.Done, done.State)
	assert.Empty(t, p.homes.homes)
	assert.Equal(t, []component.Flushed{{ID: "db", Number: 1}}, done.Flushed)
	assert.Equal(t, block(7), p.premises("db")[0][:4096], "the flush was decided: all of it is there")
}

func TestAHomeThatRestartsInTheMiddleOfAFlushGetsItAnew(t *testing.T) {
	p := newPair(t)
	p.bind("db", 8*mib, 8*mib)
	for i := range int64(1500) {
		p.write("db", 0, i*4096, block(byte(i)))
	}
	want := p.premises("db")
	for i := range 1500 {
		copy(want[0][i*4096:], block(byte(i)))
	}
	cmd := p.key(component.Command{Service: component.CloudCache, Verb: component.Flush, IDs: []string{"db"}})
	p.cache.Command(p.now, cmd)
	p.run(50*time.Millisecond, never)
	p.bootHomes()
	done := p.do(cmd)
	require.Equal(t, component.Done, done.State, "%v", done.Error)
	assert.Equal(t, want, p.premises("db"))
	assert.Contains(t, kinds(p.events), FlushAbandoned)
}

func TestWhatADeviceHasNoRoomForIsRefusedWithWhatToDo(t *testing.T) {
	p := newPair(t)
	b := component.Binding{ID: "db", Source: "VirtualMachine:db", Quota: 100 * mib, Disks: []component.BoundDisk{{Key: 2000, Capacity: mib}}}
	done := p.do(component.Command{Service: component.CloudCache, Verb: component.Bind, Bind: &b, Home: homeName, Stream: 1})
	require.Equal(t, component.Failed, done.State)
	assert.Equal(t, vsphere.Refused, done.Error.Class)
	assert.Contains(t, done.Error.Hint, "larger mode")
	_, err := NewCloudCache(CacheConfig{Device: newMemory(mib)})
	assert.ErrorIs(t, err, ErrDevice)
}

func TestNoneOfAGroupIsAppliedBeforeEveryChunkOfAllIsThere(t *testing.T) {
	p := newPairOf(t, 16*mib, extentsStart+4*minExtent)
	p.bind("app", 2*mib, mib)
	p.bind("db", 2*mib, mib)
	p.write("app", 0, 0, block(1))
	for i := range int64(200) { // more than the stage takes
		p.write("db", 0, i*4096, block(2))
	}
	before := p.premises("app")
	require.Equal(t, component.Failed, p.flush("app", "db").State)
	assert.Equal(t, before, p.premises("app"))
	require.Equal(t, component.Done, p.flush("app").State, "alone it goes")
	assert.Equal(t, block(1), p.premises("app")[0][:4096])
}

func TestReleasingABindingEndsTheFlushesThatWaitForIt(t *testing.T) {
	p := newPair(t)
	p.bind("app", 2*mib, mib)
	p.bind("db", 2*mib, mib)
	p.write("db", 0, 0, block(2))
	p.setCut(true)
	first := p.key(component.Command{Service: component.CloudCache, Verb: component.Flush, IDs: []string{"db"}})
	second := p.key(component.Command{Service: component.CloudCache, Verb: component.Flush, IDs: []string{"app", "db"}})
	p.cache.Command(p.now, first)
	p.cache.Command(p.now, second)
	require.Equal(t, component.Done, p.do(component.Command{Service: component.CloudCache, Verb: component.Discard, IDs: []string{"db"}}).State)
	for _, cmd := range []component.Command{first, second} {
		assert.Equal(t, component.Failed, p.cache.Command(p.now, cmd).State)
	}
	p.setCut(false)
	assert.Equal(t, component.Done, p.flush("app").State)
}

func TestAReleaseWaitsForReadsThatAreUnderWay(t *testing.T) { // of a VM that has just lost its power
	p := newPair(t)
	p.bind("db", 2*mib, mib)
	p.setCut(true)
	p.cache.Submit(p.now, "db", cache.Request{Kind: cache.Read, Data: block(0)}, func(error) {})
	release := component.Command{Service: component.CloudCache, Verb: component.Release, IDs: []string{"db"}}
	done := p.do(release)
	require.Equal(t, component.Failed, done.State)
	assert.Equal(t, vsphere.Retryable, done.Error.Class, "it ends by itself, and nothing is dirty")
	p.setCut(false)
	p.run(time.Minute, never)
	assert.Equal(t, component.Done, p.do(release).State)
}

func TestAReconcileThatIsAskedForAgainGoesOnForWhoeverAskedLast(t *testing.T) { // APP-02: the appliance has restarted
	p := newPair(t)
	p.bind("db", 2*mib, mib)
	ref := vsphere.Ref("VirtualMachine:image")
	p.images[ref] = []*memory{{b: p.premises("db")[0]}}
	for i := range int64(200) {
		p.write("db", 0, i*4096, block(byte(i+1)))
	}
	require.Equal(t, component.Done, p.flush("db").State)
	p.write("db", 0, 0, block(9))
	first := p.key(component.Command{Service: component.CloudCache, Verb: component.Reconcile, IDs: []string{"db"}, Image: ref})
	again := p.key(component.Command{Service: component.CloudCache, Verb: component.Reconcile, IDs: []string{"db"}, Image: ref})
	p.setCut(true)
	require.Equal(t, component.Running, p.cache.Command(p.now, first).State)
	require.Equal(t, component.Running, p.cache.Command(p.now, again).State, "it does not have to wait for a pass that nobody waits for")
	other := p.key(component.Command{Service: component.CloudCache, Verb: component.Reconcile, IDs: []string{"db"}, Image: "VirtualMachine:other"})
	assert.Equal(t, component.Failed, p.cache.Command(p.now, other).State, "two images would each get a part")
	p.setCut(false)
	done := p.do(again)
	require.Equal(t, component.Done, done.State, "%v", done.Error)
	assert.Zero(t, done.Left)
	assert.Equal(t, component.Failed, p.cache.Command(p.now, first).State)
	assert.True(t, bytes.Equal(p.read("db", 0, 0, mib), p.images[ref][0].b))
}
