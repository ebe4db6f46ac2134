package vsphere_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/transport"
)

func TestTheInventoryTellsWhatIsThere(t *testing.T) {
	for _, mode := range []site.Mode{site.Direct, site.SOAP} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, mode)
			w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
				vms, err := s.Inventory(ctx)
				require.NoError(t, err)
				var names []string
				for _, vm := range vms {
					names = append(names, vm.Name)
				}
				assert.Equal(t, []string{"db-01", "deaf-01", "mute-01", "off-01"}, names, "all, by name")

				db := vms[0]
				assert.Equal(t, vsphere.On, db.Power)
				assert.Equal(t, "connected", db.Connection)
				assert.True(t, db.ToolsRunning)
				assert.NotEmpty(t, db.BIOSUUID)
				require.Len(t, db.Disks, 2)
				assert.Equal(t, int64(1<<30), db.Disks[0].Capacity)
				assert.InDelta(t, int64(300<<20), db.Disks[0].Used, 4096, "with its descriptor")
				assert.Equal(t, int64(2<<30), db.Disks[1].Capacity)
				require.Len(t, db.NICs, 1)
				assert.Equal(t, "e1000", db.NICs[0].Type)
				assert.Equal(t, "VM Network", db.NICs[0].Network)
				assert.NotEmpty(t, db.NICs[0].MAC)

				one, err := s.VM(ctx, db.Ref)
				require.NoError(t, err)
				assert.Equal(t, db, one)

				assert.Equal(t, vsphere.Off, vms[3].Power)
				assert.False(t, vms[2].ToolsRunning)
			})
		})
	}
}

func TestAVMThatIsGoneIsSaidToBe(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		_, err := s.VM(ctx, "VirtualMachine:vm-none")
		assert.Equal(t, "ManagedObjectNotFound", vsphere.FaultName(err))
		assert.NoError(t, s.Settle(ctx, "VirtualMachine:vm-none"), "what is gone is at rest")
		assert.NoError(t, s.Destroy(ctx, "VirtualMachine:vm-none"), "what is gone is destroyed")
	})
}

func TestTheResourcesAreThoseOfTheSite(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.in(vsphere.Cloud, func(ctx context.Context, s *vsphere.Session) {
		r, err := s.Resources(ctx)
		require.NoError(t, err)
		assert.Subset(t, r.Networks, []string{"Cloud DMZ", "Cloud Net"})
		assert.IsIncreasing(t, r.Networks)
		require.Len(t, r.Hosts, 2)
		assert.True(t, r.Hosts[0].Connected)
		require.Len(t, r.Clusters, 1)
		assert.Equal(t, "Cluster", r.Clusters[0].Name)
		assert.Equal(t, r.Clusters[0].Ref, r.Hosts[0].Cluster)
		assert.Equal(t, r.Networks, r.Hosts[0].Networks)
		assert.ElementsMatch(t, []vsphere.Ref{r.Hosts[0].Ref, r.Hosts[1].Ref}, r.Datastores[0].Hosts)
		assert.Empty(t, r.AmbiguousNetworks)
		assert.Empty(t, r.AmbiguousDatastores)
		require.NotEmpty(t, r.Datastores)
		assert.Positive(t, r.Datastores[0].Free)
		require.NotEmpty(t, r.Pools)
		assert.Equal(t, "Resources", r.Pools[0].Name)
		assert.Equal(t, r.Clusters[0].Ref, r.Pools[0].Parent)
		assert.Equal(t, r.Clusters[0].Ref, r.Pools[0].Cluster)
		assert.Contains(t, r.Adapters, "vmxnet3")
	})
}

func TestTheResourcesOfEachClusterAreToldApart(t *testing.T) {
	w := newWorld(t, site.SOAP)
	vc := w.Cloud.VCenter
	_, err := vc.AddCluster("Another")
	require.NoError(t, err)
	other, err := vc.AddHost("Another", "another-1")
	require.NoError(t, err)
	gold, err := vc.AddPool("Another/Resources/gold")
	require.NoError(t, err)
	w.in(vsphere.Cloud, func(ctx context.Context, s *vsphere.Session) {
		r, err := s.Resources(ctx)
		require.NoError(t, err)
		require.Len(t, r.Clusters, 2)
		another := r.Clusters[0]
		assert.Equal(t, "Another", another.Name)
		for _, h := range r.Hosts {
			assert.Equal(t, h.Ref == vsphere.Ref(other.String()), h.Cluster == another.Ref, h.Name)
		}
		roots := map[vsphere.Ref]vsphere.Ref{} // by cluster
		for _, p := range r.Pools {
			if p.Parent == p.Cluster {
				assert.Equal(t, "Resources", p.Name)
				roots[p.Cluster] = p.Ref
			}
		}
		assert.Len(t, roots, 2)
		for _, p := range r.Pools {
			if p.Ref == vsphere.Ref(gold.String()) {
				assert.Equal(t, vsphere.Pool{Ref: p.Ref, Name: "gold", Parent: roots[another.Ref], Cluster: another.Ref}, p)
			}
		}
	})
}

