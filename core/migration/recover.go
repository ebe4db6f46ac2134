package migration

import (
	"time"

	"github.com/hdm-project/hdm/core/vsphere"
)

// The steps of bringing a VM back after a failure, beside those that others have
// too.
const (
	StepSalvage  StepName = "salvage"
	StepTrial    StepName = "trial-boot"
	StepEndTrial StepName = "remove-trial"
)

// RecoverTable brings a VM back after a failure of HDM, with the data of its last
// flush (REC-04, REC-05, A-05, A-06, A-08). First of all its compute VM is off,
// for as long as it takes to reach the cloud: until then nothing else happens
// (MIG-13). From there on every step goes on: whatever cannot be done, the VM ends
// off, in the pool that says how far its data can be relied on. Its migrate-time
// snapshot stays for whoever recovers it by hand. The tries of a release last longer
// than it takes to notice that a service is down: from then on its repair is waited
// for.
var RecoverTable = mustTable(Table{
	{StepStop, PowerOffCompute, 10, Again, Resumes, Never, Nothing, vsphere.Cloud, Stops, "Powering off the VM in the cloud"},
	{StepSalvage, Salvage, 3, Again, Resumes, Never, Nothing, vsphere.Cloud, GoesOn, "Saving what can still be reached"},
	{StepRelease, Discard, 6, Again, Resumes, Never, Nothing, vsphere.Cloud, GoesOn, "Releasing the cloud cache"},
	{StepTrial, Judge, 3, FromBeginning, Resumes, Never, EndTrial, vsphere.OnPremises, GoesOn, "Trying whether the VM boots"},
	{StepEndTrial, EndTrial, 3, Again, Resumes, Never, Nothing, vsphere.OnPremises, GoesOn, "Removing the trial"},
	{StepPool, MoveToRecovery, 10, Again, Resumes, Never, Nothing, vsphere.OnPremises, GoesOn, "Moving the VM to a recovery pool"},
	{StepUnclone, RemoveClone, 3, Again, Resumes, Never, Nothing, vsphere.OnPremises, GoesOn, "Removing the clone"},
	{StepCleanUp, DestroyCompute, 3, Again, Resumes, Never, Nothing, vsphere.Cloud, GoesOn, "Removing the VM from the cloud"},
})

// NewRecover is the migration by which HDM brings back the VM of another one,
// which is over and bound; or that of the one which a failed migrate back was to
// bring back. It needs no check, and waits for its turn.
func NewRecover(number int, now time.Time, of Migration) Migration {
	m := NewBack(number, Order{VM: of.Order.VM, Type: Recover}, now, of)
	m.Of, m.Group = of.Maker(), m.ID
	m.State, m.Moved = Queued, []Move{{To: Queued}}
	return m
}

// RecoveryPool is the pool on premises that a VM belongs into which was brought
// back (REC-05).
func (m *Migration) RecoveryPool() string {
	if m.Boots {
		return RecoverySuccessPool
	}
	return RecoveryFailedPool
}

// judged notes whether the VM is likely to boot. What could not be found out
// counts against it.
func (d *decision) judged(boots bool, doubt string) {
	d.m.Boots, d.m.Doubt = boots, doubt
	for _, l := range d.m.Leftovers {
		if l.Does == Discard { // whatever still holds its disks may write to them
			d.m.Boots, d.m.Doubt = false, "its data path could not be released: "+l.What
		}
	}
	d.m.Doubt = Cut(d.m.Doubt)
}
