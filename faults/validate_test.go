package faults

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

func read(t *testing.T, lines ...string) []Fault {
	t.Helper()
	var all []Fault
	require.NoError(t, yaml.Unmarshal([]byte("- "+strings.Join(lines, "\n- ")), &all))
	return all
}

func TestAFaultThatMakesNoSenseOrCanNeverActIsRefused(t *testing.T) {
	for _, c := range []struct{ name, fault, path, says string }{
		{"no trigger", "{wan-down: {for: 1m}}", "[0]", "there is no trigger"},
		{"two triggers", "{at: 1s, when: {vm: db-01, enters: pool}, wan-down: {for: 1m}}", "[0].when", "a time and a phase"},
		{"no kind", "{at: 1s}", "[0]", "no kind"},
		{"two kinds", "{at: 1s, wan-down: {for: 1m}, appliance-restart: {}}", "[0]", "2 kinds"},
		{"before the start", "{at: -1s, wan-down: {for: 1m}}", "[0].at", "too short"},
		{"at the end of the run", "{at: 12h, wan-down: {for: 1m}}", "[0].at", "never act"},
		{"a VM that no step migrates", "{when: {vm: app-01, enters: pool}, wan-down: {for: 1m}}", "[0].when.vm", "never act"},
		{"a step that its type lacks", "{when: {vm: db-01, enters: reconcile}, wan-down: {for: 1m}}", "[0].when.enters", "never act"},
		{"an attempt that is none", "{when: {vm: db-01, enters: pool, attempt: -1}, wan-down: {for: 1m}}", "[0].when.attempt", "no number"},
		{"before the phase", "{when: {vm: db-01, enters: pool, after: -1s}, wan-down: {for: 1m}}", "[0].when.after", "too short"},
		{"an outage of no time", "{at: 1s, wan-down: {for: -1s}}", "[0].wan-down.for", "no time"},
		{"an unknown direction", "{at: 1s, wan-down: {for: 1m, direction: up}}", "[0].wan-down.direction", "no direction"},
		{"a restart of negative time", "{at: 1s, appliance-restart: {for: -1m}}", "[0].appliance-restart.for", "no time"},
		{"an unknown crash point", "{at: 1s, appliance-restart: {crash-point: later}}", "[0].appliance-restart.crash-point", "no crash point"},
		{"an arrival at no crash point", "{at: 1s, appliance-restart: {nth: 2}}", "[0].appliance-restart.nth", "there is none"},
		{"too late an arrival", "{at: 1s, appliance-restart: {crash-point: before-write, nth: 10001}}", "[0].appliance-restart.nth", "no number"},
		{"an unknown site", "{at: 1s, call-hang: {site: moon, method: Login}}", "[0].call-hang.site", "no site"},
		{"an unknown method", "{at: 1s, call-hang: {site: cloud, method: FlyToMoon}}", "[0].call-hang.method", "never act"},
		{"a method that is not called there", "{at: 1s, call-lost: {site: cloud, method: ExportVm}}", "[0].call-lost.site", "never act"},
		{"a negative number of calls", "{at: 1s, call-lost: {site: cloud, method: Login, count: -1}}", "[0].call-lost.count", "no number"},
		{"a negative number of a call", "{at: 1s, call-lost: {site: cloud, method: Login, nth: -1}}", "[0].call-lost.nth", "no number"},
		{"an unknown fault type", "{at: 1s, call-error: {site: cloud, method: Login, fault: Oops}}", "[0].call-error.fault", "no fault"},
		{"longer after than the run", "{when: {vm: db-01, enters: pool, after: 12h}, wan-down: {for: 1m}}", "[0].when.after", "never act"},
		{"an outage that outlasts the run", "{at: 11h, wan-down: {for: 1h}}", "[0].wan-down.for", "not over before the end"},
		{"an outage after a phase that does", "{when: {vm: db-01, enters: pool, after: 6h}, wan-down: {for: 6h}}", "[0].wan-down.for", "not over before the end"},
		{"a restart that outlasts the run", "{at: 11h58m, appliance-restart: {}}", "[0].appliance-restart.for", "lasts 2m,"},
		{"a crash that outlasts the run", "{at: 0s, appliance-restart: {crash-point: before-write, for: 12h}}", "[0].appliance-restart.for", "not over before the end"},
		{"an Internet outage of no time", "{at: 1s, internet-down: {for: -1s}}", "[0].internet-down.for", "no time"},
		{"an Internet outage that outlasts the run", "{at: 11h, internet-down: {for: 1h}}", "[0].internet-down.for", "not over before the end"},
		{"an unknown queue", "{at: 1s, message-lost: {queue: wishes}}", "[0].message-lost.queue", "no queue"},
		{"an operation that it cannot act on", "{at: 1s, message-reorder: {queue: commands, operation: SendMessage}}", "[0].message-reorder.operation", "cannot act"},
		{"nobody receives dead letters", "{at: 1s, message-lost: {queue: dead-letters}}", "[0].message-lost.operation", "never act"},
		{"a negative number of calls to SQS", "{at: 1s, queue-over-limit: {queue: commands, count: -1}}", "[0].queue-over-limit.count", "no number"},
		{"a negative number of a call to SQS", "{at: 1s, queue-over-limit: {queue: commands, nth: -1}}", "[0].queue-over-limit.nth", "no number"},
		{"a delete that is late by nothing", "{at: 1s, message-late-delete: {queue: commands, by: 0s}}", "[0].message-late-delete.by", "no time"},
		{"a chance that is a certainty", "{at: 1s, chance: 1, wan-down: {for: 1m}}", "[0].chance", "no chance"},
		{"a recovery that never is", "{when: {recovery: sleeping}, wan-down: {for: 1m}}", "[0].when.recovery", "never"},
		{"a recovery and a migration", "{when: {recovery: probing, vm: db-01}, wan-down: {for: 1m}}", "[0].when.recovery", "something else"},
		{"a reset that has no such step", "{when: {reset: tea}, wan-down: {for: 1m}}", "[0].when.reset", "no step"},
		{"a flush of what is not on a cloud cache", "{when: {vm: db-01, flush: cut}, wan-down: {for: 1m}}", "[0].when.vm", "never act"},
		{"a flush that is neither", "{when: {vm: app-02, flush: half}, wan-down: {for: 1m}}", "[0].when.flush", "no flush"},
		{"a number and an attempt", "{when: {vm: db-01, enters: pool, attempt: 1, nth: 1}, wan-down: {for: 1m}}", "[0].when.nth", "an attempt and a number"},
		{"a number that is none", "{when: {vm: app-02, flush: cut, nth: 101}, wan-down: {for: 1m}}", "[0].when.nth", "no number"},
		{"an unknown component VM", "{at: 1s, component-crash: {vm: HDM_Moon-0, service: Cloud Cache}}", "[0].component-crash.vm", "never act"},
		{"a service of another component VM", "{at: 1s, component-kill: {vm: HDM_Cloud_Cache-0, service: On Prem SyncD}}", "[0].component-kill.service", "never act"},
		{"a reboot of no component VM", "{at: 1s, component-vm-reboot: {vm: db-01}}", "[0].component-vm-reboot.vm", "never act"},
		{"a hang that outlasts the run", "{at: 1s, component-hang: {vm: HDM_Cloud_Cache-0, service: Cloud Cache, for: 12h}}", "[0].component-hang.for", "not over before the end"},
		{"a host of the other site", "{at: 1s, host-restart: {site: cloud, host: host-1}}", "[0].host-restart.host", "never act"},
		{"a host of no site", "{at: 1s, host-disconnect: {site: moon, host: host-1}}", "[0].host-disconnect.site", "no site"},
		{"an unknown host with a filter", "{at: 1s, iofilter-restart: {host: cloud-host-1}}", "[0].iofilter-restart.host", "never act"},
		{"a WAN that is slow in nothing", "{at: 1s, wan-slow: {for: 1m}}", "[0].wan-slow", "nothing of it is slow"},
		{"a WAN as fast as ever", "{at: 1s, wan-slow: {percent: 100}}", "[0].wan-slow.percent", "not less"},
		{"packets that are late by an hour", "{at: 1s, wan-slow: {latency: 1h}}", "[0].wan-slow.latency", "late by"},
		{"a WAN that loses everything", "{at: 1s, wan-lossy: {loss: 1}}", "[0].wan-lossy.loss", "no share"},
		{"a WAN that flaps once", "{at: 1s, wan-flapping: {for: 1m, down: 30s, up: 30s}}", "[0].wan-flapping.for", "no second outage"},
		{"a WAN that flaps without rest", "{at: 1s, wan-flapping: {for: 1h, down: 30s, up: 0s}}", "[0].wan-flapping.up", "no time"},
		{"a WAN that flaps too often", "{at: 1s, wan-flapping: {for: 10h, down: 1s, up: 1s}}", "[0].wan-flapping.for", "more than"},
		{"a vCenter of no site", "{at: 1s, vcenter-restart: {site: moon}}", "[0].vcenter-restart.site", "no site"},
		{"sessions of no site", "{at: 1s, session-expiry: {site: moon}}", "[0].session-expiry.site", "no site"},
		{"an unknown datastore", "{at: 1s, datastore-full: {site: cloud, datastore: ds-01}}", "[0].datastore-full.datastore", "never act"},
		{"an operation that no disk knows", "{at: 1s, datastore-error: {site: cloud, datastore: cloud-ds-01, op: sing}}", "[0].datastore-error.op", "no operation"},
		{"a block before the first", "{at: 1s, storage-corrupt: {site: cloud, vm: app-02 ARM, block: -1}}", "[0].storage-corrupt.block", "no number"},
		{"a disk before the first", "{at: 1s, storage-corrupt: {site: cloud, vm: app-02 ARM, disk: -1}}", "[0].storage-corrupt.disk", "no number"},
		{"a block of no VM", "{at: 1s, storage-corrupt: {site: cloud, vm: db-01}}", "[0].storage-corrupt.vm", "never act"},
		{"a torn flush of what has none", "{at: 1s, flush-torn: {vm: db-01}}", "[0].flush-torn.vm", "never act"},
		{"a flush that fails too often", "{at: 1s, flush-fails: {vm: app-02, times: 10001}}", "[0].flush-fails.times", "no number"},
		{"a device for nothing", "{at: 1s, device-error: {vm: HDM_Cloud_Cache-0, use: tea, op: read, error: EIO}}", "[0].device-error.use", "is for"},
		{"a device that no service uses", "{at: 1s, device-error: {vm: HDM_OnPrem_ESXi_Manager-0, use: cache, op: read, error: EIO}}", "[0].device-error.use", "never act"},
		{"a device that fails otherwise", "{at: 1s, device-error: {vm: HDM_Cloud_Cache-0, use: cache, op: read, error: EPERM}}", "[0].device-error.error", "no disk fails"},
		{"a read that runs out of space", "{at: 1s, device-error: {vm: HDM_Cloud_Cache-0, use: cache, op: read, error: ENOSPC}}", "[0].device-error.error", "runs out"},
		{"a full disk for no time", "{at: 1s, journal-full: {for: -1s}}", "[0].journal-full.for", "no time"},
		{"a disk that lies for no time", "{at: 1s, journal-lost: {for: -1s}}", "[0].journal-lost.for", "no time"},
		{"a clock that does not step", "{at: 1s, clock-step: {by: 0s}}", "[0].clock-step.by", "does not step"},
		{"a guest that nobody knows", "{at: 1s, guest-never: {vm: x}}", "[0].guest-never.vm", "never act"},
		{"fewer boots than none", "{at: 1s, guest-late: {vm: db-01, boots: -1}}", "[0].guest-late.boots", "no number"},
		{"a command that nobody says", "{at: 1s, command-lost: {vm: HDM_Cloud_Cache-0, verb: sing}}", "[0].command-lost.verb", "never act"},
		{"a command before the first", "{at: 1s, command-hang: {vm: HDM_Cloud_Cache-0, nth: -1}}", "[0].command-hang.nth", "no number"},
		{"fewer commands than none", "{at: 1s, command-hang: {vm: HDM_Cloud_Cache-0, count: -1}}", "[0].command-hang.count", "no number"},
		{"a message that is held up by nothing", "{at: 1s, message-delay: {queue: commands, by: 0s}}", "[0].message-delay.by", "no time"},
		{"late by nothing", "{at: 1s, call-late: {site: cloud, method: Login, by: 0s}}", "[0].call-late.by", "no time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			problems := Validate(read(t, c.fault), context)
			require.Len(t, problems, 1)
			assert.Equal(t, c.path, problems[0].Path)
			assert.Contains(t, problems[0].What, c.says)
			assert.NotEmpty(t, problems[0].Fix)
		})
	}
}

