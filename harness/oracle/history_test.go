package oracle_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/harness/oracle"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/guest"
	"github.com/hdm-project/hdm/sim/kernel"
)

// parse reads a history: a line per event, "1m3s vm.power on-premises/db-01
// state=on"; in subjects and values "·" is a space. Lines are numbered from 1, as events are.
func parse(t *testing.T, history string) []kernel.Event {
	t.Helper()
	var events []kernel.Event
	for line := range strings.Lines(history) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		require.GreaterOrEqual(t, len(fields), 3, line)
		at, err := time.ParseDuration(fields[0])
		require.NoError(t, err, line)
		e := kernel.Event{Seq: uint64(len(events) + 1), At: at, Kind: fields[1], Subject: strings.ReplaceAll(fields[2], "·", " ")}
		for _, attr := range fields[3:] {
			key, value, ok := strings.Cut(attr, "=")
			require.True(t, ok, line)
			e.Attrs = append(e.Attrs, kernel.Attr{Key: key, Value: strings.ReplaceAll(value, "·", " ")})
		}
		events = append(events, e)
	}
	return events
}

// judge shows an oracle a history and the world at its end.
func judge(t *testing.T, o oracle.Oracle, history string, truth *oracle.Truth) []record.Violation {
	t.Helper()
	var found []record.Violation
	for _, e := range parse(t, history) {
		found = append(found, o.Observe(e)...)
	}
	if truth == nil {
		truth = &oracle.Truth{}
	}
	found = append(found, o.Finish(truth)...)
	for _, v := range found {
		assert.Equal(t, o.Name(), v.Oracle)
		assert.NotEmpty(t, v.Clauses)
		assert.NotEmpty(t, v.Subject)
		assert.NotContains(t, v.What, "%!", "a message that was put together wrongly")
	}
	return found
}

// nowhere is a world without guests.
type nowhere struct{}

func (nowhere) Guest(string) *guest.Guest  { return nil }
func (nowhere) Disks(string) []oracle.Disk { return nil }

// history is one row of an oracle's table.
type history struct {
	name   string
	events string
	truth  *oracle.Truth
	// broken is what the one violation says, in part; "" accepts the history.
	broken   string
	evidence []uint64
}

func check(t *testing.T, fresh func() oracle.Oracle, histories []history) {
	t.Helper()
	rejects := 0
	for _, h := range histories {
		t.Run(h.name, func(t *testing.T) {
			found := judge(t, fresh(), h.events, h.truth)
			if h.broken == "" {
				assert.Empty(t, found, "accepts")
				return
			}
			require.Len(t, found, 1, "rejects")
			assert.Contains(t, found[0].What, h.broken)
			assert.Equal(t, h.evidence, found[0].Evidence)
		})
		if h.broken != "" {
			rejects++
		}
	}
	assert.Positive(t, rejects, "every oracle has a history that it must reject")
}

// moves is the history of a cold migration of a VM up to a state, as events.
func moves(id, vm string, states ...string) string {
	var b strings.Builder
	from := ""
	for i, to := range states {
		state, step, _ := strings.Cut(to, ":")
		fmt.Fprintf(&b, "%ds migration %s vm=%s type=cold from=%s to=%s step=%s\n", i, id, vm, from, state, step)
		from = state
	}
	return b.String()
}

var (
	toRunning   = []string{"checking", "queued", "running"}
	toCompleted = []string{"checking", "queued", "running", "completed"}
	toFailed    = []string{"checking", "queued", "running", "undoing", "failed"}
)

func vm(site vsphere.Site, id, name string, on bool) oracle.VM {
	return oracle.VM{Site: site, ID: id, Name: name, On: on, Connected: true, Pool: "Resources", Disks: []oracle.Disk{{ID: "db-01/0"}}}
}

// with changes a VM.
func with(v oracle.VM, change func(*oracle.VM)) oracle.VM {
	change(&v)
	return v
}

func TestAllOraclesHaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range oracle.All(oracle.Documented(), nowhere{}) {
		assert.NotEmpty(t, o.Name())
		assert.False(t, seen[o.Name()], "%s is there twice", o.Name())
		seen[o.Name()] = true
		assert.Empty(t, o.Tested(), "%s: nothing has happened yet", o.Name())
		assert.Empty(t, o.Finish(&oracle.Truth{}), "%s accepts an empty world", o.Name())
	}
	assert.Len(t, seen, 16)
}

func TestABrokenRunDoesNotFloodTheReport(t *testing.T) {
	o := oracle.NewLegalMoves(oracle.Documented())
	told := 0
	for n := range 1000 {
		told += len(o.Observe(kernel.Event{Seq: uint64(n), Kind: "effect.started", Subject: "m-0001"}))
	}
	assert.Equal(t, 20, told)
}
