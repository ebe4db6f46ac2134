package timeline_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/reports/timeline"
)

// history is events, one a line: seconds, kind, subject and details.
func history(t *testing.T, text string) *timeline.Timeline {
	t.Helper()
	b := timeline.NewBuilder()
	seq := uint64(0)
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		seq++
		at, err := time.ParseDuration(fields[0])
		require.NoError(t, err)
		e := record.Event{Seq: seq, At: at, Kind: fields[1], Subject: fields[2]}
		for _, attr := range fields[3:] {
			key, value, _ := strings.Cut(attr, "=")
			e.Attrs = append(e.Attrs, record.Attr{Key: key, Value: strings.ReplaceAll(value, "_", " ")})
		}
		b.Add(&e)
	}
	return b.End()
}

// spans tells a lane in a line.
func spans(l *timeline.Lane) string {
	var all []string
	for _, s := range l.Spans {
		all = append(all, fmt.Sprintf("%s %v-%v", s.Kind, s.From, s.To))
	}
	for _, m := range l.Marks {
		all = append(all, fmt.Sprintf("%s@%v", m.Kind, m.At))
	}
	return strings.Join(all, ", ")
}

const migrated = `
0s guest.started db-01 site=on-premises vm=db-01
0s appliance.up appliance epoch=1
1s guest.write db-01 block=1,2,3 write=3
1s migration m-0001 vm=db-01 type=cold to=checking
2s migration m-0001 vm=db-01 from=checking to=queued
3s migration m-0001 vm=db-01 from=queued to=running step=shut-down
3s effect.started m-0001 kind=shut_down attempt=1
4s guest.stopped db-01 site=on-premises vm=db-01 how=shutdown lost=0
5s migration m-0001 vm=db-01 to=running step=bulk-transfer
6s link.transfer wan direction=to-cloud what=d bytes=300 state=started
7s fault.began 1 kind=wan-down target=wan_both
7s link.down wan direction=to-cloud
8s appliance.down appliance how=power-off
9s appliance.up appliance epoch=2
9s link.up wan direction=to-cloud
9s fault.ended 1 kind=wan-down
9s effect.started m-0001 kind=transfer attempt=2
9s link.transfer wan direction=to-cloud what=d bytes=300 state=finished
10s migration m-0001 vm=db-01 to=running step=power-on
11s guest.started db-01 site=cloud vm=db-01
12s migration m-0001 vm=db-01 from=running to=completed
20s journal.sync appliance
`

func TestEachComponentHasALaneOfWhatItDid(t *testing.T) {
	l := history(t, migrated)
	assert.Equal(t, 20*time.Second, l.End)
	assert.Equal(t, "up 0s-8s, down 8s-9s, up 9s-20s, boot@9s", spans(&l.Appliance))
	require.Len(t, l.Links, 1)
	assert.Equal(t, "down 7s-9s", spans(&l.Links[0]))
	require.Len(t, l.VMs, 1)
	vm := &l.VMs[0]
	assert.Equal(t, "premises 0s-4s, cloud 11s-20s", spans(&vm.Guest))
	assert.Equal(t, "waits 1s-2s, waits 2s-3s, before 3s-5s, moving 5s-10s, after 10s-12s, retry@9s, completed@12s", spans(&vm.Migration))
	assert.Equal(t, timeline.Completed, vm.Ended)
	assert.Equal(t, 1, l.Completed)
	assert.Equal(t, 1, l.Cold)
	assert.Equal(t, "order@1s", spans(&l.People))
	require.Len(t, l.Faults, 1)
	assert.Equal(t, timeline.Fault{Number: "1", Kind: "wan-down", Target: "wan both", From: 7 * time.Second, To: 9 * time.Second, Ended: true, Seq: 11}, l.Faults[0])
}

func TestCurvesTellQueueAndTransfer(t *testing.T) {
	l := history(t, migrated)
	assert.Equal(t, []timeline.Point{{At: time.Second, Value: 1}, {At: 3 * time.Second}}, l.Waiting.Points)
	assert.Equal(t, []timeline.Point{{At: time.Second}, {At: 3 * time.Second, Value: 1}, {At: 12 * time.Second}}, l.Running.Points)
	assert.Equal(t, int64(300), l.Carried)
	assert.Equal(t, []timeline.Point{{At: 6 * time.Second, Value: 100}, {At: 9 * time.Second}}, l.Rate.Points)
	assert.Equal(t, uint64(3), l.Writes, "each block is a write")
}

