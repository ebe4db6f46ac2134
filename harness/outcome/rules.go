package outcome

import (
	"slices"

	"github.com/hdm-project/hdm/core/migration"
)

// Stretches of migrations in which the same follows from a failure.
var (
	cold       = []Stretch{{Type: migration.Cold}}
	unbound    = []Stretch{{migration.Warm, migration.StepCheck, migration.StepClone}, {migration.TBC, migration.StepCheck, migration.StepSnapshot}}
	binding    = []Stretch{{migration.Warm, migration.StepBind, migration.StepPool}, {migration.TBC, migration.StepBind, migration.StepPool}}
	starting   = []Stretch{{migration.Warm, migration.StepPowerOn, migration.StepBoot}, {migration.TBC, migration.StepPowerOn, migration.StepBoot}}
	computing  = slices.Concat(binding, starting)
	copying    = []Stretch{{migration.Warm, migration.StepTransfer, migration.StepReconcile}}
	switching  = []Stretch{{migration.Warm, migration.StepStop, migration.StepRename}}
	committing = []Stretch{{migration.Warm, migration.StepReboot, migration.StepUnsnap}}
	leaving    = []Stretch{{migration.Back, migration.StepCheck, migration.StepRelease}}
	left       = []Stretch{{migration.Back, migration.StepPool, migration.StepCleanUp}}
	recovering = []Stretch{{Type: migration.Recover}}
	bound      = []Stretch{{Type: Bound}}
	idle       = []Stretch{{Type: Idle}}

	warm       = []Stretch{{Type: migration.Warm}}
	tbc        = []Stretch{{Type: migration.TBC}}
	back       = []Stretch{{Type: migration.Back}}
	booting    = []Stretch{{migration.Warm, migration.StepPowerOn, migration.StepBoot}, {migration.TBC, migration.StepPowerOn, migration.StepBoot}}
	rebooting  = []Stretch{{migration.Warm, migration.StepReboot, migration.StepReboots}}
	underWay   = slices.Concat(cold, warm, tbc, back)
	everywhere = slices.Concat(underWay, recovering, bound, idle)
)

// path is what VMs on the cloud cache need at any time.
func path(kinds ...string) (all []string) {
	for _, kind := range kinds {
		for _, role := range []string{CacheService, HomeService, GatewayService, ManagerService} {
			all = append(all, kind+": "+role)
		}
	}
	return all
}

// silently fails what is noticed by its silence, two minutes later; at once what
// tells by its own epoch or boot that it began anew.
var (
	silently = slices.Concat(path("component-crash", "component-hang", "component-kill"), []string{"device-error: cache", "device-error: home"})
	atOnce   = slices.Concat(path("component-restart"), []string{"component-vm-reboot*"})
	failing  = slices.Concat(silently, atOnce)
	syncing  = []string{"component-crash: sync", "component-hang: sync", "component-restart: sync", "component-kill: sync"}
	onHosts  = []string{"host-restart: on premises", "iofilter-restart"}
	messages = []string{"message-*", "queue-*", "internet-down"}
	calls    = []string{"call-*", "session-expiry*", "vcenter-restart*"}
)

func allows(clauses []string, outcomes ...Outcome) Verdict {
	return Verdict{Allowed: outcomes, Clauses: clauses}
}
func because(why string) Verdict    { return Verdict{Because: why} }
func by(clauses ...string) []string { return clauses }

