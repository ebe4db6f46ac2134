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

// settled lets pass whatever an earlier attempt may have left on its way: late
// calls, timeouts of leases.
const settled = time.Hour

// TestWhatMayHaveBeenDoneIsNotDoneTwice strikes the call of each verb that
// makes something, in every way that leaves the caller in doubt, and tries
// again as a caller does.
func TestWhatMayHaveBeenDoneIsNotDoneTwice(t *testing.T) {
	for name, c := range map[string]struct {
		site   vsphere.Site
		method string
		verb   func(ctx context.Context, w *world, s *vsphere.Session) error
		count  func(w *world) int // of what it made
	}{
		"a snapshot": {
			vsphere.OnPremises, "CreateSnapshot_Task",
			func(ctx context.Context, w *world, s *vsphere.Session) error {
				_, err := s.EnsureSnapshot(ctx, w.vm("db-01"), "hdm/m-1", "_hdm")
				return err
			},
			func(w *world) int {
				vm, _ := w.OnPremises.VCenter.VM("db-01")
				return len(vm.Snapshots)
			},
		},
		"a pool": {
			vsphere.OnPremises, "CreateResourcePool",
			func(ctx context.Context, w *world, s *vsphere.Session) error {
				_, err := s.EnsurePool(ctx, w.vm("db-01"), "_HDM_MIGRATEPOOL")
				return err
			},
			func(w *world) int { return len(w.OnPremises.VCenter.Pools()) - 1 },
		},
		"a task for people": {
			vsphere.OnPremises, "CreateTask",
			func(ctx context.Context, w *world, s *vsphere.Session) error {
				if err := s.RegisterExtension(ctx, "1"); err != nil {
					return err
				}
				_, err := s.EnsureTask(ctx, w.vm("db-01"), "hdm/m-1", vsphere.TaskMigrate, "m-1")
				return err
			},
			func(w *world) int {
				n := 0
				for _, task := range w.OnPremises.VCenter.Tasks() {
					if task.Method == vsphere.TaskMigrate {
						n++
					}
				}
				return n
			},
		},
		"an imported VM": {
			vsphere.Cloud, "ImportVApp",
			func(ctx context.Context, w *world, s *vsphere.Session) error {
				i, err := importEmpty(ctx, w, s)
				if err != nil {
					return err
				}
				_, err = i.Complete(ctx)
				return err
			},
			func(w *world) int { return len(w.Cloud.VCenter.VMs()) },
		},
		"a created VM": {
			vsphere.Cloud, "CreateVM_Task",
			func(ctx context.Context, w *world, s *vsphere.Session) error {
				_, err := s.EnsureVM(ctx, component(rootPool(ctx, t, s)))
				return err
			},
			func(w *world) int { return len(w.Cloud.VCenter.VMs()) },
		},
		"a linked clone": {
			vsphere.OnPremises, "CloneVM_Task",
			func(ctx context.Context, w *world, s *vsphere.Session) error {
				if _, err := s.EnsureSnapshot(ctx, w.vm("db-01"), "hdm/m-1", "_hdm"); err != nil {
					return err
				}
				_, err := s.LinkedClone(ctx, w.vm("db-01"), "hdm/m-1", "db-01 clone", "hdm/m-1/clone")
				return err
			},
			func(w *world) int { return len(w.OnPremises.VCenter.VMs()) - len(described().OnPremises.VMs) },
		},
		"a mounted datastore": {
			vsphere.Cloud, "CreateNasDatastore",
			func(ctx context.Context, w *world, s *vsphere.Session) error {
				r, err := s.Resources(ctx)
				if err != nil {
					return err
				}
				return s.MountServed(ctx, r.Hosts[0].Ref, "cache", "HDM_Cloud_Cache-1")
			},
			func(w *world) int {
				if _, err := w.Cloud.VCenter.DatastoreFree("cache"); err != nil {
					return 0
				}
				return 1
			},
		},
		"a storage policy": {
			vsphere.OnPremises, "PbmCreate",
			func(ctx context.Context, _ *world, s *vsphere.Session) error {
				return s.EnsurePolicy(ctx, vsphere.AnalyzerProfile)
			},
			func(w *world) (n int) {
				w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
					if there, err := s.HasPolicy(ctx, vsphere.AnalyzerProfile); there && err == nil {
						n = 1
					}
				})
				return n
			},
		},
		"another name": {
			vsphere.OnPremises, "Rename_Task",
			func(ctx context.Context, w *world, s *vsphere.Session) error {
				vm := vsphere.Ref(w.OnPremises.VCenter.VMs()[0].Ref.String())
				return s.Rename(ctx, vm, "db-01 ARM")
			},
			func(w *world) int {
				if _, ok := w.OnPremises.VCenter.VM("db-01 ARM"); !ok {
					return 0
				}
				return 1
			},
		},
	} {
		for how, act := range strikes {
			t.Run(name+", when "+how, func(t *testing.T) {
				w := newWorld(t, site.Direct)
				var done bool
				w.run(func(ctx context.Context) {
					w.once(c.site, c.method, 1, act)
					require.NoError(t, w.again(ctx, c.site, func(s *vsphere.Session) error { return c.verb(ctx, w, s) }))
					require.NoError(t, w.machine.Sleep(ctx, settled))
					done = true
				})
				require.True(t, done)
				assert.LessOrEqual(t, 1, w.heard(c.site, c.method))
				assert.Equal(t, 1, c.count(w), "exactly one is there")
			})
		}
	}
}

