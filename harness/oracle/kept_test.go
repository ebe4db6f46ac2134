package oracle

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

func told(kind, subject string, kv ...string) *kernel.Event {
	e := &kernel.Event{Kind: kind, Subject: subject}
	for i := 0; i+1 < len(kv); i += 2 {
		e.Attrs = append(e.Attrs, kernel.Attr{Key: kv[i], Value: kv[i+1]})
	}
	return e
}

func TestASnapshotThatARecoveryKeptIsItsUsersUntilTheyRecoverTheVM(t *testing.T) {
	k := kept{}
	back := told(event.Migration, "m-0002", "vm", "db-01", "type", "recover", "to", "completed")
	k.hear(told(event.Migration, "m-0001", "vm", "db-01", "type", "tbc", "to", "completed"))
	assert.Equal(t, []string{"_hdm1"}, k.without("db-01", []string{"_hdm1"}, "_hdm"), "a migration keeps its own")
	k.hear(back)
	assert.Equal(t, []string{"before", "_hdm2"}, k.without("db-01", []string{"before", "_hdm1", "_hdm2"}, "_hdm"), "one, and the oldest")
	assert.Equal(t, []string{"_hdm1"}, k.without("web-01", []string{"_hdm1"}, "_hdm"), "of that VM")
	k.hear(told(event.Step, "4", "what", "recover", "vm", "on-premises/db-01"))
	assert.Equal(t, []string{"_hdm1"}, k.without("db-01", []string{"_hdm1"}, "_hdm"), "who recovers it has deleted it")
}
