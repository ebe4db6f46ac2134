package migration

import "github.com/hdm-project/hdm/core/vsphere"

// The steps of a cold migration.
const (
	StepCheck    StepName = "check"
	StepShutDown StepName = "shut-down"
	StepSnapshot StepName = "snapshot"
	StepTransfer StepName = "bulk-transfer"
	StepNetwork  StepName = "network"
	StepPool     StepName = "pool"
	StepPowerOn  StepName = "power-on"
)

// ColdTable is ARM cold migration (COLD-01..07, MIG-08, MIG-11, A-13, A-14,
//
//
// The cloud VM's power-on is the last step on purpose: everything before it can
// be undone without losing a write, nothing after it could be, for the guest
// writes in the cloud from then on (COLD-05).
var ColdTable = mustTable(Table{
	{StepCheck, Check, 3, Again, Resumes, Never, Nothing, vsphere.OnPremises, Undoes, "Checking both sites"},
	{StepShutDown, ShutDown, 3, Again, Resumes, Never, RestartSource, vsphere.OnPremises, Undoes, "Shutting down the VM"},
	{StepSnapshot, TakeSnapshot, 3, Again, Resumes, Never, RemoveSnapshot, vsphere.OnPremises, Undoes, "Taking the migrate-time snapshot"},
	{StepTransfer, Transfer, 3, FromBeginning, Resumes, Never, DestroyCopy, vsphere.Cloud, Undoes, "Bulk transfer"},
	{StepNetwork, ConnectNetwork, 3, Again, Resumes, Never, Nothing, vsphere.Cloud, Undoes, "Connecting the networks"},
	{StepPool, MoveToPool, 3, Again, Resumes, Never, ReturnToPool, vsphere.OnPremises, Undoes, "Moving the VM to the migrate pool"},
	{StepPowerOn, PowerOnCopy, 3, Again, Resumes, Never, ConfirmOff, vsphere.Cloud, Undoes, "Powering on in the cloud"},
})