func TestAFlushIsCarriedFromItsCutUntilItIsApplied(t *testing.T) {
	l := history(t, `
0s migration m-0001 vm=db-01 type=tbc to=running
1s migration m-0001 vm=db-01 type=tbc to=completed
10s flush.cut b number=1 bytes=400
14s flush.applied b number=1 bytes=400
20s flush.cut b number=2 bytes=999
22s flush.abandoned b number=2
`)
	assert.Equal(t, int64(400), l.Carried)
	assert.Equal(t, []timeline.Point{{At: 10 * time.Second, Value: 100}, {At: 14 * time.Second}}, l.Rate.Points)
	assert.Equal(t, 1, l.Completed)
	assert.Zero(t, l.Cold, "what tries before it commits is not held against the bound of cold migrations")
}

func TestAPowerCutTellsWhatWasNotFlushed(t *testing.T) {
	l := history(t, `
0s guest.started db-01 site=on-premises vm=db-01
5s guest.stopped db-01 site=on-premises vm=db-01 how=power-off lost=2
`)
	assert.Equal(t, "premises 0s-5s, power-cut@5s", spans(&l.VMs[0].Guest))
	assert.Equal(t, uint64(2), l.Cut)
}

func TestAnUndoIsNoStepForward(t *testing.T) {
	l := history(t, `
0s migration m-0001 vm=a to=running step=bulk-transfer
1s migration m-0001 vm=a to=undoing step=bulk-transfer reason=failed
2s migration m-0001 vm=a to=failed reason=failed
3s migration m-0002 vm=b to=refused reason=busy
`)
	assert.Equal(t, "moving 0s-1s, undoing 1s-2s, failed@2s", spans(&l.VMs[0].Migration))
	assert.Equal(t, "refused@3s", spans(&l.VMs[1].Migration))
}

func TestHeartbeatsAreALaneOfReadyAndNotReady(t *testing.T) {
	l := history(t, `
0s heartbeat appliance status=Not_Ready details=booting
10s heartbeat appliance status=Not_Ready details=booting
20s heartbeat appliance status=Ready
30s heartbeat appliance status=Ready
40s foreign.call on-premises method=PowerOff from=govc
`)
	assert.Equal(t, "not-ready 0s-20s, ready 20s-40s", spans(&l.Health))
	assert.Equal(t, "foreign@40s", spans(&l.People))
}

func TestAQueueHoldsWhatIsNeitherDeletedNorMovedNorExpired(t *testing.T) {
	l := history(t, `
0s sqs.sent q message=1
1s sqs.sent q message=2
2s sqs.received q message=1 count=1
3s sqs.deleted q message=1
4s sqs.deleted q message=1
5s sqs.moved q message=2 to=dead
6s sqs.expired dead message=2
`)
	require.Len(t, l.Queues, 2)
	q, dead := &l.Queues[0], &l.Queues[1]
	assert.Equal(t, []timeline.Point{{Value: 1}, {At: time.Second, Value: 2}, {At: 3 * time.Second, Value: 1}, {At: 5 * time.Second}}, q.Depth.Points)
	assert.Equal(t, []int{2, 1, 1, 1, 0}, []int{q.Sent, q.Received, q.Deleted, q.Moved, q.Expired})
	assert.Equal(t, []timeline.Point{{At: 5 * time.Second, Value: 1}, {At: 6 * time.Second}}, dead.Depth.Points)
}

