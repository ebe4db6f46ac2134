package vsphere_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/site"
)

const filterURL = "https://depot.example/praapa-2.1.0.vib"

func TestAHostTellsItsConnectionAndWhenItBooted(t *testing.T) { // HLT-02
	for _, mode := range []site.Mode{site.Direct, site.SOAP} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, mode)
			w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
				hosts, err := s.Hosts(ctx)
				require.NoError(t, err)
				require.NotEmpty(t, hosts)
				first := hosts[0]
				assert.True(t, first.Connected)
				all, err := s.Resources(ctx)
				require.NoError(t, err)
				require.Len(t, all.Hosts, len(hosts))
				assert.Equal(t, first.Booted, all.Hosts[0].Booted)

				require.NoError(t, w.OnPremises.VCenter.RestartHost(first.Name, 10*time.Minute))
				hosts, err = s.Hosts(ctx)
				require.NoError(t, err)
				assert.False(t, hosts[0].Connected)
				assert.Equal(t, "notResponding", hosts[0].Connection)
				require.NoError(t, w.machine.Sleep(ctx, 11*time.Minute))
				hosts, err = s.Hosts(ctx)
				require.NoError(t, err)
				assert.Equal(t, "connected", hosts[0].Connection)
				assert.True(t, hosts[0].Booted.After(first.Booted), "it booted since: %v", hosts[0].Booted)
			})
		})
	}
}

func TestTheIOFilterIsInstalledOnceAndItsDaemonRestarted(t *testing.T) { // RST-02
	w := newWorld(t, site.Direct)
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		hosts, err := s.Hosts(ctx)
		require.NoError(t, err)
		cluster := hosts[0].Cluster
		list, err := s.Filters(ctx, cluster)
		require.NoError(t, err)
		require.Empty(t, list)
		err = s.RestartService(ctx, hosts[0].Ref, vsphere.IOFilterName)
		assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err), "%v", err)

		for range 2 {
			require.NoError(t, s.InstallFilter(ctx, cluster, filterURL))
		}
		assert.Equal(t, 1, w.heard(vsphere.OnPremises, "InstallIoFilter_Task"))
		list, err = s.Filters(ctx, cluster)
		require.NoError(t, err)
		require.Len(t, list, 1)
		assert.Equal(t, []string{"praapa", "2.1.0"}, []string{list[0].Name, list[0].Version})

		before := w.OnPremises.VCenter.Filters()[0].Epoch
		require.NoError(t, s.RestartService(ctx, hosts[0].Ref, vsphere.IOFilterName))
		assert.Greater(t, w.OnPremises.VCenter.Filters()[0].Epoch, before)
	})
}

func TestAnInstallationWhoseAnswerIsLostIsFoundByTheNextTry(t *testing.T) {
	for name, act := range strikes {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, site.Direct)
			w.once(vsphere.OnPremises, "InstallIoFilter_Task", 1, act)
			w.run(func(ctx context.Context) {
				require.NoError(t, w.again(ctx, vsphere.OnPremises, func(s *vsphere.Session) error {
					hosts, err := s.Hosts(ctx)
					if err != nil {
						return err
					}
					return s.InstallFilter(ctx, hosts[0].Cluster, filterURL)
				}))
			})
			assert.True(t, w.OnPremises.VCenter.Filters()[0].Installed)
		})
	}
}

func TestAStoragePolicyIsTakenOffTheDisksThatHaveIt(t *testing.T) { // RST-02
	w := newWorld(t, site.Direct)
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		vm := w.vm("db-01")
		for _, name := range []string{vsphere.AnalyzerProfile, "another"} {
			require.NoError(t, s.EnsurePolicy(ctx, name))
		}
		require.NoError(t, s.ApplyPolicy(ctx, vm, vsphere.AnalyzerProfile))
		require.NoError(t, s.RemovePolicy(ctx, vm, "another"))
		now, err := s.Policies(ctx, vm)
		require.NoError(t, err)
		assert.Equal(t, []string{vsphere.AnalyzerProfile, vsphere.AnalyzerProfile}, now)
		changed := w.heard(vsphere.OnPremises, "ReconfigVM_Task")
		for range 2 {
			require.NoError(t, s.RemovePolicy(ctx, vm, vsphere.AnalyzerProfile))
		}
		assert.Equal(t, changed+1, w.heard(vsphere.OnPremises, "ReconfigVM_Task"))
		now, err = s.Policies(ctx, vm)
		require.NoError(t, err)
		assert.Equal(t, []string{"", ""}, now)
	})
}

func TestAVMThatDoesNotAnswerIsReset(t *testing.T) { // REC-08
	w := newWorld(t, site.Direct)
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		require.NoError(t, s.ResetVM(ctx, w.vm("db-01")))
		assert.Equal(t, 1, w.heard(vsphere.OnPremises, "ResetVM_Task"))
		require.NoError(t, s.ResetVM(ctx, w.vm("off-01")), "one that is off is powered on")
		assert.Equal(t, 1, w.heard(vsphere.OnPremises, "ResetVM_Task"))
	})
	for _, name := range []string{"db-01", "off-01"} {
		assert.Equal(t, vsphere.On, onPremises(t, w, name).Power, name)
	}
}

func TestASuspendedVMLosesItsMemoryOnlyIfThatIsMeant(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		suspend(ctx, w, "db-01")
		require.Equal(t, vsphere.Refused, vsphere.ClassOf(s.PowerOff(ctx, w.vm("db-01"))))
		for range 2 {
			require.NoError(t, s.CutPower(ctx, w.vm("db-01")))
		}
	})
	assert.Equal(t, vsphere.Off, onPremises(t, w, "db-01").Power)
}

func TestATrialCloneIsConnectedToNothing(t *testing.T) {
	for _, mode := range []site.Mode{site.Direct, site.SOAP} {
		w := newWorld(t, mode)
		w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
			require.NoError(t, s.PowerOff(ctx, w.vm("db-01")))
			made, err := s.EnsureTrialSnapshot(ctx, w.vm("db-01"), "hdm/m-1/trial", "_hdm-trial")
			require.NoError(t, err)
			assert.Equal(t, "_hdm-trial", made.Name)
			before, err := s.VM(ctx, w.vm("db-01"))
			require.NoError(t, err)
			ref, err := s.TrialClone(ctx, w.vm("db-01"), "hdm/m-1/trial", "db-01_hdm_trial", "hdm/m-1/trial")
			require.NoError(t, err)
			again, err := s.TrialClone(ctx, w.vm("db-01"), "hdm/m-1/trial", "db-01_hdm_trial", "hdm/m-1/trial")
			require.NoError(t, err)
			assert.Equal(t, ref, again)
			require.NoError(t, s.PowerOn(ctx, ref))
			clone, err := s.VM(ctx, ref)
			require.NoError(t, err)
			assert.Equal(t, map[string]string{vsphere.MarkMade: "hdm/m-1/trial", vsphere.MarkTrial: "hdm/m-1/trial"}, clone.Marks)
			require.Len(t, clone.NICs, 1)
			assert.False(t, clone.NICs[0].Connected)
			assert.Equal(t, before.NICs[0].Type, clone.NICs[0].Type)
			assert.NotEqual(t, before.NICs[0].MAC, clone.NICs[0].MAC)
			after, err := s.VM(ctx, w.vm("db-01"))
			require.NoError(t, err)
			assert.Equal(t, before, after)
		})
	}
}
