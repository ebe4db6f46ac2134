package bus

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/protocol"
)

// teller is what was told last. It is memory only: after a restart all is told
// once more.
type teller struct {
	beat   time.Duration // since the boot; when the last heartbeat was sent
	health health.State  // that it told
	told   map[migration.ID]told
}

type told struct {
	at    time.Duration // since the boot
	state migration.State
	step  migration.StepName
}

// tell sends heartbeats and statuses until ctx is cancelled. A heartbeat that
// cannot be sent is not made up for: the next one tells more.
func (s *Service) tell(ctx context.Context) {
	t := &teller{told: map[migration.ID]told{}}
	for {
		err := s.heartbeat(ctx, t)
		if err == nil {
			err = s.statuses(ctx, t)
		}
		s.trouble(ctx, &s.outTrouble, err)
		if s.Runtime.Sleep(ctx, look) != nil {
			return
		}
	}
}

// heartbeat sends one if it is due, or if the state has changed.
func (s *Service) heartbeat(ctx context.Context, t *teller) error {
	h, now := s.Appliance.Health(), s.Runtime.Elapsed()
	if h == t.health && now-t.beat < s.HeartbeatEvery {
		return nil
	}
	s.beats++
	beat := &protocol.Heartbeat{Status: protocol.Status(h.Status), Details: h.Details, Every: int(s.HeartbeatEvery.Seconds())}
	err := s.respond(ctx, beat, "heartbeat", fmt.Sprintf("heartbeat/%d/%d", s.Appliance.Epoch(), s.beats))
	if err == nil {
		t.beat, t.health = now, h
	}
	return err
}

// statuses tells of each migration that somebody waits for, if it is somewhere
// else than when it was told last, or for long enough (SQS-06).
func (s *Service) statuses(ctx context.Context, t *teller) error {
	waiting := s.Appliance.Unanswered()
	known := map[migration.ID]told{}
	due := waiting[:0]
	for _, m := range waiting {
		last, before := t.told[m.ID]
		if before {
			known[m.ID] = last
		}
		if !before || m.State != last.state || m.Step != last.step || s.Runtime.Elapsed()-last.at >= s.StatusEvery {
			due = append(due, m)
		}
	}
	t.told = known // those that have ended are forgotten
	slices.SortStableFunc(due, func(a, b appliance.Status) int { return cmp.Compare(known[a.ID].at, known[b.ID].at) })
	var unfit error
	for _, m := range due[:min(len(due), mostTold)] {
		err := s.status(ctx, m)
		if hopeless(err) { // it starves no other one
			unfit = err
		} else if err != nil {
			return err
		}
		t.told[m.ID] = told{s.Runtime.Elapsed(), m.State, m.Step}
		if err := s.heartbeat(ctx, t); err != nil {
			return err
		}
	}
	return unfit
}

// status tells how one migration is, and writes down that it did. What is on the
// way is written down first: after a power cut progress must not be told to be
// less than before. An end is written down last: it must be told, and after a
// power cut a response of the same name tells it again.
func (s *Service) status(ctx context.Context, m appliance.Status) error {
	first := func() error { return s.respond(ctx, statusOf(m), topicOf(m), statusID(m, m.Responses.Count+1)) }
	then := func() error {
		return s.Appliance.Responded(m.ID, migration.Responded{Percent: m.Percent(), Final: m.State.Final()})
	}
	if !m.State.Final() {
		first, then = then, first
	}
	if err := first(); err != nil {
		return err
	}
	return then()
}

func topicOf(m appliance.Status) string { return "status/" + m.Order.Request }

func statusID(m appliance.Status, n int) string {
	return fmt.Sprintf("status/%s/%d", m.Order.Request, n)
}

// statusOf is what is told of a migration. A refusal is an error to whoever
// ordered it; progress never falls, whatever is tried again (SQS-06, SQS-09).
func statusOf(m appliance.Status) protocol.Response {
	if m.State == migration.Refused {
		r := refusal(m.Reasons)
		r.RequestID = m.Order.Request
		return r
	}
	r := &protocol.CloneResponse{
		Migration: string(m.ID), VM: m.Order.VM, Mode: protocol.Mode(m.Order.Type),
		State: string(m.State), Step: string(m.Step), Shows: m.Shows(), Percent: max(m.Percent(), m.Responses.Percent),
		Bytes: max(m.Bytes, m.Transfer.Bytes), Final: m.State.Final(), Reasons: problems(m.Reasons),
	}
	if !r.Final {
		r.Reasons = nil // of what is still being tried or put back
	}
	for _, l := range m.Leftovers {
		r.Left = append(r.Left, l.String())
	}
	r.RequestID = m.Order.Request
	return r
}

// problems are reasons as a client is told them.
func problems(reasons []migration.Reason) []protocol.Problem {
	var all []protocol.Problem
	for _, r := range reasons {
		all = append(all, protocol.Problem{Code: r.Code, Field: fields[r.Code], What: r.What, Fix: r.Fix})
	}
	return all
}

// fields of a request that a reason is about.
var fields = map[string]string{
	migration.CodeUnknownVM: "vm", migration.CodeAmbiguous: "vm", migration.CodeBusy: "vm",
	migration.CodeType: "mode", migration.CodeRequest: "request_id",
	migration.CodeUnmapped: "target.networks", migration.CodeNoNetwork: "target.networks", migration.CodeAmbiguousNetwork: "target.networks",
	migration.CodeAdapter: "target.adapter", migration.CodeNoPool: "target.pool", migration.CodeAmbiguousPool: "target.pool",
	migration.CodeNoDatastore: "target.datastore", migration.CodeAmbiguousDatastore: "target.datastore", migration.CodeSpace: "target.datastore",
}

// describeVM is a VM of the inventory as a client is told it.
func describeVM(o migration.Offered) protocol.VM {
	v := protocol.VM{
		Name: o.VM.Name, UUID: o.VM.BIOSUUID, Power: string(o.VM.Power), Guest: o.VM.GuestID, Firmware: o.VM.Firmware,
		CPUs: o.VM.CPUs, MemoryMB: o.VM.MemoryMB, Tools: "not running", Disks: []protocol.Disk{}, Networks: []string{},
		Migratable: len(o.Reasons) == 0, Reasons: problems(o.Reasons),
	}
	if o.VM.ToolsRunning {
		v.Tools = "running"
	}
	for _, d := range o.VM.Disks {
		v.Disks = append(v.Disks, protocol.Disk{Label: d.Label, Capacity: d.Capacity, Used: d.Used, Datastore: d.Datastore})
	}
	for _, n := range o.VM.NICs {
		v.Networks = append(v.Networks, n.Network)
	}
	return v
}
