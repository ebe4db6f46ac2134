package guest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/guest"
	"github.com/hdm-project/hdm/sim/kernel"
)

func TestATrialBootComesUpIfTheBootBlockIsIntactAndWritesNothing(t *testing.T) {
	for outcome, damage := range map[string]func(*testing.T, *disk.Disk){
		"up": func(*testing.T, *disk.Disk) {},
		"damaged": func(t *testing.T, d *disk.Disk) {
			_, err := d.WriteAt([]byte("rot"), 100)
			require.NoError(t, err)
		},
	} {
		t.Run(outcome, func(t *testing.T) {
			w := newWorld(t, 1)
			g, disks := w.add(db())
			damage(t, disks[0])
			before := g.Writes()
			r := w.guests.Trial("on-premises", "db-01_trial", devicesOf(disks))
			require.NotNil(t, r)
			assert.True(t, r.Booting())
			w.run(10 * time.Minute)
			assert.Equal(t, outcome == "up", r.Up())
			tried := w.kinds(event.GuestTrial)
			require.Len(t, tried, 1)
			assert.Equal(t, "db-01", tried[0].Subject)
			assert.Contains(t, tried[0].Attrs, kernel.Attr{Key: "outcome", Value: outcome})
			assert.Equal(t, outcome == "up", len(w.host.said) == 1, w.host.said)
			r.PowerOff()
			assert.Equal(t, before, g.Writes())
			assert.Empty(t, append(w.kinds(event.GuestStarted), w.kinds(event.GuestStopped)...), "it is no copy of the guest")

			r = w.guests.PowerOn("on-premises", "db-01", devicesOf(disks))
			w.run(w.kernel.Now() + 10*time.Minute)
			assert.Equal(t, outcome == "up", r.Up(), "and so does the guest itself")
		})
	}
}

func TestATrialOfAnotherDiskIsNobodys(t *testing.T) {
	w := newWorld(t, 1)
	assert.Nil(t, w.guests.Trial("cloud", "vm", nil))
	assert.Nil(t, w.guests.Trial("cloud", "vm", devicesOf([]*disk.Disk{disk.New("other", 1<<20)})))
}

func TestToolsBecomeLateWhileTheGuestRuns(t *testing.T) {
	w := newWorld(t, 1)
	_, disks := w.add(db())
	boot := func() *guest.Run {
		r := w.guests.PowerOn("cloud", "db-01", devicesOf(disks))
		w.run(w.kernel.Now() + time.Minute)
		return r
	}
	r := boot()
	assert.True(t, r.Shutdown())
	r.PowerOff()
	var missed []int
	require.NoError(t, w.guests.Late("db-01", guest.ToolsLate{Boots: 1}, func(boot int) { missed = append(missed, boot) }))
	assert.Empty(t, missed)
	r = boot()
	assert.False(t, r.Shutdown(), "the next boot has none")
	r.PowerOff()
	assert.True(t, boot().Shutdown())
	assert.Equal(t, []int{1}, missed)
	require.ErrorContains(t, w.guests.Late("nobody", guest.ToolsLate{}, nil), "no guest")
	require.ErrorContains(t, w.guests.Late("db-01", guest.ToolsLate{Boots: -1}, nil), "negative")
}
