package component_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/disk"
)

// Whatever fails beneath a guest, in whatever order, and while flushes go on: it
// reads what it was told is written, and in the end the premises hold it.
func TestWhateverFailsAGuestReadsWhatItWrote(t *testing.T) {
	for seed := range uint64(4) {
		s := newStage(t, "standard", worker("db"))
		s.bind("m-1", "db", 4<<20) // so little that its writes wait for flushes
		s.power("db ARM", true)
		r := rand.New(rand.NewPCG(seed, 1))
		s.appliance.Go(context.Background(), "flushes", func(ctx context.Context) {
			for s.appliance.Sleep(ctx, 20*time.Second) == nil {
				_, _ = s.client.Flush(ctx, []string{"m-1"}) // what fails now comes through later
			}
		})
		for range 25 {
			s.failSomething(r)
			s.run(time.Duration(r.IntN(8000)) * time.Millisecond)
			if r.IntN(2) == 0 {
				s.mend()
			}
		}
		s.mend()
		s.run(15 * time.Minute)
		got := s.Guests().Guest("db").Counters()
		assert.Zero(t, got.Misread+got.Failed, "seed %d", seed)
		s.ledger("db")
		s.power("db ARM", false)
		s.ledger("db")
		s.flush("m-1")
		s.assertSame("db")
	}
}

// failSomething makes one of the services or devices under the guest fail. One
// that does not run already stays as it is.
func (s *stage) failSomething(r *rand.Rand) {
	h := s.Components
	targets := []struct {
		vm      string
		service component.Service
	}{
		{cacheVM, component.CloudCache}, {cacheVM, component.CloudCache}, {cacheVM, component.IOInterceptor},
		{managerVM, component.CloudIOManager}, {managerVM, component.CloudGateway}, {homeVM, component.PremIOManager},
	}
	target := targets[r.IntN(len(targets))]
	switch r.IntN(6) {
	case 0:
		_ = h.Crash(target.vm, target.service)
	case 1:
		_ = h.Restart(target.vm, target.service)
	case 2:
		_ = h.Hang(target.vm, target.service, time.Duration(1+r.IntN(20000))*time.Millisecond)
	case 3:
		if vm, _ := s.Cloud.VCenter.VM(cacheVM); vm.Power == vsphere.On {
			_, err := s.Cloud.Power(cacheVM, false)
			require.NoError(s.t, err)
			s.run(3 * time.Second)
		}
	case 4:
		op := []disk.Op{disk.Read, disk.Write, disk.Flush}[r.IntN(3)]
		require.NoError(s.t, h.FailDevice(cacheVM, deployment.Cache, op, disk.ErrIO, r.IntN(8), nil))
	case 5:
		op := []disk.Op{disk.Read, disk.Write, disk.Flush}[r.IntN(3)]
		require.NoError(s.t, h.FailDevice(homeVM, deployment.System, op, disk.ErrNoSpace, r.IntN(8), nil))
	}
}

// mend repairs everything, as HDM would.
func (s *stage) mend() {
	require.NoError(s.t, s.Components.HealDevice(cacheVM, deployment.Cache))
	require.NoError(s.t, s.Components.HealDevice(homeVM, deployment.System))
	if vm, _ := s.Cloud.VCenter.VM(cacheVM); vm.Power != vsphere.On {
		_, err := s.Cloud.Power(cacheVM, true)
		require.NoError(s.t, err)
		s.run(time.Minute)
	}
	for _, vm := range []string{cacheVM, managerVM, homeVM} {
		for _, d := range s.ping(vm).Down {
			require.NoError(s.t, s.start(vm, d.Name))
		}
	}
}
