package migration

// Abandoned: HDM is reset. What is under way fails as it stands, and nothing is
// taken back; a VM that is on the cloud cache counts as on none any more once
// its migration is over (RST-03).
type Abandoned struct{ Why Reason }

func (Abandoned) event() {}

// abandon ends a migration, or its binding, whatever state it is in. What has not
// begun waits on, unless it was to bring back a VM.
func (d *decision) abandon(why Reason) {
	switch {
	case d.m.State.Final() && d.m.Bound:
		d.m.Bound = false
	case d.m.State.Final():
		d.ignore("it is over")
	case d.m.Of == "" && (d.m.State == Checking || d.m.State == Queued):
		d.ignore("it has not begun")
	default:
		d.failNow(why)
	}
}
