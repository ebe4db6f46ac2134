package component_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
)

func TestErrorsOfADeviceThatPassAreRiddenOut(t *testing.T) {
	for _, c := range []struct {
		vm  string
		use deployment.Use
		op  disk.Op
		err error
	}{
		{cacheVM, deployment.Cache, disk.Write, disk.ErrIO},
		{cacheVM, deployment.Cache, disk.Write, disk.ErrNoSpace},
		{cacheVM, deployment.Cache, disk.Read, disk.ErrIO},
		{cacheVM, deployment.Cache, disk.Flush, disk.ErrIO},
		{homeVM, deployment.System, disk.Write, disk.ErrIO},
		{homeVM, deployment.System, disk.Read, disk.ErrIO},
		{homeVM, deployment.System, disk.Flush, disk.ErrIO},
		{homeVM, deployment.System, disk.Write, disk.ErrNoSpace},
	} {
		t.Run(fmt.Sprint(c.use, " ", c.op, " ", c.err), func(t *testing.T) {
			s := computing(t)
			for range 3 {
				require.NoError(t, s.Components.FailDevice(c.vm, c.use, c.op, c.err, 3, nil))
				s.run(time.Minute)
				s.flush("m-1")
			}
			require.NotEmpty(t, s.events(event.DiskError), "it acted")
			assert.Empty(t, s.how())
			got := s.Guests().Guest("db").Counters()
			assert.Zero(t, got.Misread+got.Failed)
			s.power("db ARM", false)
			s.ledger("db")
			s.flush("m-1")
			s.assertSame("db")
		})
	}
}

func TestACacheWhoseDeviceFailsForGoodGoesDownRatherThanAnswerWrongly(t *testing.T) {
	for _, c := range []struct {
		op  disk.Op
		err error
	}{{disk.Write, disk.ErrIO}, {disk.Write, disk.ErrNoSpace}, {disk.Read, disk.ErrIO}, {disk.Flush, disk.ErrIO}} {
		t.Run(fmt.Sprint(c.op, " ", c.err), func(t *testing.T) {
			s := computing(t)
			s.run(3 * time.Minute)
			require.NoError(t, s.Components.FailDevice(cacheVM, deployment.Cache, c.op, c.err, 0, nil))
			s.run(time.Minute)
			assert.Equal(t, []string{cacheVM + "/Cloud Cache=device"}, s.how())
			alive := s.ping(cacheVM)
			require.Len(t, alive.Down, 1)
			assert.NotEmpty(t, alive.Down[0].Why)
			if c.op == disk.Read { // what is on it cannot be read: it does not even start
				failure := s.start(cacheVM, component.CloudCache)
				assert.Equal(t, vsphere.Retryable, vsphere.ClassOf(failure), "%v", failure)
			}
			require.NoError(t, s.Components.HealDevice(cacheVM, deployment.Cache))
			require.NoError(t, s.start(cacheVM, component.CloudCache))
			s.run(time.Minute)
			got := s.Guests().Guest("db").Counters()
			assert.Zero(t, got.Misread+got.Failed)
			s.ledger("db")
			s.power("db ARM", false)
			s.ledger("db")
			s.flush("m-1")
			s.assertSame("db")
		})
	}
}

func TestWhoeverJudgesAServedDiskMeetsNothingThatFailsBelowIt(t *testing.T) {
	s := newStage(t, "standard", worker("db"))
	s.bind("m-1", "db", 32<<20)
	s.power("db ARM", true)
	s.run(3 * time.Minute)
	s.power("db ARM", false)
	s.flush("m-1")
	before := frozen(t, s.images(s.Cloud, "db ARM"))
	same := func(when string) {
		for i, image := range s.images(s.Cloud, "db ARM") {
			same, block := disk.Same(image, before[i])
			assert.True(t, same, "%s: disk %d differs in block %d", when, i, block)
		}
	}
	require.NoError(t, s.OnPremises.VCenter.FailDatastore("ds-01", "read", true))
	require.NoError(t, s.Components.FailDevice(cacheVM, deployment.Cache, disk.Read, disk.ErrIO, 0, nil))
	same("while nothing can be read")
	assert.Empty(t, s.how(), "and no service has met it")
	require.NoError(t, s.Components.Crash(cacheVM, component.CloudCache))
	same("while the cloud cache is down besides")
}

func TestAnIOManagerWhoseStageFailsForGoodGoesDown(t *testing.T) {
	s := computing(t)
	s.run(3 * time.Minute)
	before := frozen(t, s.images(s.OnPremises, "db"))
	require.NoError(t, s.Components.FailDevice(homeVM, deployment.System, disk.Write, disk.ErrIO, 0, nil))
	var done []component.Flushed
	s.appliance.Go(context.Background(), "flush", func(ctx context.Context) { done, _ = s.client.Flush(ctx, []string{"m-1"}) })
	s.run(time.Minute)
	assert.Empty(t, done)
	assert.Equal(t, []string{homeVM + "/On Prem IO Manager=device"}, s.how())
	for i, image := range s.images(s.OnPremises, "db") {
		same, block := disk.Same(image, before[i])
		assert.True(t, same, "disk %d differs in block %d", i, block)
	}
	require.NoError(t, s.Components.HealDevice(homeVM, deployment.System))
	require.NoError(t, s.start(homeVM, component.PremIOManager))
	s.run(time.Minute)
	assert.Len(t, done, 1, "the flush begins anew")
	s.power("db ARM", false)
	s.flush("m-1")
	s.assertSame("db")
}

