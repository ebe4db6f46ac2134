package migration

import (
	"slices"

	"github.com/hdm-project/hdm/core/vsphere"
)

// settles are the undos that come first: as long as one of them is not done the
// VM may run in the cloud, or what it wrote there is not on premises, and the
// source must stay off (MIG-13).
var settles = map[Kind]bool{ConfirmOff: true, StopCompute: true, BringHome: true}

// undo takes back what was begun, last first. Before anything else it makes sure
// that no copy runs, and that what one wrote is on premises; and it puts the
// source right before it cleans the cloud, so that the VM does not stay off
// while the cloud is out of reach.
func (d *decision) undo() {
	d.move(Undoing)
	var first, here, there []Undo
	for _, step := range slices.Backward(d.m.Started) {
		switch row := d.table.row(step); {
		case row.Undo == Nothing:
		case row.Undo == DestroyImage && d.m.Image != "" && !d.m.Asked:
			// What was brought to the cloud as a whole goes when a user says so (WARM-06).
			first = append(first, d.byHand(step, row.Undo, first)...)
			d.leaveImage()
		case settles[row.Undo]:
			first = append(first, Undo{step, row.Undo})
		case row.At == vsphere.OnPremises:
			here = append(here, Undo{step, row.Undo})
		default:
			first = append(first, d.byHand(step, row.Undo, first)...)
			there = append(there, Undo{step, row.Undo})
		}
	}
	if d.m.Image != "" && !d.m.begun(TransferImage) {
		d.leaveImage()
	}
	d.m.ToUndo = slices.Concat(first, here, there)
	d.nextUndo()
}

// byHand is what makes sure that nobody has started by hand what this migration
// made in the cloud and did not start itself. A compute VM is stopped, and what
// it wrote comes home like all else; of a copy or an image only a person can say
// whether it is the VM.
func (d *decision) byHand(step StepName, undo Kind, first []Undo) []Undo {
	switch {
	case undo == DestroyCopy && d.m.Copy != "" && len(first) == 0, undo == DestroyImage && d.m.Image != "" && len(first) == 0:
		return []Undo{{step, ConfirmOff}}
	case undo == DestroyCompute && !slices.ContainsFunc(first, func(u Undo) bool { return u.Does == StopCompute }):
		return []Undo{{step, StopCompute}}
	}
	return nil
}

// started says whether the power-on of the copy was ever begun.
func (d *decision) started() bool {
	for _, step := range d.m.Started {
		if d.table.row(step).Undo == ConfirmOff {
			return true
		}
	}
	return false
}

func (d *decision) nextUndo() {
	if len(d.m.ToUndo) > 0 {
		d.turn(d.m.ToUndo[0].Step)
		return
	}
	if d.m.Asked {
		d.move(Cancelled)
	} else {
		d.move(Failed)
	}
}

func (d *decision) undone(r Result) {
	switch {
	case r.Running && d.started():
		d.itRuns()
		return
	case r.Running:
		d.leave("somebody powered on the copy in the cloud: decide which of the two is the VM, and remove the other")
		return
	}
	if doing := d.m.ToUndo[0]; doing.Does == BringHome {
		d.keep(BringHome, r)
	}
	d.m.ToUndo = d.m.ToUndo[1:]
	d.nextUndo()
}

// itRuns: the copy runs and the guest writes there. It is the VM now, and to
// take it back would lose those writes.
func (d *decision) itRuns() {
	d.m.Reasons = nil
	i := d.table.index(d.m.ToUndo[0].Step)
	if i == len(d.table)-1 {
		d.move(Completed)
		return
	}
	d.m.ToUndo, d.m.Asked = nil, false
	d.poweredOn()
	d.move(Running)
	d.next(i)
}

func (d *decision) undoFailed(f Failure) {
	doing := d.m.ToUndo[0]
	if f.Class == vsphere.Unreachable {
		waits := len(d.m.ToUndo) > 1 && settles[d.m.ToUndo[1].Does] // for the cloud, whatever comes of this one
		if doing.Does == ConfirmOff && !d.started() && !waits {
			// Nobody can be asked, and it was not started: the source comes first.
			d.m.ToUndo = d.m.ToUndo[1:]
			d.nextUndo()
			return
		}
		d.redo(d.MaxBackoff) // for as long as it takes: half undone is no end
		return
	}
	d.m.Tries++
	if d.m.Tries < d.UndoTries {
		d.redo(d.backoff(d.m.Tries))
		return
	}
	if settles[doing.Does] {
		d.leave(f.What)
		return
	}
	d.m.Leftovers = append(d.m.Leftovers, Leftover{doing, f.What})
	d.m.ToUndo = d.m.ToUndo[1:]
	d.nextUndo()
}

// leave takes nothing more back: the copy may run, so above all the source must
// stay off (MIG-13).
func (d *decision) leave(what string) {
	d.m.Leftovers = append(d.m.Leftovers, Leftover{d.m.ToUndo[0], what})
	d.m.ToUndo = nil
	d.nextUndo()
}