func TestFaultsThatContradictOneAnotherAreRefused(t *testing.T) {
	for _, c := range []struct {
		name, a, b string
		says       string // "" if both can act
	}{
		{"restart while down", "{at: 1m, appliance-restart: {}}", "{at: 2m59s, appliance-restart: {}}", "restart while it is down"},
		{"restart once up", "{at: 1m, appliance-restart: {}}", "{at: 3m, appliance-restart: {}}", ""},
		{"restart in the same phase", "{when: {vm: db-01, enters: pool}, appliance-restart: {}}", "{when: {vm: db-01, enters: pool, attempt: 1, after: 1m}, appliance-restart: {}}", "restart while it is down"},
		{"restart in other phases", "{when: {vm: db-01, enters: pool}, appliance-restart: {}}", "{when: {vm: db-01, enters: network}, appliance-restart: {}}", ""},
		{"restart at a crash point", "{at: 1m, appliance-restart: {}}", "{at: 1m, appliance-restart: {crash-point: before-write}}", ""},
		{"down while down", "{at: 1m, wan-down: {for: 1m, direction: to-cloud}}", "{at: 1m30s, wan-down: {for: 1s}}", "go down while it is down"},
		{"down the other way", "{at: 1m, wan-down: {for: 1m, direction: to-cloud}}", "{at: 1m30s, wan-down: {for: 1s, direction: to-premises}}", ""},
		{"down later", "{at: 1m, wan-down: {for: 1m}}", "{at: 2m, wan-down: {for: 1m}}", ""},
		{"a call twice", "{at: 1m, call-hang: {site: cloud, method: Login, count: 3}}", "{at: 1m, call-lost: {site: cloud, method: Login, nth: 3}}", "claim the same call"},
		{"another call", "{at: 1m, call-hang: {site: cloud, method: Login}}", "{at: 1m, call-lost: {site: cloud, method: Login, nth: 2}}", ""},
		{"a call on another VM", "{at: 1m, call-hang: {site: cloud, method: PowerOnVM_Task, object: db-01}}", "{at: 1m, call-hang: {site: cloud, method: PowerOnVM_Task, object: web-01}}", ""},
		{"a call on any VM", "{at: 1m, call-hang: {site: cloud, method: PowerOnVM_Task, object: db-01}}", "{at: 1m, call-hang: {site: cloud, method: PowerOnVM_Task}}", "claim the same call"},
		{"the Internet while it is down", "{at: 1m, internet-down: {for: 1m}}", "{at: 1m30s, internet-down: {for: 1s}}", "go down while it is down"},
		{"the Internet while the WAN is down", "{at: 1m, wan-down: {for: 1m}}", "{at: 1m30s, internet-down: {for: 1s}}", ""},
		{"a call to SQS twice", "{at: 1m, message-lost: {queue: commands, count: 2}}", "{at: 1m, message-corrupt: {queue: commands, nth: 2}}", "claim the same call"},
		{"another call to SQS", "{at: 1m, message-lost: {queue: commands}}", "{at: 1m, message-corrupt: {queue: commands, operation: SendMessage}}", ""},
		{"a call to another queue", "{at: 1m, message-lost: {queue: commands}}", "{at: 1m, message-corrupt: {queue: responses}}", ""},
		{"down while it is down for ever", "{at: 1m, wan-down: {}}", "{at: 2h, wan-down: {for: 1m}}", "go down while it is down"},
		{"a service hangs while it hangs", "{at: 1m, component-hang: {vm: HDM_Cloud_Cache-0, service: Cloud Cache}}", "{at: 2m, component-hang: {vm: HDM_Cloud_Cache-0, service: Cloud Cache, for: 1m}}", "while it lasts"},
		{"another service hangs", "{at: 1m, component-hang: {vm: HDM_Cloud_Cache-0, service: Cloud Cache}}", "{at: 2m, component-hang: {vm: HDM_Cloud_Cache-0, service: IO Interceptor}}", ""},
		{"the second recovery is another", "{when: {recovery: probing}, host-restart: {site: cloud, host: cloud-host-1}}", "{when: {recovery: probing, nth: 2}, host-restart: {site: cloud, host: cloud-host-1}}", ""},
		{"a command twice", "{at: 1m, command-hang: {vm: HDM_Cloud_Cache-0}}", "{at: 1m, command-lost: {vm: HDM_Cloud_Cache-0, verb: flush}}", "claim the same call"},
		{"another command", "{at: 1m, command-hang: {vm: HDM_Cloud_Cache-0, verb: bind}}", "{at: 1m, command-lost: {vm: HDM_Cloud_Cache-0, verb: flush}}", ""},
		{"a time and a phase", "{at: 1m, appliance-restart: {}}", "{when: {vm: db-01, enters: pool}, appliance-restart: {}}", ""},
		{"different kinds", "{at: 1m, appliance-restart: {}}", "{at: 1m, wan-down: {for: 1m}}", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, order := range [][]string{{c.a, c.b}, {c.b, c.a}} {
				problems := Validate(read(t, order...), context)
				if c.says == "" {
					assert.Empty(t, problems)
					continue
				}
				require.Len(t, problems, 1)
				assert.Equal(t, "[1]", problems[0].Path, "the later one is named")
				assert.Contains(t, problems[0].What, c.says)
				assert.Contains(t, problems[0].What, read(t, order[0])[0].String())
			}
		})
	}
}

