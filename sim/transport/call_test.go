package transport_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/transport"
	"github.com/hdm-project/hdm/sim/wan"
)

const method = "RetrieveServiceContent"

// each runs a test in every mode: the appliance cannot tell them apart.
func each(t *testing.T, test func(t *testing.T, mode string)) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) { test(t, mode) })
	}
}

func TestACallIsSentAppliedAndAnsweredALatencyApart(t *testing.T) {
	each(t, func(t *testing.T, mode string) {
		w := newWorld(t, mode)
		w.do(func(ctx context.Context) {
			got, err := content(ctx, w.client())
			assert.NoError(t, err)
			assert.Equal(t, "VirtualCenter", got.About.ApiType)
		})
		assert.Equal(t, []string{
			"0s sent " + method, "51.024ms applied " + method + " ok", "105.12ms answered " + method + " ok",
		}, w.trace)
		assert.Equal(t, 1, w.path.Calls())
		assert.Equal(t, 1, w.path.Count(method))
		assert.Zero(t, w.path.Count("PowerOnVM_Task"))
	})
}

func TestOnALANACallTakesItsLatencyOnly(t *testing.T) {
	each(t, func(t *testing.T, mode string) {
		w := newWorld(t, mode, func(c *transport.Config) { c.Link, c.LANLatency = nil, time.Millisecond })
		w.do(func(ctx context.Context) {
			_, err := content(ctx, w.client())
			assert.NoError(t, err)
		})
		assert.Equal(t, 2*time.Millisecond, w.Now())
	})
}

func TestAFaultOfTheVCenterReachesTheCallerAndTheTrace(t *testing.T) {
	each(t, func(t *testing.T, mode string) {
		w := newWorld(t, mode)
		w.do(func(ctx context.Context) {
			_, err := methods.Login(ctx, w.client(), &types.Login{This: types.ManagedObjectReference{Type: "SessionManager", Value: "SessionManager"}})
			assert.True(t, fault.Is(err, &types.InvalidLogin{}), "%v", err)
		})
		assert.Contains(t, w.trace[1], "applied Login InvalidLogin")
		assert.Contains(t, w.trace[2], "answered Login InvalidLogin")
	})
}

func TestEachActOfAFaultIsFeltAsPromised(t *testing.T) {
	const timeout = 2 * time.Minute
	cases := map[string]struct {
		act     transport.Act
		applied int
		took    time.Duration
		trace   []string // after sent
		check   func(t *testing.T, err error)
	}{
		"pass": {transport.Pass(), 1, 105120 * time.Microsecond,
			[]string{"51.024ms applied " + method + " ok", "105.12ms answered " + method + " ok"},
			func(t *testing.T, err error) { assert.NoError(t, err) }},
		"fail": {transport.Fail(&types.TaskInProgress{}), 0, 105120 * time.Microsecond,
			[]string{"105.12ms answered " + method + " TaskInProgress"},
			func(t *testing.T, err error) { assert.True(t, fault.Is(err, &types.TaskInProgress{}), "%v", err) }},
		"lose the answer": {transport.LoseAnswer(), 1, timeout,
			[]string{"51.024ms applied " + method + " ok", "2m0s answered " + method + " timeout"}, timedOut},
		"hang": {transport.Hang(), 0, timeout,
			[]string{"2m0s answered " + method + " timeout"}, timedOut},
		"late": {transport.Late(5 * time.Minute), 1, timeout,
			[]string{"2m0s answered " + method + " timeout", "5m0.051024s applied " + method + " ok"}, timedOut},
		"late, within the caller's patience": {transport.Late(time.Second), 1, timeout,
			[]string{"1.051024s applied " + method + " ok", "2m0s answered " + method + " timeout"}, timedOut},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, mode string) {
				var seen transport.Call
				w := newWorld(t, mode, func(cfg *transport.Config) {
					cfg.Intercept = func(call transport.Call) transport.Act { seen = call; return c.act }
				})
				w.do(func(ctx context.Context) {
					got, err := content(ctx, w.client())
					c.check(t, err)
					assert.Equal(t, c.took, w.Now())
					assert.Equal(t, err == nil, got.About.Name != "", "there is an answer only if there was one")
				})
				assert.Equal(t, c.applied, w.applied)
				assert.Equal(t, append([]string{"0s sent " + method}, c.trace...), w.trace)
				assert.Equal(t, transport.Call{
					Number: 1, Nth: 1, Site: vsphere.Cloud, Method: method, Object: "ServiceInstance:ServiceInstance",
				}, seen)
			})
		})
	}
}

func timedOut(t *testing.T, err error) {
	var timeout interface{ Timeout() bool }
	require.ErrorAs(t, err, &timeout)
	assert.True(t, timeout.Timeout())
	var e *transport.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, transport.TimedOut, e.Reason)
	assert.False(t, e.Unreachable())
	assert.ErrorContains(t, err, "cloud: "+method+" of ServiceInstance:ServiceInstance: no answer: it may have been applied")
}

