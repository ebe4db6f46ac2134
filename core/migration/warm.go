package migration

import "github.com/hdm-project/hdm/core/vsphere"

// The steps of migrations whose VM runs on a cloud cache, beside those that a
// cold migration has too.
const (
	StepPrepare   StepName = "prepare"
	StepPolicy    StepName = "policy"
	StepClone     StepName = "linked-clone"
	StepBind      StepName = "cloud-cache"
	StepCompute   StepName = "compute-vm"
	StepBoot      StepName = "boot"
	StepReconcile StepName = "reconcile"
	StepStop      StepName = "stop"
	StepSync      StepName = "last-reconcile"
	StepRename    StepName = "rename"
	StepReboot    StepName = "reboot"
	StepReboots   StepName = "reboot-boot"
	StepRelease   StepName = "release"
	StepCleanUp   StepName = "remove-compute-vm"
	StepUnclone   StepName = "remove-clone"
	StepUnsnap    StepName = "remove-snapshot"
)

// WarmTable is ARM warm migration (WARM-03). The guide's seven steps are:
// prepare; policy; shut-down, snapshot and linked-clone; cloud-cache to boot (the
// compute VM); bulk-transfer; reconcile; stop to reboot-boot. What follows
// commits it (MIG-10).
//
// The source is shut down before its snapshot is taken and not after it, so that
// restoring the snapshot loses exactly what was written in the cloud (MIG-12).
// Until the image is powered on everything can be taken back without losing a
// write: the compute VM is stopped, and what it wrote is brought home.
var WarmTable = mustTable(Table{
	{StepCheck, Check, 3, Again, Resumes, Never, Nothing, vsphere.OnPremises, Undoes, "Checking both sites"},
	{StepPrepare, Prepare, 3, Again, Resumes, Never, Nothing, vsphere.OnPremises, Undoes, "Preparing the VM"},
	{StepPolicy, ApplyPolicy, 3, Again, Resumes, Never, Nothing, vsphere.OnPremises, Undoes, "Applying the storage policy"},
	{StepShutDown, ShutDown, 3, Again, Resumes, Never, RestartSource, vsphere.OnPremises, Undoes, "Shutting down the VM"},
	{StepSnapshot, TakeSnapshot, 3, Again, Resumes, Never, RemoveSnapshot, vsphere.OnPremises, Undoes, "Taking the migrate-time snapshot"},
	{StepClone, MakeClone, 3, Again, Resumes, Never, RemoveClone, vsphere.OnPremises, Undoes, "Cloning the snapshot"},
	{StepBind, Bind, 3, Again, Fails, Never, BringHome, vsphere.Cloud, Undoes, "Creating the cloud cache"},
	{StepCompute, CreateCompute, 3, Again, Fails, Never, DestroyCompute, vsphere.Cloud, Undoes, "Creating the compute VM"},
	{StepPool, MoveToPool, 3, Again, Fails, Never, ReturnToPool, vsphere.OnPremises, Undoes, "Moving the VM to the migrate pool"},
	{StepPowerOn, StartCompute, 3, Again, Fails, Never, StopCompute, vsphere.Cloud, Undoes, "Powering on in the cloud"},
	{StepBoot, AwaitBoot, 3, Again, Fails, Never, Nothing, vsphere.Cloud, Undoes, "Waiting for the guest"},
	{StepTransfer, TransferImage, 3, FromBeginning, Resumes, StartTransfer, DestroyImage, vsphere.Cloud, Undoes, "Bulk transfer"},
	{StepReconcile, Reconcile, 3, Again, Resumes, ConfigureSync, Nothing, vsphere.Cloud, Undoes, "Reconciling the image with the cloud cache"},
	{StepStop, StopCompute, 3, Again, Resumes, Commit, Nothing, vsphere.Cloud, Undoes, "Stopping the compute VM"},
	{StepSync, LastReconcile, 3, Again, Resumes, Never, Nothing, vsphere.Cloud, Undoes, "Reconciling what is left"},
	{StepNetwork, ConnectNetwork, 3, Again, Resumes, Never, Nothing, vsphere.Cloud, Undoes, "Connecting the networks"},
	{StepRename, RenameImage, 3, Again, Resumes, Never, Nothing, vsphere.Cloud, Undoes, "Giving the VM its name"},
	{StepReboot, StartImage, 3, Again, Resumes, Never, ConfirmOff, vsphere.Cloud, Undoes, "Rebooting from the reconciled image"},
	{StepReboots, AwaitBoot, 3, Again, Resumes, Never, Nothing, vsphere.Cloud, Stops, "Waiting for the guest"},
	{StepRelease, Discard, 3, Again, Resumes, Never, Nothing, vsphere.Cloud, GoesOn, "Releasing the cloud cache"},
	{StepCleanUp, DestroyCompute, 3, Again, Resumes, Never, Nothing, vsphere.Cloud, GoesOn, "Removing the compute VM"},
	{StepUnclone, RemoveClone, 3, Again, Resumes, Never, Nothing, vsphere.OnPremises, GoesOn, "Removing the clone"},
	{StepUnsnap, RemoveSnapshot, 3, Again, Resumes, Never, Nothing, vsphere.OnPremises, GoesOn, "Removing the migrate-time snapshot"},
})

// TBCTable is try before commit: warm up to the running compute VM. The VM stays
// bound to its disks on premises until it is brought back.
var TBCTable = mustTable(Table{
	{StepCheck, Check, 3, Again, Resumes, Never, Nothing, vsphere.OnPremises, Undoes, "Checking both sites"},
	{StepPrepare, Prepare, 3, Again, Resumes, Never, Nothing, vsphere.OnPremises, Undoes, "Preparing the VM"},
	{StepPolicy, ApplyPolicy, 3, Again, Resumes, Never, Nothing, vsphere.OnPremises, Undoes, "Applying the storage policy"},
	{StepShutDown, ShutDown, 3, Again, Resumes, Never, RestartSource, vsphere.OnPremises, Undoes, "Shutting down the VM"},
	{StepSnapshot, TakeSnapshot, 3, Again, Resumes, Never, RemoveSnapshot, vsphere.OnPremises, Undoes, "Taking the migrate-time snapshot"},
	{StepBind, Bind, 3, Again, Resumes, Never, BringHome, vsphere.Cloud, Undoes, "Creating the cloud cache"},
	{StepCompute, CreateCompute, 3, Again, Resumes, Never, DestroyCompute, vsphere.Cloud, Undoes, "Creating the compute VM"},
	{StepPool, MoveToPool, 3, Again, Resumes, Never, ReturnToPool, vsphere.OnPremises, Undoes, "Moving the VM to the migrate pool"},
	{StepPowerOn, StartCompute, 3, Again, Resumes, Never, StopCompute, vsphere.Cloud, Undoes, "Powering on in the cloud"},
	{StepBoot, AwaitBoot, 3, Again, Resumes, Never, Nothing, vsphere.Cloud, Undoes, "Waiting for the guest"},
})