func TestATimelineStaysSmallAndSaysHowMuchMoreThereWas(t *testing.T) {
	b := timeline.NewBuilder()
	seq := uint64(0)
	add := func(kind, subject string, attrs ...string) {
		seq++
		e := record.Event{Seq: seq, At: time.Duration(seq) * time.Millisecond, Kind: kind, Subject: subject}
		for i := 0; i < len(attrs); i += 2 {
			e.Attrs = append(e.Attrs, record.Attr{Key: attrs[i], Value: attrs[i+1]})
		}
		b.Add(&e)
	}
	for i := range 3000 {
		name := fmt.Sprintf("vm-%d", i)
		add("guest.started", name, "site", "on-premises", "vm", name)
		add("appliance.down", "appliance", "how", strings.Repeat("x", 5000))
		add("appliance.up", "appliance", "epoch", "2")
		add("fault.began", name, "kind", "k")
		add("migration", "m-"+name, "vm", name, "to", "queued")
		add("sqs.sent", fmt.Sprintf("q-%d", i), "message", "1")
		add("sqs.sent", "q-0", "message", name)
	}
	add("migration", "m-vm-2999", "vm", "vm-2999", "to", "failed")
	l := b.End()
	assert.Len(t, l.VMs, timeline.MostVMs)
	assert.Equal(t, 3000-timeline.MostVMs, l.MoreVMs)
	assert.Len(t, l.Faults, timeline.MostFaults)
	assert.Equal(t, 3000-timeline.MostFaults, l.MoreFaults)
	assert.Len(t, l.Appliance.Spans, timeline.MostSpans)
	assert.Positive(t, l.Appliance.More)
	assert.Len(t, l.Queues, timeline.MostQueues)
	assert.True(t, l.MoreQs)
	assert.LessOrEqual(t, len(l.Waiting.Points), timeline.MostPoints)
	assert.InDelta(t, 3000, l.Waiting.Top(), 0, "the highest is kept")
	assert.LessOrEqual(t, len(l.Appliance.Spans[1].Text), timeline.MostText+len("…"))
	found := false
	for _, vm := range l.VMs {
		found = found || vm.Name == "vm-2999"
	}
	assert.True(t, found, "what went wrong is shown before what did not")
}

func TestAFailureIsShownFromItsDetectionToTheRecovery(t *testing.T) {
	l := history(t, `
0s component.up HDM_Cloud_Cache-0 boot=1
10s service.down HDM_Cloud_Cache-0 service=Cloud_Cache how=crash
130s note appliance number=1 type=com.hdm.component.failed text=Cloud_Cache_from_HDM_Cloud_Cache-0_crashed
130s recovery appliance number=1 phase=probing
131s recovery appliance number=1 phase=repairing failed=HDM_Cloud_Cache-0/Cloud_Cache=crashed affected=db-01
135s service.up HDM_Cloud_Cache-0 service=Cloud_Cache epoch=2
135s note appliance number=2 type=com.hdm.component.repaired text=repaired
136s recovery appliance number=1 phase=returning
150s note appliance number=3 type=com.hdm.vm.recovered text=db-01
150s note appliance number=4 type=com.hdm.migration.started text=not_of_a_failure
151s recovery appliance number=1 phase=healthy
200s host.down on-premises/esx-1 how=restart
260s host.up on-premises/esx-1 boot=2
270s note appliance number=5 type=com.hdm.failure.unrecoverable text=Fatal
271s recovery appliance number=2 phase=unrecoverable
280s recovery appliance number=2 phase=resetting reset=vms-off
300s recovery appliance number=2 phase=resetting reset=filters-restarted
`)
	assert.Equal(t, "probing 2m10s-2m11s, repairing 2m11s-2m16s, returning 2m16s-2m31s, unrecoverable 4m31s-4m40s, resetting 4m40s-5m0s, "+
		"detected@2m10s, repaired@2m15s, brought-back@2m30s, failed@4m30s", spans(&l.Recovery))
	assert.Contains(t, l.Recovery.Spans[1].Text, "affected: db-01")
	assert.Contains(t, l.Recovery.Spans[4].Text, "filters-restarted", "the newest step of a reset")
	require.Len(t, l.Parts, 2)
	assert.Equal(t, "HDM_Cloud_Cache-0", l.Parts[0].Name)
	assert.Equal(t, "down 10s-2m15s", spans(&l.Parts[0]))
	assert.Equal(t, "down 3m20s-4m20s", spans(&l.Parts[1]))
}