func TestFaultsCanPickACallByItsNumberAndByItsMethod(t *testing.T) {
	w := newWorld(t, "direct", func(cfg *transport.Config) {
		cfg.Intercept = func(c transport.Call) transport.Act {
			if c.Method == method && c.Nth == 2 && c.Number == 3 {
				return transport.Fail(&types.HostCommunication{})
			}
			return transport.Pass()
		}
	})
	w.do(func(ctx context.Context) {
		c := w.client()
		_, err := content(ctx, c)
		assert.NoError(t, err)
		_, err = methods.Login(ctx, c, &types.Login{This: types.ManagedObjectReference{Type: "SessionManager", Value: "SessionManager"}})
		assert.True(t, fault.Is(err, &types.InvalidLogin{}))
		_, err = content(ctx, c)
		assert.True(t, fault.Is(err, &types.HostCommunication{}))
		_, err = content(ctx, c)
		assert.NoError(t, err)
	})
}

func TestWhileTheLinkIsDownACallIsUnreachableAndNothingIsSent(t *testing.T) {
	for _, dir := range []wan.Direction{wan.ToCloud, wan.ToPremises, wan.Both} {
		t.Run(dir.String(), func(t *testing.T) {
			each(t, func(t *testing.T, mode string) {
				w := newWorld(t, mode)
				w.link.SetDown(dir, true)
				w.do(func(ctx context.Context) {
					_, err := content(ctx, w.client())
					var e *transport.Error
					require.ErrorAs(t, err, &e)
					assert.True(t, e.Unreachable())
					assert.False(t, e.Timeout())
					assert.Equal(t, transport.DefaultConnectTimeout, w.Now())
				})
				assert.Zero(t, w.applied)
				assert.Equal(t, "20s answered "+method+" unreachable", w.trace[1])
			})
		})
	}
}

func TestACallThatConnectsInTimePasses(t *testing.T) {
	w := newWorld(t, "direct")
	w.link.SetDown(wan.Both, true)
	w.After(19*time.Second, func() { w.link.SetDown(wan.Both, false) })
	w.do(func(ctx context.Context) {
		_, err := content(ctx, w.client())
		assert.NoError(t, err)
	})
	assert.Less(t, w.Now(), 20*time.Second)
}

func TestALinkThatGoesDownOnTheWayLosesRequestOrAnswer(t *testing.T) {
	cases := map[string]struct {
		at      time.Duration
		applied int
	}{
		"the request": {10 * time.Millisecond, 0},
		"the answer":  {70 * time.Millisecond, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, mode string) {
				w := newWorld(t, mode)
				w.After(c.at, func() { w.link.SetDown(wan.Both, true) })
				w.After(time.Minute, func() { w.link.SetDown(wan.Both, false) })
				w.do(func(ctx context.Context) {
					_, err := content(ctx, w.client())
					timedOut(t, err)
				})
				assert.Equal(t, c.applied, w.applied)
			})
		})
	}
}

func TestWhatWasSentIsAppliedWhateverBecomesOfTheCaller(t *testing.T) {
	ends := map[string]func(w *world, cancel context.CancelFunc){
		"cancelled":          func(_ *world, cancel context.CancelFunc) { cancel() },
		"its power has gone": func(w *world, _ context.CancelFunc) { w.machine.PowerOff() },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, mode string) {
				w := newWorld(t, mode)
				ctx, cancel := w.machine.WithCancel(background)
				var err error
				w.machine.Go(ctx, "caller", func(ctx context.Context) { _, err = content(ctx, w.client()) })
				w.After(10*time.Millisecond, func() { end(w, cancel) })
				w.run()
				assert.Equal(t, 1, w.applied)
				if name == "cancelled" {
					assert.ErrorIs(t, err, context.Canceled)
					assert.Equal(t, "10ms answered "+method+" cancelled", w.trace[1], "at once")
				} else {
					assert.Len(t, w.trace, 2, "sent and applied; nobody is there to be answered")
				}
			})
		})
	}
}

func TestNothingIsSentForWhoIsCancelledOrDying(t *testing.T) {
	each(t, func(t *testing.T, mode string) {
		w := newWorld(t, mode)
		ctx, cancel := w.machine.WithCancel(background)
		cancel()
		w.machine.Go(background, "cancelled", func(context.Context) {
			_, err := content(ctx, w.client())
			assert.ErrorIs(t, err, context.Canceled)
		})
		w.machine.Go(background, "dying", func(ctx context.Context) {
			defer func() { _, _ = content(background, w.client()) }() // as a session that logs out
			_ = w.machine.Sleep(ctx, time.Hour)
		})
		w.After(time.Second, w.machine.PowerOff)
		w.run()
		assert.Empty(t, w.trace)
		assert.Zero(t, w.applied)
	})
}

