package run

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// hand is a person's change to a VM, to what a site has beside VMs, or to a queue,
// past HDM.
type hand struct {
	at     time.Duration
	method string
	what   string // a VM's name, a site's, or a queue's
	queue  bool   // it is a queue's
	named  string // of a site: what was changed there
	first  string // of a VM: the name that it had at first
	over   int    // of a VM: how many of its migrations had ended
}

// maxHands bounds how many changes by people are remembered: the last ones.
const maxHands = 10_000

// By notes that somebody else changes a VM with a method of the API of vSphere.
// What follows from that is not HDM's.
func (l *Live) By(method, vm string) {
	l.by(hand{method: method, what: vm, first: cmp.Or(l.first[vm], vm)})
}

// ByAt is By for something of that name that a site has beside VMs.
func (l *Live) ByAt(method string, at vsphere.Site, name string) {
	l.by(hand{method: method, what: string(at), named: name})
}

// ByQueue notes that somebody else takes from HDM's own end of the message bus.
func (l *Live) ByQueue(operation, queue string) {
	l.by(hand{method: operation, what: queue, queue: true})
}

func (l *Live) by(h hand) {
	h.at, h.over = l.st.kernel.Now(), l.turnsOf(h).over
	l.hands = append(l.hands, h)
	if extra := len(l.hands) - maxHands; extra > 0 {
		l.hands = slices.Delete(l.hands, 0, extra)
	}
}

// excuses are the promises that a person can break by a method, past HDM.
var excuses = map[string][]string{
	"PowerOnVM_Task":               {"one-copy", "no-lost-write", "no-lost-vm"},
	"ResetVM_Task":                 {"no-lost-vm"},
	"RebootGuest":                  {"no-lost-vm"},
	"PowerOffVM_Task":              {"no-lost-vm"},
	"SuspendVM_Task":               {"no-lost-vm"},
	"ShutdownGuest":                {"no-lost-vm"},
	"RebootHost_Task":              {"no-lost-vm", "nothing-left-behind"}, // of the VMs on the host
	"DisconnectHost_Task":          {"no-lost-vm", "nothing-left-behind"},
	"Rename_Task":                  {"no-lost-vm", "nothing-left-behind"},
	"MoveIntoResourcePool":         {"no-lost-vm", "nothing-left-behind"},
	"RelocateVM_Task":              {"no-lost-vm", "nothing-left-behind"},
	"MarkAsTemplate":               {"no-lost-vm"},
	"ReconfigVM_Task":              {"no-lost-vm", "nothing-left-behind"},
	"CreateSnapshot_Task":          {"nothing-left-behind"},
	"CreateSnapshotEx_Task":        {"nothing-left-behind"},
	"RemoveSnapshot_Task":          {"nothing-left-behind"},
	"RemoveAllSnapshots_Task":      {"nothing-left-behind"},
	"RevertToSnapshot_Task":        {"no-lost-write", "no-lost-vm"},
	"RevertToCurrentSnapshot_Task": {"no-lost-write", "no-lost-vm"},
	"CreateResourcePool":           {"nothing-left-behind"},
	"Destroy_Task":                 {"no-lost-write", "no-lost-vm", "nothing-left-behind"},
}

// passing are the methods whose effect the next migration of a VM sets right: it
// powers the VM off, and on.
var passing = []string{"PowerOnVM_Task", "ResetVM_Task", "RebootGuest", "PowerOffVM_Task", "SuspendVM_Task", "ShutdownGuest"}

// compared are the clauses that hold what there is against what there was before
// anybody came. What a person made of a VM's name, place, disks and snapshots
// nobody puts back: it breaks them however many migrations follow.
var compared = []string{"REC-10", "COLD-05", "COLD-04"}

// ofQueues is the clause that who takes commands away from HDM breaks: what it
// never saw it cannot answer.
const ofQueues = "SQS-10"

// turns are the migrations of a VM that had their turn.
type turns struct {
	live  string          // id of the one that runs; "": none
	over  int             // how many have ended
	began []time.Duration // when each began
}

// turnsOf are those of the VM that a person changed, under either of its names.
func (l *Live) turnsOf(h hand) turns {
	if t, known := l.turns[h.what]; known {
		return t
	}
	return l.turns[h.first]
}

// hear follows the turns of migrations.
func (l *Live) hear(e *kernel.Event) {
	if e.Kind != event.Migration {
		return
	}
	vm, to := e.Attr("vm"), migration.State(e.Attr("to"))
	t := l.turns[vm]
	switch {
	case t.live == "" && to == migration.Running:
		t.live = e.Subject
		t.began = append(t.began, e.At)
	case t.live == e.Subject && to.Final():
		t.live = ""
		t.over++
	default:
		return
	}
	l.turns[vm] = t
}

// excuse is the person's change that a breach follows from, if one does.
func (l *Live) excuse(v record.Violation) (hand, bool) {
	for _, h := range slices.Backward(l.hands) {
		if h.at <= v.At && l.follows(v, h) {
			return h, true
		}
	}
	return hand{}, false
}

// follows says whether a breach can follow from what a person did before. A change
// to a VM accounts for the migration that was under way, or else for the next one,
// and for nothing that comes after that has begun but what stays as it was made.
func (l *Live) follows(v record.Violation, h hand) bool {
	if h.queue {
		return slices.Contains(v.Clauses, ofQueues)
	}
	parts := strings.Split(v.Subject, "/")
	about := slices.Contains(parts, h.what) || h.first != "" && slices.Contains(parts, h.first)
	if !about || !strings.Contains(v.What, h.named) || !slices.Contains(excuses[h.method], v.Oracle) {
		return false
	}
	stays := !slices.Contains(passing, h.method) && slices.ContainsFunc(v.Clauses, func(c string) bool { return slices.Contains(compared, c) })
	began := 0
	for _, at := range l.turnsOf(h).began {
		if at <= v.At {
			began++
		}
	}
	return stays || began <= h.over+1
}
