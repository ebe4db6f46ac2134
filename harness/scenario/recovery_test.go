package scenario

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/recovery"
)

// failing is a scenario about failures; tests of bad input change a line of it.
const failing = `title: good
world: small
limit: 12h
steps:
  - {at: 1s, deploy: {mode: standard}}
  - {when: {deployment: deployed}, migrate: {vm: db-01, type: warm}}
  - {at: 5h, recover: {vm: db-01, data: good}}
  - {at: 6h, restart-appliance: {for: 1m}}
faults:
  - {at: 1h, component-crash: {vm: HDM_Cloud_Cache-0, service: Cloud Cache}}
expect:
  - {recovery: {phases: [probing]}}
  - {notes: {type: com.hdm.component.failed}}
  - {vm: db-01, lost: {at-most: 20m}}
`

func TestBadWordsAboutFailuresAreRefusedWithTheirPlaceAndWhatToDo(t *testing.T) {
	_, err := ParseText("x.yaml", []byte(failing))
	require.NoError(t, err)
	for _, c := range []struct {
		name, old, new string
		where          string // line and column
		says           string
	}{
		{"a service that is not there", "service: Cloud Cache", "service: Cloud Caches", ":10:64: ", "Cloud Cache, IO Interceptor"},
		{"a component VM of another mode", "mode: standard", "mode: lite", "", ""},
		{"a component VM that nobody deploys", "HDM_Cloud_Cache-0, service", "HDM_Cloud_Cache-1, service", ":10:36: ", "HDM_Cloud_Cache-0"},
		{"a fault without its service", ", service: Cloud Cache", "", ":10:31: ", `"service" is missing`},
		{"a VM that cannot be recovered", "recover: {vm: db-01", "recover: {vm: x", ":7:28: ", `no VM "x"`},
		{"data that is neither", "data: good", "data: fair", ":7:41: ", "good, bad"},
		{"a restart that outlasts the run", "restart-appliance: {for: 1m}", "restart-appliance: {for: 12h}", ":8:39: ", "no appliance is down for 12h"},
		{"a leftover of no warm migration", "recover: {vm: db-01, data: good}", "delete-leftover: {vm: web-01}", ":7:36: ", "leaves nothing in the cloud"},
		{"a phase of no recovery", "phases: [probing]", "phases: [resting]", ":12:26: ", "never"},
		{"a recovery of nothing", "phases: [probing]", "", ":12:16: ", "it expects nothing"},
		{"a recovery that was and was not", "phases: [probing]", "none: true, phases: [probing]", ":12:16: ", "alone"},
		{"a part that nobody deploys", "phases: [probing]", "failed: {HDM_Moon-0: rebooted}", ":12:", `no step deploys a component VM "HDM_Moon-0"`},
		{"a VM that nobody migrates", "phases: [probing]", "affected: [web-01]", ":12:28: ", "no step migrates"},
		{"a recovery before the first", "recovery: {phases", "number: -1, recovery: {phases", ":12:14: ", "no number"},
		{"an event of somebody else", "com.hdm.component.failed", "vim.event.x", ":13:20: ", "com.hdm."},
		{"an event posted by somebody else", "notes: {type: com.hdm.component.failed}", "posted: {type: vim.event.x}", ":13:21: ", "com.hdm."},
		{"a loss that says nothing", "lost: {at-most: 20m}", "lost: {}", ":14:23: ", "it expects nothing"},
		{"a state of no component", "phases: [probing]", "phases: [probing]}}\n  - {health: {status: Ready, components: {HDM_Cloud_Cache-0/Cloud Cache: Healthy}", ":13:", "Degraded or Poor"},
		{"a system that is Ready and says why not", "phases: [probing]", "phases: [probing]}}\n  - {health: {status: Ready, details: no", ":13:", "Ready says"},
		{"a step of no reset", "phases: [probing]}", "phases: [probing]}}\n  - {reset-steps: [tea]", ":13:", "no step"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(failing, c.old, c.new, 1)
			require.NotEqual(t, failing, text)
			_, err := ParseText("x.yaml", []byte(text))
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Contains(t, err.Error(), "x.yaml"+c.where)
			assert.ErrorContains(t, err, c.says)
			assert.NotEmpty(t, e.Fix)
		})
	}
}

func TestStepsAboutFailuresSayWhatTheApplianceIsAsked(t *testing.T) {
	s := everything(t)
	var reset, leftover, restart *Step
	for i := range s.Steps {
		switch step := &s.Steps[i]; {
		case step.Reset != nil:
			reset = step
		case step.DeleteLeftover != nil:
			leftover = step
		case step.RestartAppliance != nil:
			restart = step
		}
	}
	assert.Equal(t, recovery.ResetOrder{Force: true, CloudDead: true}, reset.Reset.Order())
	assert.True(t, reset.MayBeRefused())
	assert.Equal(t, "busy", reset.Reason())
	assert.Equal(t, "unknown-vm", leftover.Reason())
	assert.Equal(t, "3m", restart.RestartAppliance.Downtime().String())
	assert.Equal(t, "2m", (&RestartAppliance{}).Downtime().String())
}