// rules is the table. The first line that speaks of a case at a place counts.
var rules = []rule{
	// What is found out apart.
	{[]string{"journal-lost"}, everywhere, because("a disk that lies about syncing breaks every promise of the journal: that this is noticed is tested apart")},

	// The appliance.
	{[]string{"appliance-restart: applied-before-completion"}, bound, because("a flush is no step of a migration: there is no completion for it to come before")},
	{[]string{"appliance-restart*", "journal-full"}, []Stretch{{migration.Warm, migration.StepBind, migration.StepBoot}}, allows(by("APP-04", "WARM-04"), Undone, GoesOn)},
	{[]string{"appliance-restart*", "journal-full"}, cold, allows(by("APP-02"), GoesOn)},
	{[]string{"appliance-restart*", "journal-full"}, warm, allows(by("APP-05", "WARM-04"), GoesOn)},
	{[]string{"appliance-restart*", "journal-full"}, tbc, allows(by("APP-03"), GoesOn)},
	{[]string{"appliance-restart*", "journal-full"}, slices.Concat(back, recovering), allows(by("APP-01"), GoesOn)},
	{[]string{"appliance-restart*", "journal-full"}, bound, allows(by("APP-01", "APP-06"), Stays)},
	{[]string{"appliance-restart: *"}, idle, because("an idle HDM writes nothing to its journal: it comes to no crash point")},
	{[]string{"appliance-restart*", "journal-full"}, idle, allows(by("APP-01", "APP-07"), Recovers)},
	{[]string{"clock-step*"}, bound, allows(by("HLT-01", "POL-04"), Stays)},
	{[]string{"clock-step*"}, idle, allows(by("HLT-01"), Recovers)},
	{[]string{"clock-step*"}, everywhere, allows(by("HLT-01"), GoesOn)},

	// The WAN.
	{[]string{"wan-down: short", "wan-slow"}, bound, allows(by("WAN-01", "APP-06"), Stays)},
	{[]string{"wan-down: short", "wan-slow", "wan-lossy", "wan-flapping"}, idle, allows(by("WAN-01", "REC-01"), Recovers)},
	{[]string{"wan-down: short", "wan-slow"}, everywhere, allows(by("WAN-01"), GoesOn)},
	{[]string{"wan-lossy", "wan-flapping"}, bound, allows(by("WAN-01"), Stays)},
	{[]string{"wan-lossy", "wan-flapping"}, everywhere, allows(by("WAN-01", "SYS-02"), GoesOn)},
	{[]string{"wan-down: about"}, bound, allows(by("WAN-01", "WAN-02"), Stays, Returns, Reset)},
	{[]string{"wan-down: about"}, underWay, allows(by("WAN-01", "WAN-02"), GoesOn, Undone, Returns, Reset)},
	{[]string{"wan-down: about"}, recovering, allows(by("WAN-01", "WAN-02"), GoesOn, Reset)},
	{[]string{"wan-down: about", "wan-down: long", "wan-down: for ever"}, idle, allows(by("WAN-02"), Recovers, Reset)},
	{[]string{"wan-down: long"}, bound, allows(by("WAN-02", "REC-04", "POL-06"), Returns, Reset)},
	{[]string{"wan-down: for ever"}, bound, allows(by("WAN-02", "RST-01"), Stays, Reset)},
	{[]string{"wan-down: long", "wan-down: for ever"}, slices.Concat(cold, unbound), allows(by("WAN-02", "COLD-04", "SYS-02"), Undone, GoesOn, Reset)},
	// At the release everything is home, and nothing is taken back any more: when the
	// link is there again the VM is let go of, or brought back with the same data.
	{[]string{"wan-down: long"}, []Stretch{{migration.Back, migration.StepRelease, migration.StepRelease}}, allows(by("WAN-02", "BACK-03"), GoesOn, Returns, Reset)},
	{[]string{"wan-down: long"}, slices.Concat(computing, copying, switching, leaving), allows(by("WAN-02", "REC-02", "REC-04"), Undone, Returns, Reset)},
	{[]string{"wan-down: for ever"}, slices.Concat(computing, copying, switching, leaving, committing, left, recovering), allows(by("WAN-02", "RST-01"), Undone, GoesOn, Stops, Reset)},
	{[]string{"wan-down: long"}, slices.Concat(committing, left, recovering), allows(by("WAN-02", "SYS-02"), GoesOn, Reset)},

	// Calls to the vCenters, and their sessions: fewer than a step has tries.
	{[]string{"call-error: beyond the tries", "call-hang: beyond the tries", "call-lost: beyond the tries", "call-late: beyond the tries", "vcenter-restart: long"}, underWay, allows(by("SYS-02", "COLD-04", "WARM-04"), GoesOn, Undone, Stops)},
	{calls, bound, allows(by("SYS-01"), Stays)},
	{calls, idle, allows(by("SYS-01"), Recovers)},
	{calls, everywhere, allows(by("SYS-02", "WARM-04", "COLD-04"), GoesOn)},

	// The message bus.
	{messages, slices.Concat(tbc, back, recovering), because("over the message bus only cold and warm migrations are offered (SQS-07): no message is about this one")},
	{messages, bound, because("no message is about a VM that is being tried: its heartbeats are those of an idle HDM")},
	{messages, idle, allows(by("SQS-10"), Recovers)},
	{messages, slices.Concat(cold, warm), allows(by("SQS-10", "MIG-14"), GoesOn)},

	// Parts of HDM. A silence of less than two minutes is no failure.
	{[]string{"component-hang: about"}, bound, allows(by("HLT-01", "HLT-02", "REC-04"), Stays, Returns)},
	{[]string{"component-hang: about"}, underWay, allows(by("HLT-01", "REC-02"), GoesOn, Undone, Returns)},
	{[]string{"component-hang: about"}, recovering, allows(by("HLT-01", "REC-09"), GoesOn, Stops, Reset)},
	{[]string{"component-hang: short", "component-hang: about"}, idle, allows(by("HLT-01", "REC-01"), Recovers)},
	{[]string{"component-hang: short"}, computing, allows(by("WARM-04", "SYS-02"), GoesOn, Undone)}, // three tries may be over before that
	{[]string{"component-hang: short"}, bound, allows(by("HLT-01"), Stays)},
	{[]string{"component-hang: short"}, everywhere, allows(by("HLT-01", "SYS-01"), GoesOn)},
	{[]string{"device-error: cache", "device-error: home"}, slices.Concat(cold, idle, unbound, committing, left, recovering), because("nothing uses the device there: it would meet the error later, at another step")},
	{[]string{"device-error: cache", "device-error: home"}, bound, allows(by("SYS-01", "REC-04", "POL-06"), Stays, Returns, Reset)},
	{failing, bound, allows(by("REC-04", "CVM-01", "POL-06"), Returns)},
	{failing, idle, allows(by("REC-01", "CVM-03"), Recovers)},
	{syncing, bound, allows(by("REC-04"), Stays)},
	{syncing, idle, allows(by("REC-01"), Recovers)},
	{slices.Concat(failing, syncing), cold, allows(by("COLD-06", "REC-02"), GoesOn)},
	{slices.Concat(failing, syncing), slices.Concat(committing, left), allows(by("REC-02", "MIG-10"), GoesOn)},
	{slices.Concat(failing, syncing), recovering, allows(by("REC-09", "RST-01"), GoesOn, Stops, Reset)},
	{syncing, slices.Concat(warm, tbc, back), allows(by("REC-02", "COLD-06"), GoesOn)},
	{failing, slices.Concat(unbound, computing), allows(by("REC-02", "REC-04"), GoesOn, Undone, Returns)},
	// Its tries can be used up before the silence is noticed.
	{silently, slices.Concat(copying, switching), allows(by("REC-02", "REC-04", "POL-06"), Returns, GoesOn, Undone)},
	{failing, slices.Concat(copying, switching, leaving), allows(by("REC-02", "REC-04", "POL-06"), Returns, GoesOn)},

	// Commands to component VMs.
	{[]string{"command-*"}, []Stretch{{migration.Warm, migration.StepBind, migration.StepBind}, {migration.TBC, migration.StepBind, migration.StepBind},
		{migration.Warm, migration.StepReconcile, migration.StepReconcile}, {migration.Warm, migration.StepSync, migration.StepSync},
		{migration.Warm, migration.StepRelease, migration.StepRelease}, {migration.Back, migration.StepFlush, migration.StepRelease},
		{migration.Recover, migration.StepRelease, migration.StepRelease}}, allows(by("SYS-01", "SYS-02"), GoesOn)},
	{[]string{"command-*"}, bound, allows(by("SYS-01", "POL-04"), Stays)},
	{[]string{"command-*"}, everywhere, because("HDM commands no component there")},

	// Flushes.
	{[]string{"flush-*"}, bound, allows(by("CACHE-07", "SYS-01", "REC-04"), Stays, Returns)},
	{[]string{"flush-*"}, []Stretch{{migration.Back, migration.StepFlush, migration.StepFlush}}, allows(by("CACHE-07", "SYS-01", "REC-02"), GoesOn, Returns, Undone)},
	{[]string{"flush-*"}, everywhere, because("nothing is flushed there")},

	// Hosts.
	{onHosts, idle, allows(by("ESX-01", "ESX-02"), Reset)},
	{onHosts, bound, allows(by("ESX-01", "REC-04"), Returns, Reset)},
	{onHosts, slices.Concat(cold, unbound), allows(by("ESX-01"), Undone, Reset)},
	{onHosts, slices.Concat(computing, copying, switching, leaving), allows(by("ESX-01", "REC-04"), Undone, Returns, Reset)},
	{onHosts, slices.Concat(committing, left, recovering), allows(by("ESX-01"), GoesOn, Stops, Reset)},
	{[]string{"host-restart: cloud"}, idle, allows(by("REC-01", "HLT-02"), Recovers, Reset)},
	{[]string{"host-restart: cloud"}, bound, allows(by("REC-04", "HLT-02"), Returns, Reset)},
	{[]string{"host-restart: cloud"}, everywhere, allows(by("REC-02", "HLT-02"), GoesOn, Undone, Returns, Stops, Reset)},
	{[]string{"host-disconnect*"}, idle, allows(by("HLT-02"), Recovers)},
	{[]string{"host-disconnect*"}, bound, allows(by("HLT-02", "SYS-01"), Stays)},
	{[]string{"host-disconnect*"}, everywhere, allows(by("SYS-02", "WARM-04", "COLD-04"), GoesOn, Undone, Stops)},

	// Storage.
	{[]string{"datastore-*"}, idle, allows(by("SYS-01"), Recovers, Reset)},
	{[]string{"datastore-*"}, bound, allows(by("SYS-01", "REC-04"), Stays, Returns, ReturnsHurt)},
	{[]string{"datastore-*"}, everywhere, allows(by("SYS-01", "SYS-02"), GoesOn, Undone, Returns, ReturnsHurt, Stops)},
	{[]string{"storage-corrupt"}, bound, allows(by("REC-05", "REC-04"), Stays, ReturnsHurt)},
	{[]string{"storage-corrupt"}, recovering, allows(by("REC-05"), GoesOn)},
	{[]string{"storage-corrupt"}, everywhere, because("what a VM's own disks lose below everybody is no failure of HDM's: only where a VM comes back it says so (REC-05)")},

	// Guests.
	{[]string{"guest-late"}, slices.Concat(booting, rebooting), allows(by("BOOT-01"), GoesOn)},
	{[]string{"guest-never"}, booting, allows(by("BOOT-01", "WARM-04"), Undone)},
	{[]string{"guest-never"}, rebooting, allows(by("BOOT-01"), Stops)},
	{[]string{"guest-*"}, everywhere, because("HDM waits for no guest to boot there")},
}
