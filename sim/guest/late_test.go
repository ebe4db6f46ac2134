package guest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/guest"
)

func TestToolsComeUpLateOrNever(t *testing.T) {
	for _, c := range []struct {
		name string
		late guest.ToolsLate
		want []bool // whether the tools run a minute after each boot
	}{
		{"in time", guest.ToolsLate{}, []bool{true, true}},
		{"at the third boot", guest.ToolsLate{Boots: 2}, []bool{false, false, true, true}},
		{"never", guest.ToolsLate{Never: true}, []bool{false, false, false, false}},
		{"later than a minute", guest.ToolsLate{By: time.Minute}, []bool{false, false}},
		{"late, but within a minute", guest.ToolsLate{By: 10 * time.Second}, []bool{true, true}},
		{"here", guest.ToolsLate{Boots: 1, Site: "cloud"}, []bool{false, true}},
		{"elsewhere", guest.ToolsLate{Never: true, By: time.Hour, Site: "on-premises"}, []bool{true, true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 1)
			s := db()
			s.Late = c.late
			_, disks := w.add(s)
			var got []bool
			for range c.want {
				said := len(w.host.said)
				r := w.guests.PowerOn("cloud", "db-01", devicesOf(disks))
				w.run(w.kernel.Now() + time.Minute)
				tools := len(w.host.said) > said
				got = append(got, tools)
				assert.Equal(t, tools, r.Shutdown(), "who has no tools does not hear")
				r.PowerOff()
			}
			assert.Equal(t, c.want, got)
		})
	}
}

func TestAGuestWithoutToolsWorks(t *testing.T) {
	w := newWorld(t, 1)
	s := db()
	s.Late = guest.ToolsLate{Never: true}
	g, disks := w.add(s)
	r := w.guests.PowerOn("cloud", "db-01", devicesOf(disks))
	w.run(2 * time.Minute)
	assert.True(t, r.Up())
	assert.False(t, r.Reboot())
	assert.NotEmpty(t, w.kinds(event.GuestWrite))
	assert.Empty(t, w.host.said)
	r.PowerOff()
	intact(t, g, disks)
}

func TestOnlyBootsWhereToolsAreLateCount(t *testing.T) {
	w := newWorld(t, 1)
	s := db()
	s.Late = guest.ToolsLate{Boots: 1, Site: "cloud"}
	_, disks := w.add(s)
	w.guests.Running("on-premises", "db-01", devicesOf(disks)).PowerOff()
	require.Len(t, w.host.said, 1, "what ran before the world began has its tools")
	for range 3 {
		w.guests.PowerOn("on-premises", "db-01", devicesOf(disks)).PowerOff()
	}
	r := w.guests.PowerOn("cloud", "db-01", devicesOf(disks))
	w.run(time.Hour)
	assert.True(t, r.Up())
	assert.Len(t, w.host.said, 1)
}

func TestABootThatIsUnderWayIsLateToo(t *testing.T) {
	for _, c := range []struct {
		late guest.ToolsLate
		want []bool // whether the tools come up at that boot, and the next
	}{
		{guest.ToolsLate{Never: true}, []bool{false, false}},
		{guest.ToolsLate{Boots: 1}, []bool{false, true}},
		{guest.ToolsLate{Never: true, Site: "on-premises"}, []bool{true, true}},
	} {
		w := newWorld(t, 1)
		_, disks := w.add(db())
		r := w.guests.PowerOn("cloud", "db-01", devicesOf(disks))
		require.True(t, r.Booting())
		require.NoError(t, w.guests.Late("db-01", c.late, nil))
		var got []bool
		for range c.want {
			w.run(w.kernel.Now() + time.Minute)
			got = append(got, r.Shutdown())
			r.PowerOff()
			r = w.guests.PowerOn("cloud", "db-01", devicesOf(disks))
		}
		assert.Equal(t, c.want, got, "%+v", c.late)
	}
}

func TestARebootIsABoot(t *testing.T) {
	w := newWorld(t, 1)
	s := db()
	s.Late = guest.ToolsLate{Boots: 1, Site: "cloud"}
	_, disks := w.add(s)
	w.guests.PowerOn("cloud", "db-01", devicesOf(disks)).PowerOff() // a reset is a power cut, then a boot
	r := w.guests.PowerOn("cloud", "db-01", devicesOf(disks))
	w.run(time.Minute)
	require.True(t, r.Reboot())
	w.run(2 * time.Minute)
	assert.False(t, r.Up())
	r = w.guests.PowerOn("cloud", "db-01", devicesOf(disks))
	w.run(4 * time.Minute)
	assert.True(t, r.Shutdown(), "its tools are up again")
}

func TestImpossibleLatenessIsRefused(t *testing.T) {
	for _, late := range []guest.ToolsLate{{Boots: -1}, {By: -1}} {
		w := newWorld(t, 1)
		s := db()
		s.Late = late
		_, err := w.guests.Add(s)
		require.ErrorContains(t, err, "neither can be negative")
		assert.Empty(t, w.guests.All())
	}
}
