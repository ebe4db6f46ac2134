package transport_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/transport"
)

// A call that is applied late is the most dangerous one: what fences it is that
// its session has ended by then.
func TestALateCallActsOnlyWhileItsSessionLives(t *testing.T) {
	cases := map[string]struct {
		closes  bool
		outcome string
	}{
		"the session lives":     {false, "ok"},
		"the session has ended": {true, "NotAuthenticated"},
	}
	for name, c := range cases {
		for _, mode := range []site.Mode{site.Direct, site.SOAP} {
			t.Run(name+"/"+string(mode), func(t *testing.T) {
				k := kernel.New(1)
				defer k.Close()
				w, err := site.Build(k, site.Description{
					OnPremises: site.Site{VMs: []site.VM{{Name: "db-01", Power: site.Off}}},
				}, site.Options{Mode: mode})
				require.NoError(t, err)
				defer w.Close()
				w.OnPremises.Path.Intercept = func(call transport.Call) transport.Act {
					if call.Method == "CreateSnapshot_Task" {
						return transport.Late(time.Hour)
					}
					return transport.Pass()
				}
				var outcomes []string
				k.Observe(func(e kernel.Event) {
					if e.Kind == event.CallApplied && e.Attr("method") == "CreateSnapshot_Task" {
						outcomes = append(outcomes, e.Attr("outcome"))
					}
				})
				m := w.Appliance()
				ended := false
				m.Go(context.Background(), "test", func(ctx context.Context) {
					defer func() { ended = true }()
					s, err := vsphere.NewClient(m, w.OnPremises.Path.Endpoint("hdm-appliance")).Open(ctx)
					if !assert.NoError(t, err) {
						return
					}
					vms, err := s.Inventory(ctx)
					if !assert.NoError(t, err) || !assert.Len(t, vms, 1) {
						return
					}
					_, err = s.EnsureSnapshot(ctx, vms[0].Ref, "m-0001", "_hdm")
					var e *vsphere.Error
					if assert.ErrorAs(t, err, &e) {
						assert.True(t, e.Unknown, "it may yet be applied")
						assert.Equal(t, vsphere.Retryable, e.Class)
					}
					if c.closes {
						s.Close(ctx)
					}
				})
				require.NoError(t, kernel.NewDriver(k, 0, kernel.Limits{Events: 1e5}).Run(2*time.Hour, nil))
				require.True(t, ended)
				assert.Equal(t, []string{c.outcome}, outcomes)
				vm, ok := w.OnPremises.VCenter.VM("db-01")
				require.True(t, ok)
				assert.Equal(t, c.closes, len(vm.Snapshots) == 0)
			})
		}
	}
}
