package migration

import "time"

// poweredOn notes when the VM was first powered on in the cloud: from then on its
// guest has a fixed time to come up in (BOOT-01).
func (d *decision) poweredOn() {
	d.m.FirstOn, d.m.OnUp, d.m.OnBoot = d.now.Wall, d.now.Up, d.now.Boot
}

// anchor has the time since then go on in this boot of the appliance. It is
// measured on the clock of the boot, which no step of the wall clock disturbs; only
// how long it was before this boot the wall clock has to tell.
func (d *decision) anchor() {
	if d.m.OnBoot != d.now.Boot {
		d.m.OnUp, d.m.OnBoot = d.now.Up-max(d.now.Wall.Sub(d.m.FirstOn), 0), d.now.Boot
	}
}

// BootLeft is how much is left of the time that a guest has to come up in, when the
// appliance has been up for so long. It is for whoever awaits the boot: that has an
// anchor.
func (m *Migration) BootLeft(all, up time.Duration) time.Duration {
	return min(max(all-(up-m.OnUp), 0), all)
}
