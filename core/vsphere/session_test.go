package vsphere_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/transport"
	"github.com/hdm-project/hdm/sim/wan"
)

func TestAClosedSessionIsGone(t *testing.T) {
	for _, mode := range []site.Mode{site.Direct, site.SOAP} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, mode)
			w.in(vsphere.OnPremises, func(_ context.Context, s *vsphere.Session) {
				assert.Equal(t, vsphere.OnPremises, s.Site())
				require.Len(t, w.OnPremises.VCenter.Sessions(), 1)
				assert.Contains(t, w.OnPremises.VCenter.Sessions()[0].UserAgent, "hdm-appliance/test boot-")
			})
			assert.Empty(t, w.OnPremises.VCenter.Sessions())
		})
	}
}

func TestANewBootEndsTheSessionsOfEarlierOnesAndNoOthers(t *testing.T) {
	for _, mode := range []site.Mode{site.Direct, site.SOAP} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, mode)
			w.run(func(ctx context.Context) {
				earlier, err := w.client(vsphere.Cloud).Open(ctx)
				require.NoError(t, err)
				other, err := vsphere.NewClient(w.machine, w.Cloud.Path.Endpoint("hdm-appliance/other")).Open(ctx)
				require.NoError(t, err)
				now := w.client(vsphere.Cloud)
				own, err := now.Open(ctx)
				require.NoError(t, err)

				require.NoError(t, now.EndOtherSessions(ctx))

				_, err = earlier.Inventory(ctx)
				assert.Equal(t, "NotAuthenticated", vsphere.FaultName(err))
				assert.Equal(t, vsphere.Retryable, vsphere.ClassOf(err))
				_, err = other.Inventory(ctx)
				assert.NoError(t, err, "another appliance's session")
				_, err = own.Inventory(ctx)
				assert.NoError(t, err, "a session of the same boot")
			})
		})
	}
}

func TestASessionWhoseLogoutGotNoAnswerEndsBeforeTheNextOneActs(t *testing.T) {
	for name, act := range map[string]transport.Act{"hangs": transport.Hang(), "late": transport.Late(time.Hour), "answer lost": transport.LoseAnswer()} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, site.Direct)
			w.once(vsphere.Cloud, "Logout", 1, act)
			w.run(func(ctx context.Context) {
				c := w.client(vsphere.Cloud)
				first, err := c.Open(ctx)
				require.NoError(t, err)
				first.Close(ctx)
				second, err := c.Open(ctx)
				require.NoError(t, err)
				require.Len(t, w.Cloud.VCenter.Sessions(), 1, "the first one's key is not among them")
				_, err = first.Inventory(ctx)
				assert.Equal(t, "NotAuthenticated", vsphere.FaultName(err))
				second.Close(ctx)
			})
			assert.Empty(t, w.Cloud.VCenter.Sessions())
		})
	}
}

func TestClosingWorksWhenTheCallerHasBeenCancelled(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.run(func(ctx context.Context) {
		ctx, cancel := w.machine.WithCancel(ctx)
		s, err := w.client(vsphere.Cloud).Open(ctx)
		require.NoError(t, err)
		cancel()
		_, err = s.Inventory(ctx)
		assert.Equal(t, vsphere.Cancelled, vsphere.ClassOf(err))
		s.Close(ctx)
	})
	assert.Empty(t, w.Cloud.VCenter.Sessions())
}

func TestADownLinkIsUnreachableAndNothingIsUnknown(t *testing.T) {
	w := newWorld(t, site.Direct)
	w.in(vsphere.Cloud, func(ctx context.Context, s *vsphere.Session) {
		w.WAN.SetDown(wan.Both, true)
		err := s.PowerOn(ctx, "VirtualMachine:vm-1")
		var e *vsphere.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, vsphere.Unreachable, e.Class)
		assert.False(t, e.Unknown)
		w.WAN.SetDown(wan.Both, false)
	})
}

func TestAWrongPasswordIsRefusedAndNotShown(t *testing.T) {
	for _, mode := range []site.Mode{site.Direct, site.SOAP} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, mode)
			w.run(func(ctx context.Context) {
				e := w.Cloud.Path.Endpoint("hdm-appliance/test")
				e.User = url.UserPassword("administrator@vsphere.local", "hunter2")
				_, err := vsphere.NewClient(w.machine, e).Open(ctx)
				require.Error(t, err)
				assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err))
				assert.Contains(t, err.Error(), "check the user name and the password")
				assert.NotContains(t, err.Error(), "hunter2")
			})
		})
	}
}