func TestALateAnswerDoesNotTouchWhatTheCallerHas(t *testing.T) {
	w := newWorld(t, "direct", func(cfg *transport.Config) {
		cfg.Intercept = func(transport.Call) transport.Act { return transport.Late(10 * time.Minute) }
	})
	w.do(func(ctx context.Context) {
		req := methods.RetrieveServiceContentBody{Req: &types.RetrieveServiceContent{
			This: types.ManagedObjectReference{Type: "ServiceInstance", Value: "ServiceInstance"},
		}}
		var res methods.RetrieveServiceContentBody
		assert.Error(t, w.client().RoundTrip(ctx, &req, &res))
		assert.NoError(t, w.machine.Sleep(ctx, time.Hour))
		assert.Equal(t, 1, w.applied)
		assert.Nil(t, res.Res)
	})
}

func TestCallsBeyondWhatMayBeOnTheWayAreRefused(t *testing.T) {
	w := newWorld(t, "direct", func(cfg *transport.Config) {
		cfg.CallTimeout = time.Second
		cfg.Intercept = func(transport.Call) transport.Act { return transport.Late(time.Hour) }
	})
	busy, other := 0, 0
	const most, extra = 4096, 3
	for range most + extra {
		w.machine.Go(background, "caller", func(ctx context.Context) {
			_, err := content(ctx, w.client())
			var e *transport.Error
			if errors.As(err, &e) && e.Reason == transport.Busy {
				busy++
			} else {
				other++
			}
		})
	}
	w.run()
	assert.Equal(t, extra, busy)
	assert.Equal(t, most, w.applied)
	w.path.Intercept = nil
	ok := false
	w.machine.Go(background, "later", func(ctx context.Context) {
		_, err := content(ctx, w.client())
		ok = err == nil
	})
	w.run()
	assert.True(t, ok, "and when they have landed there is room again")
}

func TestTheAppliancesPortClassifiesWhatTheWayDoes(t *testing.T) {
	cases := map[string]struct {
		change  func(w *world)
		class   vsphere.Class
		unknown bool
	}{
		"link down": {func(w *world) { w.link.SetDown(wan.Both, true) }, vsphere.Unreachable, false},
		"hang": {func(w *world) {
			w.path.Intercept = func(transport.Call) transport.Act { return transport.Hang() }
		}, vsphere.Retryable, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, mode string) {
				w := newWorld(t, mode)
				c.change(w)
				w.do(func(ctx context.Context) {
					_, err := vsphere.NewClient(w.machine, w.path.Endpoint("hdm-appliance")).Open(ctx)
					var e *vsphere.Error
					require.ErrorAs(t, err, &e)
					assert.Equal(t, c.class, e.Class, "%v", err)
				})
			})
		})
	}
}

func TestAPathNeedsAKernelAndAVCenter(t *testing.T) {
	_, err := transport.New(transport.Config{})
	assert.ErrorContains(t, err, "needs a kernel")
	w := newWorld(t, "direct")
	_, err = transport.New(transport.Config{Kernel: w.Kernel, Target: transport.Target{Site: vsphere.Cloud}})
	assert.ErrorContains(t, err, "path to cloud needs the vCenter's URL")
	_, err = transport.Loopback([]byte("nonsense"))
	assert.ErrorContains(t, err, "no certificate")
}

func TestAVCenterThatIsDownRefusesConnectionsAtOnceAndNothingIsApplied(t *testing.T) {
	each(t, func(t *testing.T, mode string) {
		down := true
		w := newWorld(t, mode, disks(nil), func(c *transport.Config) { c.Target.Down = func() bool { return down } })
		w.do(func(ctx context.Context) {
			_, err := content(ctx, w.client())
			refused(t, err)
			assert.Equal(t, vsphere.Unreachable, vsphere.ClassOf(err), "it is waited for, as long as a transient outage")
			before := w.Now()
			refused(t, w.put(ctx, bytes.NewReader(image), int64(len(image))))
			assert.Less(t, w.Now()-before, time.Second, "nothing is carried to nobody")
			_, err = w.request(ctx, http.MethodGet, "disk-0.vmdk", nil, 0)
			refused(t, err)
			down = false
			_, err = content(ctx, w.client())
			assert.NoError(t, err)
		})
		assert.Equal(t, 1, w.applied)
		assert.Equal(t, "105.12ms answered "+method+" refused", w.trace[1])
	})
}

func refused(t *testing.T, err error) {
	t.Helper()
	var e *transport.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, transport.Refused, e.Reason)
	assert.False(t, e.Timeout())
	assert.True(t, e.Unreachable(), "nothing was sent, and nobody is at the end of the way")
}