func TestPowerIsTurnedOnceAndStaysWhenItIsSoAlready(t *testing.T) {
	w := newWorld(t, site.Direct)
	vm := w.vm("db-01")
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		require.NoError(t, s.PowerOn(ctx, vm))
		assert.Zero(t, w.heard(vsphere.OnPremises, "PowerOnVM_Task"))
		require.NoError(t, s.PowerOff(ctx, vm))
		require.NoError(t, s.PowerOff(ctx, vm))
		assert.Equal(t, 1, w.heard(vsphere.OnPremises, "PowerOffVM_Task"))
		require.NoError(t, s.PowerOn(ctx, vm))
		now, err := s.VM(ctx, vm)
		require.NoError(t, err)
		assert.Equal(t, vsphere.On, now.Power)
	})
}

func TestAGuestIsShutDownOrElseCutOff(t *testing.T) {
	const patience = 5 * time.Minute
	for vm, c := range map[string]struct{ asked, cut int }{
		"db-01":   {1, 0}, // does what it is asked
		"deaf-01": {1, 1}, // does not hear
		"mute-01": {0, 1}, // cannot be asked: no tools
		"off-01":  {0, 0},
	} {
		t.Run(vm, func(t *testing.T) {
			w := newWorld(t, site.Direct)
			w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
				began := w.Kernel.Now()
				require.NoError(t, s.ShutdownGuest(ctx, w.vm(vm), patience))
				took := w.Kernel.Now() - began
				assert.Equal(t, c.cut == 1 && c.asked == 1, took >= patience, "took %v", took)
			})
			now, _ := w.OnPremises.VCenter.VM(vm)
			assert.Equal(t, vsphere.Off, now.Power)
			assert.Equal(t, c.asked, w.heard(vsphere.OnPremises, "ShutdownGuest"))
			assert.Equal(t, c.cut, w.heard(vsphere.OnPremises, "PowerOffVM_Task"))
		})
	}
}

func TestThatAVMRanIsSeenThoughItIsOffAgain(t *testing.T) {
	for _, mode := range []site.Mode{site.Direct, site.SOAP} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, mode)
			w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
				last := func(vm string) int32 {
					key, err := s.LastPowerOn(ctx, w.vm(vm))
					require.NoError(t, err)
					return key
				}
				assert.Zero(t, last("off-01"), "it never ran")
				require.NoError(t, s.PowerOn(ctx, w.vm("off-01")))
				first := last("off-01")
				assert.Positive(t, first)
				require.NoError(t, s.PowerOff(ctx, w.vm("off-01")))
				assert.Equal(t, first, last("off-01"), "stopping is not starting")
				require.NoError(t, s.PowerOff(ctx, w.vm("mute-01")))
				require.NoError(t, s.PowerOn(ctx, w.vm("mute-01")))
				assert.Equal(t, first, last("off-01"), "another VM's")
				require.NoError(t, s.PowerOn(ctx, w.vm("off-01")))
				require.NoError(t, s.PowerOff(ctx, w.vm("off-01")))
				assert.Greater(t, last("off-01"), first)
			})
		})
	}
}

func TestASuspendedVMKeepsItsMemory(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		suspend(ctx, w, "db-01")
		for _, stop := range []func() error{
			func() error { return s.PowerOff(ctx, w.vm("db-01")) },
			func() error { return s.ShutdownGuest(ctx, w.vm("db-01"), time.Minute) },
		} {
			err := stop()
			assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err))
			assert.ErrorContains(t, err, "suspended")
		}
		now, err := s.VM(ctx, w.vm("db-01"))
		require.NoError(t, err)
		assert.Equal(t, vsphere.Suspended, now.Power)
		require.NoError(t, s.PowerOn(ctx, w.vm("db-01")), "it resumes")
	})
}

