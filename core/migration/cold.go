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
	{StepCheck, Check, 3, Again, Nothing, vsphere.OnPremises, "Checking both sites"},
	{StepShutDown, ShutDown, 3, Again, RestartSource, vsphere.OnPremises, "Shutting down the VM"},
	{StepSnapshot, TakeSnapshot, 3, Again, RemoveSnapshot, vsphere.OnPremises, "Taking the migrate-time snapshot"},
	{StepTransfer, Transfer, 3, FromBeginning, DestroyCopy, vsphere.Cloud, "Bulk transfer"},
	{StepNetwork, ConnectNetwork, 3, Again, Nothing, vsphere.Cloud, "Connecting the networks"},
	{StepPool, MoveToPool, 3, Again, ReturnToPool, vsphere.OnPremises, "Moving the VM to the migrate pool"},
	{StepPowerOn, PowerOnCopy, 3, Again, ConfirmOff, vsphere.Cloud, "Powering on in the cloud"},
})
