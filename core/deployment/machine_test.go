package deployment_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
)

// life drives one deployment by hand.
type life struct {
	t       require.TestingT
	d       deployment.Deployment
	pending *deployment.Effect
	keys    map[string]bool
}

func (l *life) hear(ev deployment.Event) deployment.Verdict {
	v := l.d.Decide(migration.DefaultKnobs, ev)
	if v.Ignored != "" {
		require.Equal(l.t, l.d, v.Deployment, "what is ignored changes nothing")
		return v
	}
	l.d = v.Deployment
	if v.Effect != nil {
		require.False(l.t, l.keys[v.Effect.Key], "every effect has a key of its own")
		l.keys[v.Effect.Key], l.pending = true, v.Effect
	}
	return v
}

func (l *life) done() {
	l.hear(deployment.Done{Key: l.pending.Key, Made: []deployment.Made{{Name: "HDM_Cloud_Cache-0"}}})
}

func (l *life) fail(c vsphere.Class) {
	l.hear(deployment.Failed{Key: l.pending.Key, Failure: migration.Failure{Class: c, What: "no host is connected"}})
}

func begun(t require.TestingT) *life {
	l := &life{t: t, keys: map[string]bool{}}
	l.hear(deployment.Asked{Mode: deployment.Mode{Class: deployment.Standard, Topology: deployment.Standalone}})
	return l
}

func TestADeploymentIsMadeAndRemoved(t *testing.T) { // DEP-01, DEP-04
	l := begun(t)
	require.Equal(t, deployment.Deploying, l.d.Phase)
	require.NotEmpty(t, l.hear(deployment.Asked{Mode: l.d.Mode}).Refused, "it is under way")
	require.NotEmpty(t, l.hear(deployment.RemovalAsked{}).Refused)
	require.Empty(t, l.d.Offers().Mode)
	l.done()
	require.Equal(t, deployment.Deployed, l.d.Phase)
	require.Equal(t, "standard standalone", l.d.Offers().Mode)
	require.NotEmpty(t, l.hear(deployment.RemovalAsked{Bound: 1}).Refused)
	require.NotEmpty(t, l.hear(deployment.RemovalAsked{Moving: 1}).Refused)
	require.Empty(t, l.hear(deployment.RemovalAsked{}).Refused)
	require.True(t, l.pending.Remove)
	l.done()
	assert.Equal(t, deployment.Deployment{Number: 1, Issued: 2}, l.d)
}

func TestADeploymentThatFailsForGoodIsRemovedAndSaysWhy(t *testing.T) { // SYS-02
	l := begun(t)
	for range 100 {
		l.fail(vsphere.Unreachable) // uses up no try
	}
	for range deployment.Tries {
		require.False(t, l.pending.Remove)
		l.fail(vsphere.Retryable)
	}
	require.Equal(t, deployment.Undeploying, l.d.Phase)
	require.True(t, l.pending.Remove)
	l.fail(vsphere.Refused)
	require.Equal(t, deployment.Undeploying, l.d.Phase, "a removal goes on for as long as it takes")
	l.done()
	assert.Equal(t, deployment.None, l.d.Phase)
	assert.Equal(t, "no host is connected", l.d.Why[0].What)
	assert.Empty(t, l.hear(deployment.Asked{Mode: deployment.Mode{Class: deployment.Lite, Topology: deployment.Standalone}}).Refused)
}

func TestAModeThatCannotBeIsRefused(t *testing.T) {
	l := &life{t: t, keys: map[string]bool{}}
	assert.NotEmpty(t, l.hear(deployment.Asked{Mode: deployment.Mode{Class: "huge"}}).Refused)
	assert.Equal(t, deployment.None, l.d.Phase)
}

func TestWhateverHappensADeploymentComesToRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := begun(t)
		for range rapid.IntRange(0, 30).Draw(t, "events") {
			switch rapid.IntRange(0, 6).Draw(t, "event") {
			case 0:
				l.fail(vsphere.Retryable)
			case 1:
				l.fail(vsphere.Refused)
			case 2:
				l.hear(deployment.Restarted{})
			case 3:
				l.hear(deployment.RemovalAsked{})
			case 4:
				l.hear(deployment.Asked{Mode: deployment.Mode{Class: deployment.Lite, Topology: deployment.Standalone}})
			case 5:
				l.hear(deployment.Done{Key: "deployment-1/0"})
			default:
				l.done()
			}
		}
		l.done()
		require.Contains(t, []deployment.Phase{deployment.None, deployment.Deployed}, l.d.Phase)
		require.Empty(t, l.d.Effect)
	})
}