func TestAVMThatIsSuspendedWhileItsGuestShutsDownKeepsItsMemory(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		w.machine.Go(context.Background(), "person", func(ctx context.Context) {
			require.NoError(t, w.machine.Sleep(ctx, time.Minute))
			suspend(ctx, w, "deaf-01")
		})
		began := w.Kernel.Now()
		err := s.ShutdownGuest(ctx, w.vm("deaf-01"), time.Hour)
		assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err))
		assert.Less(t, w.Kernel.Now()-began, 5*time.Minute, "nobody waits for a guest that stands still")
	})
	vm, _ := w.OnPremises.VCenter.VM("deaf-01")
	assert.Equal(t, vsphere.Suspended, vm.Power)
}

func TestAVMIsPoweredOnAfterItsGuestHasShutDownNotBefore(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		asking, stop := w.machine.WithCancel(ctx)
		w.machine.Go(asking, "asks", func(ctx context.Context) { _ = s.ShutdownGuest(ctx, w.vm("db-01"), time.Hour) })
		require.NoError(t, w.machine.Sleep(ctx, 5*time.Second))
		stop() // who asked has gone; the guest goes on shutting down
		require.NoError(t, s.PowerOn(ctx, w.vm("db-01")))
		require.NoError(t, w.machine.Sleep(ctx, time.Hour))
	})
	vm, _ := w.OnPremises.VCenter.VM("db-01")
	assert.Equal(t, vsphere.On, vm.Power)
	assert.Equal(t, 1, w.heard(vsphere.OnPremises, "PowerOnVM_Task"))
}

func TestAFaultOfTheVCenterDoesNotCutAGuestOff(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.once(vsphere.OnPremises, "ShutdownGuest", 1, transport.Fail(&types.SystemError{}))
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		err := s.ShutdownGuest(ctx, w.vm("db-01"), time.Minute)
		assert.Equal(t, vsphere.Retryable, vsphere.ClassOf(err))
	})
	assert.Zero(t, w.heard(vsphere.OnPremises, "PowerOffVM_Task"))
}

func TestASnapshotGoesAndOthersStay(t *testing.T) {
	w := newWorld(t, site.Direct)
	vm := w.vm("db-01")
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		first, err := s.EnsureSnapshot(ctx, vm, "hdm/m-1", "_hdm")
		require.NoError(t, err)
		second, err := s.EnsureSnapshot(ctx, vm, "hdm/m-2", "_hdm")
		require.NoError(t, err)
		assert.Equal(t, "_hdm1", first.Name)
		assert.Equal(t, "_hdm2", second.Name)
		require.NoError(t, s.RemoveSnapshot(ctx, vm, "hdm/m-1"))
		require.NoError(t, s.RemoveSnapshot(ctx, vm, "hdm/m-1"), "there is none left")
		now, err := s.VM(ctx, vm)
		require.NoError(t, err)
		require.Len(t, now.Snapshots, 1)
		assert.Equal(t, "_hdm2", now.Snapshots[0].Name)
	})
}

func TestAVMMovesIntoAPoolAndBack(t *testing.T) {
	w := newWorld(t, site.Direct)
	vm := w.vm("db-01")
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		before, err := s.VM(ctx, vm)
		require.NoError(t, err)
		pool, err := s.EnsurePool(ctx, vm, "_HDM_MIGRATEPOOL")
		require.NoError(t, err)
		require.NoError(t, s.MoveIntoPool(ctx, vm, pool))
		require.NoError(t, s.MoveIntoPool(ctx, vm, pool))
		assert.Equal(t, 1, w.heard(vsphere.OnPremises, "MoveIntoResourcePool"))
		now, _ := w.OnPremises.VCenter.VM("db-01")
		assert.Equal(t, "_HDM_MIGRATEPOOL", now.Pool, "right under the root, not under gold")
		require.NoError(t, s.MoveIntoPool(ctx, vm, before.Pool))
		now, _ = w.OnPremises.VCenter.VM("db-01")
		assert.Equal(t, "gold", now.Pool)
	})
}

func TestNetworkAdaptersBecomeWhatIsPlanned(t *testing.T) {
	w := newWorld(t, site.Direct)
	vm := w.vm("off-01")
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		before, err := s.VM(ctx, vm)
		require.NoError(t, err)
		plan := []vsphere.NICPlan{
			{Network: "VM Network", Type: "e1000e"},
			{Network: "VM Network", MAC: "00:50:56:00:aa:01"},
		}
		require.NoError(t, s.ConnectNICs(ctx, vm, plan))
		now, err := s.VM(ctx, vm)
		require.NoError(t, err)
		require.Len(t, now.NICs, 2)
		assert.Equal(t, "e1000e", now.NICs[0].Type)
		assert.Equal(t, before.NICs[0].MAC, now.NICs[0].MAC, "the address stays when the type changes")
		assert.Equal(t, "vmxnet3", now.NICs[1].Type)
		assert.Equal(t, "00:50:56:00:aa:01", now.NICs[1].MAC)

		require.NoError(t, s.ConnectNICs(ctx, vm, plan))
		assert.Equal(t, 1, w.heard(vsphere.OnPremises, "ReconfigVM_Task"), "nothing is left to change")
		require.NoError(t, s.ConnectNICs(ctx, vm, plan[:1]))
		now, err = s.VM(ctx, vm)
		require.NoError(t, err)
		assert.Len(t, now.NICs, 1)
	})
}