// TestARuleThatIgnoresMarksIsFound shows that the test above can fail: a verb
// that does not look for its mark makes two.
func TestARuleThatIgnoresMarksIsFound(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.once(vsphere.OnPremises, "CreateSnapshot_Task", 1, transport.LoseAnswer())
	mark := 0
	w.run(func(ctx context.Context) {
		require.NoError(t, w.again(ctx, vsphere.OnPremises, func(s *vsphere.Session) error {
			mark++
			_, err := s.EnsureSnapshot(ctx, w.vm("db-01"), string(rune('a'+mark)), "_hdm")
			return err
		}))
	})
	vm, _ := w.OnPremises.VCenter.VM("db-01")
	assert.Len(t, vm.Snapshots, 2)
}

func TestAVerbThatCannotSeeItsTaskSaysThatTheOutcomeIsUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		method  string
		act     transport.Act
		unknown bool
	}{
		"the answer is lost":         {"CreateSnapshot_Task", transport.LoseAnswer(), true},
		"the call hangs":             {"CreateSnapshot_Task", transport.Hang(), true},
		"the task cannot be watched": {"RetrievePropertiesEx", transport.LoseAnswer(), true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, site.Direct)
			started := false
			w.always(vsphere.OnPremises, func(call transport.Call) transport.Act {
				if c.method == call.Method && (call.Method == "CreateSnapshot_Task" || started) {
					return c.act
				}
				started = started || call.Method == "CreateSnapshot_Task"
				return transport.Pass()
			})
			w.in(vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) {
				_, err := s.EnsureSnapshot(ctx, w.vm("db-01"), "hdm/m-1", "_hdm")
				var e *vsphere.Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, vsphere.Retryable, e.Class)
				assert.Equal(t, c.unknown, e.Unknown)
			})
		})
	}
}

func TestATaskThatCouldNotBeWatchedIsWaitedForTheNextTime(t *testing.T) {
	w := newWorld(t, site.Direct)
	watched := false
	w.always(vsphere.OnPremises, func(c transport.Call) transport.Act {
		if w.heard(vsphere.OnPremises, "CreateSnapshot_Task") == 1 && !watched && c.Method == "RetrievePropertiesEx" {
			watched = true
			return transport.Fail(&types.SystemError{})
		}
		return transport.Pass()
	})
	w.run(func(ctx context.Context) {
		c := w.client(vsphere.OnPremises)
		s, err := c.Open(ctx)
		require.NoError(t, err)
		_, err = s.EnsureSnapshot(ctx, w.vm("db-01"), "hdm/m-1", "_hdm")
		require.Error(t, err)
		s.Close(ctx)
		s, err = c.Open(ctx)
		require.NoError(t, err)
		defer s.Close(ctx)
		_, err = s.EnsureSnapshot(ctx, w.vm("db-01"), "hdm/m-1", "_hdm")
		require.NoError(t, err, "at once, while the first one is still being taken")
	})
	assert.Equal(t, 1, w.heard(vsphere.OnPremises, "CreateSnapshot_Task"))
}

func TestACallOfAnEndedSessionIsNeverAppliedLate(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.once(vsphere.OnPremises, "PowerOffVM_Task", 1, transport.Late(10*time.Minute))
	w.run(func(ctx context.Context) {
		c := w.client(vsphere.OnPremises)
		s, err := c.Open(ctx)
		require.NoError(t, err)
		var e *vsphere.Error
		require.ErrorAs(t, s.PowerOff(ctx, w.vm("db-01")), &e)
		require.True(t, e.Unknown)
		s.Close(ctx)
		require.NoError(t, w.machine.Sleep(ctx, settled))
	})
	vm, _ := w.OnPremises.VCenter.VM("db-01")
	assert.Equal(t, vsphere.On, vm.Power)
}

func TestACallOfASessionThatWasLeftOpenIsAppliedLate(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.once(vsphere.OnPremises, "PowerOffVM_Task", 1, transport.Late(10*time.Minute))
	w.run(func(ctx context.Context) {
		s, err := w.client(vsphere.OnPremises).Open(ctx)
		require.NoError(t, err)
		require.Error(t, s.PowerOff(ctx, w.vm("db-01")))
		require.NoError(t, w.machine.Sleep(ctx, settled))
	})
	vm, _ := w.OnPremises.VCenter.VM("db-01")
	assert.Equal(t, vsphere.Off, vm.Power, "closing is what fences")
}
