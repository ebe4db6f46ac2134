package recovery

import (
	"slices"

	"github.com/hdm-project/hdm/core/migration"
)

// Steps are the steps of a reset, in order.
var Steps = []ResetStep{ResetVMsOff, ResetFilters, ResetAppliance, ResetCleanCloud, ResetCleanPrem, ResetDone}

// CodeReset is the code of a refused reset.
const CodeReset = "reset"

// resetAsked begins a reset, or warns.
func (v *verdict) resetAsked(ev ResetAsked) {
	r := &v.Recovery
	refuse := func(what, fix string) {
		v.ignore("%s", what)
		v.Refused = []migration.Reason{{Code: CodeReset, What: what, Fix: fix}}
	}
	switch {
	case r.Phase == Resetting && ev.Order.CloudDead && !r.Reset.CloudDead:
		r.Reset.CloudDead = true
		v.Cancel = r.Effect // which may wait for the cloud
		v.issue(Effect{Kind: ResetOne, Reset: r.Reset})
		return
	case r.Phase == Resetting:
		refuse("a reset is under way", "do what its task in vCenter waits for")
		return
	case r.Offered == "" && !ev.Order.Force:
		refuse("nothing calls for a reset: every VM in the cloud would come back as of its last flush", "let HDM recover by itself, or force it")
		return
	case r.Phase == Healthy:
		*r = Recovery{Number: r.Number + 1, Issued: r.Issued, Since: v.now.Wall}
	}
	v.Cancel, r.Effect = r.Effect, ""
	v.move(Resetting)
	r.Reset = Reset{CloudDead: ev.Order.CloudDead, Asked: v.now.Wall, Epoch: ev.Epoch, Filters: ev.Filters}
	v.step("", ev.Epoch)
}

// step goes on to the step after one that is done.
func (v *verdict) step(done ResetStep, epoch int) {
	r := &v.Recovery
	i := slices.Index(Steps, done) + 1
	if Steps[i] == ResetAppliance && epoch > r.Reset.Epoch {
		i++ // it was restarted meanwhile
	}
	r.Reset.Step = Steps[i]
	if Steps[i] != ResetDone {
		v.issue(Effect{Kind: ResetOne, Reset: r.Reset})
		return
	}
	v.move(Healthy)
	*r = Recovery{Number: r.Number, Issued: r.Issued}
	v.Reset = true
}

func (v *verdict) stepDone(ev StepDone) {
	if !v.awaits(ev.Key, ResetOne) {
		return
	}
	r := &v.Recovery
	if r.Phase != Resetting || r.Reset.Step == ResetAppliance {
		v.ignore("only a restart of the appliance ends that step")
		return
	}
	r.Effect = ""
	v.step(r.Reset.Step, ev.Epoch)
}
