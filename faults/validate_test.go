package faults

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/hdm-project/hdm/core/vsphere"
)

func migrationSite(s string) vsphere.Site { return vsphere.Site(s) }

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
		{"an outage of no time", "{at: 1s, wan-down: {for: 0s}}", "[0].wan-down.for", "no time"},
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
		{"an Internet outage of no time", "{at: 1s, internet-down: {for: 0s}}", "[0].internet-down.for", "no time"},
		{"an Internet outage that outlasts the run", "{at: 11h, internet-down: {for: 1h}}", "[0].internet-down.for", "not over before the end"},
		{"an unknown queue", "{at: 1s, message-lost: {queue: wishes}}", "[0].message-lost.queue", "no queue"},
		{"an operation that it cannot act on", "{at: 1s, message-reorder: {queue: commands, operation: SendMessage}}", "[0].message-reorder.operation", "cannot act"},
		{"nobody receives dead letters", "{at: 1s, message-lost: {queue: dead-letters}}", "[0].message-lost.operation", "never act"},
		{"a negative number of calls to SQS", "{at: 1s, queue-over-limit: {queue: commands, count: -1}}", "[0].queue-over-limit.count", "no number"},
		{"a negative number of a call to SQS", "{at: 1s, queue-over-limit: {queue: commands, nth: -1}}", "[0].queue-over-limit.nth", "no number"},
		{"a delete that is late by nothing", "{at: 1s, message-late-delete: {queue: commands, by: 0s}}", "[0].message-late-delete.by", "no time"},
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
