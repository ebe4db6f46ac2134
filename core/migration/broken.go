package migration

import "fmt"

// broken: the data path of the VM has failed, or the host that it is on. What is
// not known to have run in the cloud is put back, as after any failure. What may
// have run there is not: the migration fails as it stands, and one of type Recover
// brings the VM back once HDM is repaired (REC-02, REC-12). From the power-on of
// the image on, the data path is needed no more. A migrate back that is being
// undone would power the compute VM on again: beside the VM that comes back (MIG-13).
func (d *decision) broken(ev Broken) {
	why := ev.Why
	switch {
	case d.m.State == Undoing && d.m.Bound && (d.m.Order.Type == Back || ev.Lost && d.m.begun(StartCompute)):
		d.failNow(why)
	case d.m.State == Checking || d.m.State == Queued:
		if d.m.Order.Type != Back {
			d.ignore("it has not begun")
			return
		}
		d.failNow(why) // the VM is to come back in another way
	case d.m.State != Running && d.m.State != Waiting:
		d.ignore("it is %s", d.m.State)
	case d.m.Order.Type == Recover:
		d.ignore("it is being brought back already")
	case d.m.Order.Type == Back && !d.m.Bound:
		d.ignore("it is home already")
	case d.m.Order.Type == Back:
		d.failNow(why)
	case d.m.ByImage():
		d.ignore("it runs from its image")
	case d.m.begun(StartCompute):
		d.failNow(why)
	case d.m.Effect == "":
		d.giveUp(why)
	default:
		d.m.Breaks = why // it ends, and then everything is put back
		d.stop()
	}
}

// failNow takes nothing back. What is in the cloud stays for the migration that
// brings the VM back.
func (d *decision) failNow(why Reason) {
	d.cancelKey = d.m.Effect
	d.m.Reasons = append(d.m.Reasons, why)
	switch {
	case d.m.ByImage():
		d.m.Leftovers = append(d.m.Leftovers, Leftover{Undo{StepReboot, ConfirmOff}, "the VM may run in the cloud from its image: decide which of the two is the VM, and remove the other"})
	case d.m.Image != "" || d.m.begun(TransferImage):
		d.leaveImage()
	}
	d.move(Failed)
}

// leaveImage lists what a bulk transfer has brought to the cloud, and leaves it
// there: only a user has it deleted (WARM-06, WARM-07).
func (d *decision) leaveImage() {
	d.m.Leftovers = append(d.m.Leftovers, Leftover{Undo{StepTransfer, DestroyImage}, fmt.Sprintf(
		"%s stays in the cloud as %s: have HDM delete it, or remove it by hand, before the VM is migrated warm again", d.m.brought(), ImageName(d.m.Plan.Name))})
}

// brought says who brought the image to the cloud.
func (m *Migration) brought() string {
	if m.begun(TransferImage) {
		return "what the bulk transfer carried"
	}
	return "what a person brought"
}

// hold has a migration wait for a part of HDM that it needs and that is being
// repaired (COLD-06, A-24). What its step was doing is stopped, and uses up no
// try.
func (d *decision) hold() {
	switch {
	case d.m.State != Running:
		d.ignore("nothing of it can be held in state %s", d.m.State)
	case d.m.Held:
		d.ignore("it is held already")
	case d.m.Asked || d.m.Breaks.Code != "":
		d.ignore("it is about to be put back")
	default:
		d.m.Held = true
		d.reachable()
		if d.m.Effect != "" {
			d.stop()
		}
	}
}

// resume lets a migration that is held do its step again.
func (d *decision) resume() {
	switch {
	case !d.m.Held:
		d.ignore("it is not held")
	case d.m.Effect != "":
		d.m.Held = false // what is still being stopped ends first
	default:
		d.m.Held = false
		d.redo(0)
	}
}

// stop has the outstanding effect end. How it ends does not count: it may have
// been done or not.
func (d *decision) stop() { d.m.Stopping, d.cancelKey = true, d.m.Effect }

// stopped goes on after an effect that was to end.
func (d *decision) stopped() {
	d.m.Effect, d.m.Stopping = "", false
	switch {
	case d.m.Asked:
		d.giveUp(asked)
	case d.m.Breaks.Code != "":
		d.giveUp(d.m.Breaks)
	case !d.m.Held:
		d.redo(0)
	}
}

// leftoverDeleted: what a bulk transfer had brought is not in the cloud any more.
func (d *decision) leftoverDeleted() {
	var left []Leftover
	for _, l := range d.m.Leftovers {
		if l.Does != DestroyImage {
			left = append(left, l)
		}
	}
	if !d.m.State.Final() || len(left) == len(d.m.Leftovers) {
		d.ignore("nothing of it was left in the cloud")
		return
	}
	d.m.Leftovers, d.m.Image = left, ""
}

// begun says whether a step that does this was ever begun.
func (m *Migration) begun(does Kind) bool {
	for _, step := range m.Started {
		if Tables[m.Order.Type].row(step).Does == does {
			return true
		}
	}
	return false
}

// ByImage says whether the VM runs, or may, from the image that its data were
// transferred to: then that is the VM, and its cloud cache holds nothing that
// anybody needs.
func (m *Migration) ByImage() bool { return m.begun(StartImage) }

// LeftImage says whether what the bulk transfer of a migration that is over had
// brought to the cloud is listed as left there (WARM-06).
func (m *Migration) LeftImage() bool {
	for _, l := range m.Leftovers {
		if m.State.Final() && l.Does == DestroyImage {
			return true
		}
	}
	return false
}
