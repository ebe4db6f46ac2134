package vsphere_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/prepare"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/vcenter"
)

// guests is a world of VMs that differ in what prepare asks.
func guests(t *testing.T, mode site.Mode) *world {
	t.Helper()
	free := 49 * site.MB
	k := kernel.New(1)
	w, err := site.Build(k, site.Description{OnPremises: site.Site{VMs: []site.VM{
		{Name: "full", Guest: "windows9Server64Guest", SystemFree: &free},
		{Name: "laden", ISO: true, USB: true},
		{Name: "off", Power: site.Off, SystemFree: &free},
		{Name: "sound"},
	}}}, site.Options{Mode: mode})
	require.NoError(t, err)
	t.Cleanup(func() {
		k.Close()
		require.NoError(t, w.Close())
	})
	return &world{World: w, t: t, machine: w.Appliance()}
}

func TestAVCenterTellsWhatPrepareAsks(t *testing.T) {
	for _, mode := range []site.Mode{site.Direct, site.SOAP} {
		t.Run(string(mode), func(t *testing.T) {
			w := guests(t, mode)
			require.NoError(t, w.OnPremises.VCenter.SetGuest("sound", vcenter.GuestState{
				ToolsRunning: true, HostName: "sound.example", IPAddress: "192.0.2.7",
			}))
			w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
				vms, err := s.Inventory(ctx)
				require.NoError(t, err)
				full, laden, off, sound := vms[0], vms[1], vms[2], vms[3]
				assert.Equal(t, []vsphere.GuestDisk{{Path: `C:\`, Capacity: 20 << 30, Free: 49 << 20}}, full.GuestDisks)
				assert.Empty(t, off.GuestDisks, "a guest that does not run tells nothing")
				assert.True(t, laden.ISO)
				assert.True(t, laden.USB)
				assert.Equal(t, 1, laden.CDROMs)
				assert.False(t, sound.ISO || sound.USB)
				assert.NotEmpty(t, sound.GuestName)
				assert.Equal(t, "sound.example", sound.HostName)
				assert.Equal(t, []string{"192.0.2.7"}, sound.IPs)

				codes := func(vm vsphere.VM) (all []string) {
					for _, f := range prepare.Checks(vm) {
						all = append(all, f.Code)
					}
					return all
				}
				assert.Equal(t, []string{prepare.CodeSystemSpace}, codes(full))
				assert.Equal(t, []string{prepare.CodeUSB, prepare.CodeISO}, codes(laden))
				assert.Equal(t, []string{prepare.CodeOff}, codes(off))
				assert.Empty(t, codes(sound))
			})
		})
	}
}

func TestPreparingAVMTwiceChangesItOnce(t *testing.T) {
	w := guests(t, site.Direct)
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		for range 2 {
			vm, err := s.VM(ctx, w.vm("sound"))
			require.NoError(t, err)
			require.NoError(t, s.SetMark(ctx, vm.Ref, prepare.Mark, prepare.MarkOf(vm)))
			require.NoError(t, w.machine.Sleep(ctx, time.Minute))
		}
		vm, err := s.VM(ctx, w.vm("sound"))
		require.NoError(t, err)
		assert.True(t, prepare.Prepared(vm))
		assert.Equal(t, 1, w.heard(vsphere.OnPremises, "ReconfigVM_Task"))

		_, err = s.EnsureSnapshot(ctx, vm.Ref, "k", "_hdm")
		require.NoError(t, err)
		ref, err := s.LinkedClone(ctx, vm.Ref, "k", "clone", "k/clone")
		require.NoError(t, err)
		clone, err := s.VM(ctx, ref)
		require.NoError(t, err)
		assert.False(t, prepare.Prepared(clone), "a clone is prepared for itself")
	})
}