func TestAFaultThatContradictsSeveralIsToldOnce(t *testing.T) {
	problems := Validate(read(t, "{at: 1m, wan-down: {for: 1m}}", "{at: 3m, wan-down: {for: 1m}}", "{at: 1m, wan-down: {for: 3m}}"), context)
	require.Len(t, problems, 1)
	assert.Equal(t, "[2]", problems[0].Path)
}

func TestTooManyFaultsAreRefusedBeforeTheyAreCompared(t *testing.T) {
	problems := Validate(make([]Fault, MaxFaults+1), context)
	require.Len(t, problems, 1)
	assert.Contains(t, problems[0].What, "257 faults")
}

func TestFaultsOfComponentVMsThatNobodyDeploysAreRefused(t *testing.T) {
	without := context
	without.Components = nil
	problems := Validate(read(t, "{at: 1s, component-vm-reboot: {vm: HDM_Cloud_Cache-0}}"), without)
	require.Len(t, problems, 1)
	assert.Contains(t, problems[0].What, "no step deploys component VMs")
	without.Deploys = false
	problems = Validate(read(t, "{when: {recovery: probing}, wan-down: {for: 1m}}"), without)
	require.Len(t, problems, 1)
	assert.Equal(t, "[0].when.recovery", problems[0].Path)
	assert.Contains(t, problems[0].What, "nothing is recovered")
}

func TestFaultsOfAMessageBusThatThereIsNotAreRefused(t *testing.T) {
	without, fifo := context, context
	without.Bus, fifo.Bus = "", FIFO
	for _, c := range []struct {
		fault string
		in    Context
		says  string // "" if it can act
	}{
		{"{at: 1s, internet-down: {for: 1m}}", without, "no message bus"},
		{"{at: 1s, message-lost: {queue: commands}}", without, "no message bus"},
		{"{at: 1s, message-duplicate: {queue: commands}}", fifo, "FIFO queues deliver no message twice"},
		{"{at: 1s, message-duplicate: {queue: commands}}", context, ""},
		{"{at: 1s, message-lost: {queue: commands}}", fifo, ""},
	} {
		problems := Validate(read(t, c.fault), c.in)
		if c.says == "" {
			assert.Empty(t, problems, c.fault)
			continue
		}
		require.Len(t, problems, 1, c.fault)
		assert.Contains(t, problems[0].What, c.says)
	}
}
