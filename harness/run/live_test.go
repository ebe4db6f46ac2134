package run

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

func TestALiveWorldMayEndWhileHDMHasASessionInUseButNotWithOneThatIsForgotten(t *testing.T) {
	for _, test := range []struct {
		name    string
		later   time.Duration
		verdict record.Verdict
	}{
		{"in use", time.Minute, record.Passed},
		{"forgotten", 11 * time.Minute, record.Failed},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := scenario.ParseServed("test.yaml", []byte("title: sessions\nworld: tiny\nsteps: []\n"))
			require.NoError(t, err)
			l, err := NewLive(s, Options{}, nil)
			require.NoError(t, err)
			defer func() { assert.NoError(t, l.Close()) }()
			require.NoError(t, l.st.driver.Run(30*time.Second, nil)) // HDM ends what an earlier boot left
			m := l.World().Appliance()
			m.Go(context.Background(), "test", func(ctx context.Context) {
				_, err := vsphere.NewClient(m, l.World().OnPremises.Path.Endpoint(agent+" boot-0")).Open(ctx)
				assert.NoError(t, err)
			})
			require.NoError(t, l.st.driver.Run(test.later, nil))
			require.Empty(t, l.Busy())
			r, _ := l.Finish()
			assert.Equal(t, test.verdict, r.Verdict, "%v", r.Violations)
			if test.verdict == record.Failed {
				assert.Contains(t, r.Violations[0].What, "a session is still open")
			}
		})
	}
}

func TestWhatAPersonDoesToARenamedVMIsNotLaidOnHDM(t *testing.T) {
	s, err := scenario.ParseServed("test.yaml", []byte("title: names\nworld: tiny\nsteps: []\n"))
	require.NoError(t, err)
	l, err := NewLive(s, Options{}, nil)
	require.NoError(t, err)
	defer func() { assert.NoError(t, l.Close()) }()
	l.rename(&kernel.Event{Kind: event.VMRenamed, Subject: "on-premises/vm-1", Attrs: []kernel.Attr{{Key: "name", Value: "db-01"}}})
	l.rename(&kernel.Event{Kind: event.VMRenamed, Subject: "on-premises/db-01", Attrs: []kernel.Attr{{Key: "name", Value: "db-02"}}})
	l.By("PowerOnVM_Task", "db-02")
	for vm, person := range map[string]bool{"db-02": true, "vm-1": true, "db-01": false, "vm-2": false} {
		_, excused := l.excuse(record.Violation{Oracle: "one-copy", Subject: "cloud/" + vm})
		assert.Equal(t, person, excused, vm)
	}
}