func TestAPlanThatTheSiteCannotMeetIsRefused(t *testing.T) {
	w := newWorld(t, site.Direct)
	vm := w.vm("off-01")
	for want, plan := range map[string]vsphere.NICPlan{
		`network "Nowhere"`:        {Network: "Nowhere"},
		`no adapter type "ne2000"`: {Network: "VM Network", Type: "ne2000"},
	} {
		w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
			err := s.ConnectNICs(ctx, vm, []vsphere.NICPlan{plan})
			assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err))
			assert.ErrorContains(t, err, want)
		})
	}
}

func TestAMarkIsWrittenAndFound(t *testing.T) {
	w := newWorld(t, site.Direct)
	vm := w.vm("off-01")
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		require.NoError(t, s.SetMark(ctx, vm, vsphere.MarkImport, "hdm/m-1"))
		found, err := s.FindMarked(ctx, "hdm/m-1")
		require.NoError(t, err)
		require.Len(t, found, 1)
		assert.Equal(t, "off-01", found[0].Name)
		assert.Equal(t, vsphere.Refused, vsphere.ClassOf(s.SetMark(ctx, vm, "guestinfo.x", "1")), "only keys of ours")
	})
}

func TestAVMThatRunsIsNotDestroyed(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		err := s.Destroy(ctx, w.vm("db-01"))
		assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err))
		require.NoError(t, s.Destroy(ctx, w.vm("off-01")))
	})
	_, there := w.OnPremises.VCenter.VM("off-01")
	assert.False(t, there)
}

func TestPeopleSeeATaskWithProgressAndCanCancelIt(t *testing.T) {
	w := newWorld(t, site.Direct)
	vm := w.vm("db-01")
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		require.NoError(t, s.RegisterExtension(ctx, "1"))
		require.NoError(t, s.RegisterExtension(ctx, "1"))
		assert.Equal(t, 1, w.heard(vsphere.OnPremises, "RegisterExtension"))
		require.NoError(t, s.RegisterExtension(ctx, "2"), "a newer appliance")

		task, err := s.EnsureTask(ctx, vm, "hdm/m-1", vsphere.TaskMigrate, "cold migration m-1")
		require.NoError(t, err)
		same, err := s.EnsureTask(ctx, vm, "hdm/m-1", vsphere.TaskMigrate, "cold migration m-1")
		require.NoError(t, err)
		assert.Equal(t, task.Ref, same.Ref)
		require.NoError(t, task.Running(ctx))
		require.NoError(t, task.Describe(ctx, "Bulk transfer"))
		require.NoError(t, task.Progress(ctx, 42))
		require.NoError(t, s.Settle(ctx, vm), "HDM's own task holds nothing")
		shown := w.OnPremises.VCenter.Tasks()
		last := shown[len(shown)-1]
		assert.Equal(t, vsphere.TaskRunning, last.State)
		assert.Equal(t, int32(42), last.Progress)
		assert.Equal(t, "Bulk transfer", last.Description)

		cancelled, err := s.CancelledTasks(ctx, []vsphere.Ref{task.Ref})
		require.NoError(t, err)
		assert.Empty(t, cancelled)

		require.NoError(t, s.Task(task.Ref).Succeed(ctx))
		require.NoError(t, task.Fail(ctx, "too late"), "what has ended stays as it ended")
		shown = w.OnPremises.VCenter.Tasks()
		assert.Equal(t, vsphere.TaskSuccess, shown[len(shown)-1].State)
	})
}

func TestAnEventIsPostedWithTheVMItIsAbout(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
		require.NoError(t, s.PostEvent(ctx, w.vm("db-01"), "com.hdm.migration.started", "db-01: it began"))
		assert.Equal(t, vsphere.Refused, vsphere.ClassOf(s.PostEvent(ctx, w.vm("db-01"), "org.other", "x")))
	})
	events := w.OnPremises.VCenter.Events()
	require.NotEmpty(t, events)
	last := events[len(events)-1]
	assert.Equal(t, "com.hdm.migration.started", last.Type)
	assert.Equal(t, "db-01: it began", last.Text)
}
