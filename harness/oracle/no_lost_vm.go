package oracle

import (
	"strings"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/kernel"
)

// NoLostVM: in the end each VM runs in the cloud or can be started on premises
// (REC-10), and a migration that says it is completed has brought its VM to the
// cloud, running, and left it on premises, off, in the migrate pool (MIG-08): also
// one that is only tried there. What was brought back, nothing-left-behind judges.
type NoLostVM struct {
	verdicts
	courses
	byHand map[string]bool // VMs that a person powered on or off, or that went off with their host
	hosts  hostsDown
}

// NewNoLostVM returns the oracle for one run.
func NewNoLostVM(r Rules) *NoLostVM {
	return &NoLostVM{verdicts: verdicts{oracle: "no-lost-vm"}, courses: newCourses(&r), byHand: map[string]bool{}, hosts: newHostsDown()}
}

// Observe implements Oracle.
func (o *NoLostVM) Observe(e kernel.Event) []record.Violation {
	o.hear(&e)
	o.resets(&e)
	if vm := byHand(&e); vm != "" {
		o.byHand[vm] = true
	}
	for _, vm := range o.hosts.took(&e) { // it is for people to start again
		_, name, _ := strings.Cut(vm, "/")
		o.byHand[strings.TrimSuffix(name, computeSuffix)] = true
	}
	return nil
}

// Finish implements Oracle.
func (o *NoLostVM) Finish(t *Truth) []record.Violation {
	for i := range t.Before {
		before := &t.Before[i]
		here := t.same(before)
		if before.Site == vsphere.Cloud {
			if here == nil {
				o.broken("REC-10", t.At, before.Subject(), nil, "a VM of the cloud that nobody migrates is gone")
			}
			continue
		}
		last := o.of(before.Name)
		o.judge(t, before, here, last)
		if last.completed() && !last.home() && !last.reset && !o.stuck && !o.byHand[before.Name] {
			o.completed(t, before, here, last)
		}
	}
	return o.take()
}

func (o *NoLostVM) judge(t *Truth, before, here *VM, last *course) {
	why := "it is gone on premises"
	if here != nil {
		why = cannotStart(before, here)
	}
	if why == "" {
		return
	}
	for _, c := range t.copies(before) {
		if c.On {
			return
		}
	}
	o.broken("REC-10", t.At, before.Subject(), last.evidence(), "%s, and it does not run in the cloud", why)
}

// cannotStart says why a VM could not be powered on any more; "" if it could, or
// never could.
func cannotStart(before, now *VM) string {
	switch {
	case before.Connected && !now.Connected:
		return "it is no longer connected to a host on premises"
	case !now.holds(before.diskIDs()):
		return "it has lost a disk on premises"
	}
	return ""
}

func (o *NoLostVM) completed(t *Truth, before, here *VM, last *course) {
	if here != nil && here.On {
		o.broken("MIG-08", t.At, before.Subject(), last.evidence(), "%s is completed, and the VM is on on premises", last.id)
	}
	if here != nil && here.Pool != o.rules.MigratePool {
		o.broken("MIG-08", t.At, before.Subject(), last.evidence(), "%s is completed, and the VM is in pool %q on premises, not in %s", last.id, here.Pool, o.rules.MigratePool)
	}
	for _, c := range t.copies(before) {
		if c.On {
			return
		}
	}
	o.broken("MIG-08", t.At, before.Subject(), last.evidence(), "%s is completed, and no VM with its disks is on in the cloud", last.id)
}

// Tested implements Oracle. What it judges is shown clause by clause elsewhere.
func (o *NoLostVM) Tested() []string { return nil }
