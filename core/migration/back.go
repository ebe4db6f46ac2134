package migration

import "github.com/hdm-project/hdm/core/vsphere"

// StepFlush is the final flush.
const StepFlush StepName = "final-flush"

// BackTable is migrate back (BACK-01 to -04): no cloud write is lost, for the
// compute VM is off when the last flush is cut, and the cloud cache is released
// only when nothing is dirty. Until then a failure powers the compute VM on again
// where it is. A release that failed may have been done, and then the compute VM
// has no disks any more: so from there on nothing is taken back. The source stays
// off: a person powers it on.
var BackTable = mustTable(Table{
	{StepCheck, Check, 3, Again, Resumes, Never, Nothing, vsphere.OnPremises, Undoes, "Checking both sites"},
	{StepStop, StopCompute, 3, Again, Resumes, Never, StartCompute, vsphere.Cloud, Undoes, "Shutting down the VM in the cloud"},
	{StepFlush, FinalFlush, 3, Again, Resumes, Never, Nothing, vsphere.Cloud, Undoes, "Flushing what the VM wrote in the cloud"},
	{StepRelease, Release, 3, Again, Resumes, Never, Nothing, vsphere.Cloud, Stops, "Releasing the cloud cache"},
	{StepPool, ReturnToPool, 3, Again, Resumes, Never, Nothing, vsphere.OnPremises, GoesOn, "Moving the VM to its own pool"},
	{StepUnsnap, RemoveSnapshot, 3, Again, Resumes, Never, Nothing, vsphere.OnPremises, GoesOn, "Removing the migrate-time snapshot"},
	{StepCleanUp, DestroyCompute, 3, Again, Resumes, Never, Nothing, vsphere.Cloud, GoesOn, "Removing the VM from the cloud"},
})
