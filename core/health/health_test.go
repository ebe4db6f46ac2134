package health

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTheTextsAreThoseOfTheGuide(t *testing.T) {
	for _, c := range []struct {
		down, vms []string
		want      State
	}{
		{nil, nil, State{Ready, "All the components are deployed and up."}},
		{[]string{"On Prem IO Manager", "On Prem Message Gateway"}, nil, State{NotReady, "Services not ready or down On Prem IO Manager, On Prem Message Gateway"}},
		{nil, []string{"HDM_OnPrem_ESXi_Manager-0"}, State{NotReady, "HDM infrastructure VM rebooted or faulted ['HDM_OnPrem_ESXi_Manager-0']"}},
		{[]string{"On Prem IO Manager"}, []string{"HDM_Cloud_Cache-0", "HDM_Cloud_Cache-1"}, State{NotReady, "HDM infrastructure VM rebooted or faulted ['HDM_Cloud_Cache-0', 'HDM_Cloud_Cache-1']"}},
	} {
		got := Of(c.down, c.vms)
		assert.Equal(t, c.want, got)
		assert.Equal(t, c.want.Status == Ready, got.Ready())
	}
}

func TestPanelsAreEqualOnlyIfEverythingThatTheyShowIs(t *testing.T) {
	shown := func() Panel {
		return Panel{State: State{NotReady, "why"}, Components: []Component{{Name: "Cloud Cache", VM: "vm", Level: Poor, Error: "it hangs"}}, Notice: "notice", Reset: "reset"}
	}
	assert.True(t, shown().Equal(shown()))
	for _, change := range []func(*Panel){
		func(p *Panel) { p.Status = Ready },
		func(p *Panel) { p.Details = "" },
		func(p *Panel) { p.Components[0].Level = Degraded },
		func(p *Panel) { p.Components = nil },
		func(p *Panel) { p.Notice = "" },
		func(p *Panel) { p.Reset = "" },
	} {
		other := shown()
		change(&other)
		assert.False(t, shown().Equal(other), "%+v", other)
	}
}
