// Package event is the vocabulary of a world's trace: every kind of event, its
// subject and its attributes. Oracles, triggers of faults and reports read
// these; what is not here is not emitted.
//
// Subjects: a VM is "<site>/<name>" ("on-premises/db-01"), a guest its name at
// the start of the world ("db-01"), a migration its id ("m-0001"), a site, a
// link or a component its name.
package event

// What happens in the vCenters, as they themselves know it.
const (
	VMCreated      = "vm.created"       // VM: pool
	VMDestroyed    = "vm.destroyed"     // VM
	VMRenamed      = "vm.renamed"       // VM (old): name
	VMPower        = "vm.power"         // VM: state=on|off
	VMPool         = "vm.pool"          // VM: pool (name)
	VMReconfigured = "vm.reconfigured"  // VM
	VMSnapshot     = "vm.snapshot"      // VM: op=created|removed|reverted, name
	TaskStarted    = "task.started"     // site: task, method, entity
	TaskFinished   = "task.finished"    // site: task, method, entity, state=success|error, error
	LeaseOpened    = "lease.opened"     // VM: lease, mode=export|import
	LeaseFirstByte = "lease.first-byte" // VM: lease, mode, disk: the first byte of a disk leaves or arrives
	LeaseDisk      = "lease.disk"       // VM: lease, mode, disk, bytes: a disk has been carried whole
	LeaseClosed    = "lease.closed"     // VM: lease, mode, how=completed|aborted|expired
	EventPosted    = "vcenter.event"    // site: type (com.hdm...), text
)

// A call to a vCenter is three events. sent: it left the client; applied: the
// vCenter did it; answered: the client knows.
const (
	CallSent     = "call.sent"     // site: call (number), method, object
	CallApplied  = "call.applied"  // site: call, method, object, outcome=ok|<fault type>
	CallAnswered = "call.answered" // site: call, method, object, outcome=ok|<fault type>|timeout|unreachable|refused
)

// What the guests do.
const (
	GuestStarted = "guest.started" // guest: site, vm
	GuestStopped = "guest.stopped" // guest: site, vm, how=shutdown|power-off, lost (blocks whose last write a power cut took)
	GuestTrial   = "guest.trial"   // guest: site, vm, outcome=up|damaged: a boot that writes nothing, on a throwaway copy; no start, and no stop follows
	GuestWrite   = "guest.write"   // guest: site, vm, disk, block (one or several, "17,993,4"), write (the number of the last): acknowledged
	GuestFlush   = "guest.flush"   // guest: site, vm, write: everything up to that number is durable
	GuestMisread = "guest.misread" // guest: site, vm, disk, block, write (acknowledged), got (what the block does instead): a read lacked a write
)

// What happens to links.
const (
	LinkDown = "link.down"     // link: direction=both|to-cloud|to-premises
	LinkUp   = "link.up"       // link: direction
	Transfer = "link.transfer" // link: direction, what, bytes, state=started|finished|failed
)

// What happens to hosts, and to the daemon of the IO filter on them. A host is
// "<site>/<name>".
const (
	HostDown   = "host.down"   // host: how=restart|disconnect, its VMs are off with it (restart), or go on unseen (disconnect)
	HostUp     = "host.up"     // host: boot (number)
	HostFilter = "host.filter" // host: state=up|down, epoch: the daemon started, or ended
)

// What fails beneath the services.
const (
	ServiceDown = "service.down" // component VM: service, how=crash|hang|no-memory|device (why it does not run)
	ServiceUp   = "service.up"   // component VM: service, epoch, by=supervisor|repair: started anew, or, in the same epoch, it goes on after a hang
	DiskDamaged = "disk.damaged" // VM: disk (number), block: a fault destroyed what it held, and nobody else is told
	DiskError   = "disk.error"   // a datastore, or a component VM: disk, op=read|write|flush, error=EIO|ENOSPC|torn|lost: the first of its kind on that disk
)