func TestAFullStageFailsFlushesAsAWholeAndTheyComeThroughLater(t *testing.T) {
	s := computing(t)
	s.run(3 * time.Minute)
	require.NoError(t, s.Components.FailDevice(homeVM, deployment.System, disk.Write, disk.ErrNoSpace, 0, nil))
	s.Kernel.After(20*time.Second, func() { require.NoError(t, s.Components.HealDevice(homeVM, deployment.System)) })
	s.flush("m-1")
	assert.NotEmpty(t, s.events(event.FlushAbandoned))
	assert.Len(t, s.events(event.FlushApplied), 1)
	assert.Empty(t, s.how(), "what needs no more room goes on")
	s.power("db ARM", false)
	s.flush("m-1")
	s.assertSame("db")
}

// A stage that tears what it acknowledges: the flush is not whole, and is given
// up; the next try is.
func TestATornStageIsNoticedBeforeAFlushIsDecided(t *testing.T) {
	s := computing(t)
	s.run(3 * time.Minute)
	var met []int
	require.NoError(t, s.Components.FailDevice(homeVM, deployment.System, disk.Write, disk.ErrTorn, 2, func(hit int) { met = append(met, hit) }))
	assert.Empty(t, met, "nobody has written yet")
	s.power("db ARM", false)
	s.flush("m-1")
	assert.Equal(t, []int{1, 2}, met)
	assert.NotEmpty(t, s.events(event.FlushAbandoned))
	s.assertSame("db")
}

func TestACacheDeviceThatLiesAboutFlushesIsFoundOutByTheLedger(t *testing.T) {
	s := computing(t)
	require.NoError(t, s.Components.FailDevice(cacheVM, deployment.Cache, disk.Flush, disk.ErrLost, 0, nil))
	s.run(3 * time.Minute)
	s.power(cacheVM, false)
	losses := 0
	for i, image := range s.images(s.Cloud, "db ARM") {
		losses += len(s.Guests().Guest("db").Check(i, image, 5))
	}
	assert.NotZero(t, losses, "what was made durable is not there")
}

func TestOneDamagedBindingDoesNotKeepTheOthersDown(t *testing.T) {
	s := newStage(t, "standard", worker("db"), worker("app"))
	s.bind("m-1", "db", 8<<20)
	s.bind("m-2", "app", 8<<20)
	s.power("app ARM", true)
	s.run(2 * time.Minute)
	s.power(cacheVM, false)
	d, err := s.Components.Disk(cacheVM, deployment.Cache)
	require.NoError(t, err)
	const first = 2 << 20 // where the first binding lies: both of its superblocks
	_, err = d.WriteAt(make([]byte, 8<<10), first)
	require.NoError(t, err)
	require.NoError(t, d.Flush())
	s.power(cacheVM, true)
	s.run(time.Minute)
	assert.Empty(t, s.how(), "the service is up")
	var all []component.Status
	s.do(func(ctx context.Context) (err error) {
		all, err = s.client.Bindings(ctx)
		return err
	})
	require.Len(t, all, 2)
	assert.Contains(t, all[0].Damaged, "does not hold")
	assert.Empty(t, all[1].Damaged)
	for _, refused := range []func(context.Context) error{
		func(ctx context.Context) error { _, err := s.client.Flush(ctx, []string{"m-1"}); return err },
		func(ctx context.Context) error { return s.client.Release(ctx, "m-1") },
		func(ctx context.Context) error {
			_, err := s.client.Reconcile(ctx, "m-1", "VirtualMachine:vm-1", nil)
			return err
		},
	} {
		var failure error
		s.do(func(ctx context.Context) error {
			failure = refused(ctx)
			return nil
		})
		assert.Equal(t, vsphere.Refused, vsphere.ClassOf(failure), "%v", failure)
	}
	s.run(time.Minute)
	s.power("app ARM", false)
	s.flush("m-2")
	s.assertSame("app")
	s.do(func(ctx context.Context) error {
		return s.client.Discard(ctx, "m-1", func(uint64) error { return nil })
	})
	assert.Len(t, s.events(event.Released), 1)
}

func TestAFlushThatTheDisksOnPremisesTearIsAppliedAgain(t *testing.T) {
	for name, silent := range map[string]error{"torn": disk.ErrTorn, "lost": disk.ErrLost, "EIO": disk.ErrIO} {
		t.Run(name, func(t *testing.T) {
			s := computing(t)
			s.run(3 * time.Minute)
			vm, _ := s.OnPremises.VCenter.VM("db")
			hits := 0
			vm.Disks[0].Disk.SetFault(func(op disk.Op, _ int64, _ int) error {
				if op != disk.Write || hits == 3 {
					return nil
				}
				hits++
				return silent
			})
			s.power("db ARM", false)
			s.flush("m-1")
			assert.Equal(t, 3, hits)
			assert.NotEmpty(t, s.events(event.FlushAbandoned))
			s.assertSame("db")
		})
	}
}
