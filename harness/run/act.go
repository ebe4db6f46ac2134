package run

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/journal"
	"github.com/hdm-project/hdm/faults"
	outcomes "github.com/hdm-project/hdm/harness/outcome"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/transport"
	"github.com/hdm-project/hdm/sim/wan"
)

// acting is what the faults have under way.
type acting struct {
	open   int          // faults that have begun and will end by themselves
	acted  map[int]bool // faults that have begun; the others may be armed
	spared map[int]bool // faults that chance left out
	crash  []*armed     // waiting for the appliance to come to a crash point
	calls  []*claimed
	// commands are faults of commands to component VMs.
	commands []*claimedCommand
	// How many faults keep a direction of the WAN, and of the Internet link, down.
	outage, internet map[wan.Direction]int
	// What makes the WAN slow and lossy, by fault, and what it is like without.
	slow  map[int]*faults.WANSlow
	lossy map[int]*faults.WANLossy
	plain map[wan.Direction]wan.Quality
	// reboots are faults that wait for a task at a site: by "<site>/<task>".
	reboots map[string]func(done bool)
	full    int // faults that fill the appliance's disk
}

func newActing() acting {
	return acting{
		acted: map[int]bool{}, spared: map[int]bool{}, outage: map[wan.Direction]int{}, internet: map[wan.Direction]int{},
		slow: map[int]*faults.WANSlow{}, lossy: map[int]*faults.WANLossy{}, reboots: map[string]func(bool){},
	}
}

type armed struct {
	fault   int
	restart *faults.ApplianceRestart
	seen    int
}

// claimed is a fault of calls, counting those that match.
type claimed struct {
	fault int
	calls *faults.Calls
	act   func() transport.Act
	seen  int
}

// lasts lets fault i act for a while; the run is not over before. One that never
// ends lets it be over.
func (st *stage) lasts(i int, span faults.Span, ended func()) {
	st.begin(i)
	d, ends := span.Time()
	if !ends {
		return
	}
	st.acting.open++
	st.kernel.After(d, func() {
		ended()
		st.acting.open--
		st.end(i)
	})
}

// arm makes fault i ready to act, which many do at once.
func (st *stage) arm(i int) {
	f := &st.scenario.Faults[i]
	switch {
	case f.CallError != nil:
		st.claim(i, &f.CallError.Calls, func() transport.Act { return transport.Fail(faults.NewMethodFault(f.CallError.Fault)) })
	case f.CallHang != nil:
		st.claim(i, &f.CallHang.Calls, transport.Hang)
	case f.CallLost != nil:
		st.claim(i, &f.CallLost.Calls, transport.LoseAnswer)
	case f.CallLate != nil:
		st.claim(i, &f.CallLate.Calls, func() transport.Act { return transport.Late(time.Duration(f.CallLate.By)) })
	case st.armQueue(i, f), st.armLink(i, f), st.armPlace(i, f), st.armComponent(i, f), st.armAppliance(i, f):
	default:
		panic("run: no way to act fault " + f.String())
	}
}

// begin notes that fault i acts now.
func (st *stage) begin(i int) {
	if st.acting.acted[i] {
		return
	}
	st.acting.acted[i] = true
	k := st.scenario.Faults[i].Kind()
	st.kernel.Emit(event.FaultBegan, strconv.Itoa(i+1), "kind", k.Name(), "target", k.Target(), "case", outcomes.CaseOf(st.scenario.Faults[i]).String())
}

func (st *stage) end(i int) {
	st.kernel.Emit(event.FaultEnded, strconv.Itoa(i+1), "kind", st.scenario.Faults[i].Kind().Name())
}

// restart cuts the appliance's power now. One that is down already comes up at
// its own time: the fault has nothing to cut.
func (st *stage) restart(i int, r *faults.ApplianceRestart, point string) {
	if st.machine == nil {
		return
	}
	st.lasts(i, r.Lasts(), func() {})
	st.cut(time.Duration(r.Downtime()), point)
}

// journalPoint is called at every point of every write to the journal.
func (st *stage) journalPoint(p journal.Point, batch []journal.Record) {
	switch p {
	case journal.BeforeWrite:
		st.reach(faults.BeforeWrite)
	case journal.Written:
		st.reach(faults.WrittenNotSynced)
	case journal.Synced:
		st.kernel.Emit(event.JournalSync, applianceVM, "records", strconv.Itoa(len(batch)))
		st.reach(faults.SyncedBeforeEffect)
	}
}

// reach cuts the appliance's power if a fault waits for it to get here.
func (st *stage) reach(p faults.CrashPoint) {
	for n, c := range st.acting.crash {
		if c.restart.CrashPoint != p {
			continue
		}
		if c.seen++; c.seen == c.restart.Time() {
			st.acting.crash = append(st.acting.crash[:n:n], st.acting.crash[n+1:]...)
			st.restart(c.fault, c.restart, string(p))
			return
		}
	}
}

func (st *stage) claim(i int, calls *faults.Calls, act func() transport.Act) {
	st.acting.calls = append(st.acting.calls, &claimed{fault: i, calls: calls, act: act})
}

// intercept lets the faults of calls act on a call as it is sent.
func (st *stage) intercept(c transport.Call) transport.Act {
	result := transport.Pass()
	if len(st.acting.calls) == 0 {
		return result
	}
	named := slices.ContainsFunc(st.acting.calls, func(f *claimed) bool {
		return f.calls.Object != "" && f.calls.Match(c.Site, c.Method, f.calls.Object)
	})
	object := ""
	if named { // to find the name takes a look at every VM
		object = st.objectName(c)
	}
	hit := false
	left := st.acting.calls[:0]
	for _, f := range st.acting.calls {
		if !f.calls.Match(c.Site, c.Method, object) {
			left = append(left, f)
			continue
		}
		f.seen++
		if f.calls.Hits(f.seen) && !hit {
			result, hit = f.act(), true
			st.begin(f.fault)
		}
		if f.seen < f.calls.Last() {
			left = append(left, f)
		} else if st.acting.acted[f.fault] {
			st.end(f.fault)
		}
	}
	st.acting.calls = left
	return result
}

// objectName is the name of the VM that a call is about, as faults name it; ""
// if it is about none.
func (st *stage) objectName(c transport.Call) string {
	if name, _, ok := strings.Cut(c.Object, "/"); ok {
		return name
	}
	for _, v := range st.world.At(c.Site).VCenter.VMs() {
		if v.Ref.String() == c.Object {
			return v.Name
		}
	}
	return ""
}