// What the component VMs and the services in them do. A component VM is its
// name, a binding its id.
const (
	ComponentUp    = "component.up"     // component VM: site, kind, boot, services
	ComponentDown  = "component.down"   // component VM: site, boot
	ComponentLane  = "component.lane"   // component VM in the cloud: premises (the VM at the other end), state=up|down: a pair of message gateways
	Command        = "command"          // component VM: key, service, verb, state=running|done|failed, error: taken up, or over
	Bound          = "binding.bound"    // binding: vm (the component VM with its cache), source (the VM on premises), quota (bytes)
	Released       = "binding.released" // binding
	FlushCut       = "flush.cut"        // binding: number, blocks, bytes
	FlushApplied   = "flush.applied"    // binding: number, blocks, bytes: the premises' disks hold it
	FlushAbandoned = "flush.abandoned"  // binding: number, blocks: its blocks are dirty again
	Reconciled     = "reconcile.pass"   // binding: blocks (copied), left (written meanwhile)
)

// What the appliance does.
const (
	ApplianceUp   = "appliance.up"   // appliance: epoch
	ApplianceDown = "appliance.down" // appliance: how, point
	JournalWrite  = "journal.write"  // appliance: records, cause
	JournalSync   = "journal.sync"   // appliance
	// Migration is every change of a migration's state or step, as journalled.
	Migration     = "migration"      // migration: vm, type, from, to, step, attempt, reason, next (the step that waits for a word, while waiting), left (what could not be put back, by what could not be done, once over)
	EffectStarted = "effect.started" // migration: key, kind, step, attempt, epoch
	EffectEnded   = "effect.ended"   // migration: key, kind, step, attempt, epoch, outcome=done|<class>, error
	EffectStale   = "effect.stale"   // migration: key, why: a late completion that was not accepted
	OrderAnswered = "order.answered" // appliance: request, vm, outcome=accepted|duplicate|refused, migration, reason
	Deployment    = "deployment"     // appliance: phase=none|deploying|deployed|undeploying, mode, vms (how many were made), as journalled
	Settings      = "settings"       // appliance: flush-every ("Cluster=5m0s"), groups ("a,b"), each with ";" in between, as journalled
	Recovery      = "recovery"       // appliance: number, phase=healthy|probing|repairing|returning|unrecoverable|resetting, failed ("HDM_Cloud_Manager-0/Cloud Message Gateway=crashed;HDM_Cloud_Cache-0=rebooted;link=link-down", "+repaired" after a cause once it is), affected and held (VMs, by name, with "," in between), multiple=true, offered (why a reset is), fatal, reset (the step of one), as journalled
	Note          = "note"           // appliance: number, type (com.hdm...), text: HDM's own log, as journalled
	Health        = "health"         // appliance: status, details, components (those that are not Healthy: "HDM_Cloud_Cache-0/Cloud Cache=Poor;..."), reset (why one is offered): what every surface shows from now on
	FlushHeard    = "flush.heard"    // migration: vm, flush (number): the appliance knows that it is applied, as journalled
)

// What happens in the message queues, as they themselves know it. A message is
// told by what is in it: type and request of a request; of a response besides
// response (its id), final, and state and percent, status and details, or code
// (of the first error). unreadable=true: it is neither. token=wrong: it is a
// request without the token of the bus. of: the message that a dead letter was.
const (
	SQSSent     = "sqs.sent"     // queue: message, bytes, and what is in it
	SQSStored   = "sqs.stored"   // queue: message: a second time, by a standard queue itself
	SQSDropped  = "sqs.dropped"  // queue: message: by deduplication, what is in it
	SQSReceived = "sqs.received" // queue: message, times
	SQSDeleted  = "sqs.deleted"  // queue: message
	SQSMoved    = "sqs.moved"    // queue: message, to: a dead-letter queue
	SQSExpired  = "sqs.expired"  // queue: message
	SQSQueue    = "sqs.queue"    // queue: what=created|deleted|purged
)

// What the appliance's message bus and its clients see.
const (
	BusSetUp   = "bus.set-up"  // appliance: outcome=done|failed, needs, why
	BusTrouble = "bus.trouble" // appliance: outcome=failed|over, why: of what was set up
	Heartbeat  = "heartbeat"   // appliance: status, details: on its way to whoever listens
	Response   = "response"    // request: type, response, final, and so on, as in sqs.sent: a client has it
)

// What the test does to the world.
const (
	FaultBegan = "fault.began" // the fault's number: kind, target, case (the line of the table of outcomes that it is)
	FaultEnded = "fault.ended" // the fault's number: kind
	Step       = "step"        // the step's number: what, vm, cloud-dead=true (of a reset: the user says so)
	StepEnded  = "step.ended"  // the step's number: what, outcome=done|refused, why
)
