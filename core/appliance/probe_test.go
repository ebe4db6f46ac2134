package appliance_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/wan"
)

// probed is a world with a VM in the cloud, whose appliance asks both vCenters
// again and again whether they are there.
func probed(t *testing.T) *world {
	t.Helper()
	w := migrated(t, "standard")
	w.probes = 20 * time.Second
	w.restart(time.Second)
	w.pass(time.Minute)
	return w
}

func TestAnOutageOfOnlyTheWayToTheCloudIsNoticedOnceItIsPermanent(t *testing.T) { // WAN-01, WAN-02, RST-01
	for _, c := range []struct {
		out  time.Duration
		lost bool
	}{{time.Minute, false}, {299 * time.Second, false}, {9 * time.Minute, true}, {time.Hour, true}} {
		t.Run(c.out.String(), func(t *testing.T) {
			w := probed(t)
			w.WAN.SetDown(wan.ToCloud, true)
			w.pass(c.out)
			if c.lost {
				assert.Equal(t, recovery.Probing, w.app.Recovery().Phase)
				assert.Equal(t, recovery.OfferOutage, w.app.Recovery().Offered)
			}
			w.WAN.SetDown(wan.ToCloud, false)
			w.pass(time.Minute)
			w.until(enough, w.phase(recovery.Healthy))
			if c.lost {
				w.isBack("db-01")
				assert.Len(t, w.noted(appliance.EventOutage), 1)
			} else {
				assert.Empty(t, w.noted(appliance.EventLinkDown))
			}
		})
	}
}

func TestTheCloudIsWaitedForAfterARestartWhileOnlyTheWayThereIsDown(t *testing.T) { // WAN-02, APP-01
	w := probed(t)
	w.WAN.SetDown(wan.ToCloud, true)
	w.pass(9 * time.Minute)
	assert.Equal(t, recovery.Probing, w.app.Recovery().Phase)
	w.restart(time.Second)
	for range 60 {
		w.pass(20 * time.Second)
		require.Equal(t, recovery.Probing, w.app.Recovery().Phase, "%v", w.app.Log())
	}
	w.WAN.SetDown(wan.ToCloud, false)
	w.until(enough, w.phase(recovery.Healthy))
	w.isBack("db-01")
	assert.Len(t, w.noted(appliance.EventOutage), 1)
}

func TestAVCenterOfTheCloudThatIsAwayIsNoOutageOfTheLink(t *testing.T) { // WAN-01, WAN-02
	w := probed(t)
	w.Cloud.VCenter.Restart(20 * time.Minute)
	w.pass(10 * time.Minute)
	w.WAN.SetDown(wan.ToCloud, true) // and this is short
	w.pass(90 * time.Second)
	w.WAN.SetDown(wan.ToCloud, false)
	w.pass(20 * time.Minute)
	assert.Empty(t, w.noted(appliance.EventLinkDown))
	assert.Equal(t, recovery.Healthy, w.app.Recovery().Phase)
	assert.True(t, w.runsAt(vsphere.Cloud, "db-01 ARM"))
}
