package run

import (
	"errors"
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
	open    int           // faults that have begun and will end by themselves
	acted   map[int]bool  // faults that have begun; the others may be armed
	spared  map[int]bool  // faults that chance left out
	refused map[int]error // why the world would not have a fault
	crash   []*armed      // waiting for the appliance to come to a crash point
	// Faults of calls to the vCenters, of commands to component VMs, and of calls to
	// SQS.
	calls    []*claim[callFault]
	commands []*claim[commandFault]
	queues   []*claim[queueFault]
	// How many faults keep something as it is, by what they are and of what.
	held map[string]int
	// How many faults keep a direction of the WAN, and of the Internet link, down.
	outage, internet map[wan.Direction]int
	// What makes the WAN slow and lossy, by fault, and what it is like without.
	slow  map[int]*faults.WANSlow
	lossy map[int]*faults.WANLossy
	plain map[wan.Direction]wan.Quality
	// reboots are faults that wait for a task at a site: by "<site>/<task>".
	reboots map[string]func(done bool)
	full    bool // the appliance's disk
}

func newActing() acting {
	return acting{
		acted: map[int]bool{}, spared: map[int]bool{}, refused: map[int]error{}, held: map[string]int{},
		outage: map[wan.Direction]int{}, internet: map[wan.Direction]int{},
		slow: map[int]*faults.WANSlow{}, lossy: map[int]*faults.WANLossy{}, reboots: map[string]func(bool){},
	}
}

type armed struct {
	fault   int
	restart *faults.ApplianceRestart
	seen    int
}

// claim is a fault that waits for calls of some kind, counting those that it could
// act on.
type claim[K numbered] struct {
	fault int
	of    K
	seen  int
}

type numbered interface{ Numbers() faults.Numbers }

// count counts a call for all faults that could act on it, and lets at most one:
// another whose turn it is has the next call.
func count[K numbered](st *stage, claims *[]*claim[K], could func(K) bool) (acts K, hit bool) {
	left := (*claims)[:0]
	for _, c := range *claims {
		numbers := c.of.Numbers()
		turn := numbers.Hits(c.seen + 1)
		if could(c.of) && !(hit && turn) {
			if c.seen++; turn {
				acts, hit = c.of, true
				st.begin(c.fault)
			}
		}
		if c.seen < numbers.Last {
			left = append(left, c)
		} else {
			st.end(c.fault)
		}
	}
	*claims = left
	return acts, hit
}

// callFault is a fault of calls to the vCenters.
type callFault struct {
	*faults.Calls
	act func() transport.Act
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

// hold keeps something as a fault wants it for as long as any such fault acts: set
// begins and ends it. What the world refuses has not acted.
func (st *stage) hold(i int, k faults.Lasting, set func(on bool) error) {
	what := k.Name() + " " + k.Target()
	if st.acting.held[what] == 0 {
		if err := set(true); err != nil {
			st.refuse(i, err)
			return
		}
	}
	st.acting.held[what]++
	st.lasts(i, k.Lasts(), func() {
		if st.acting.held[what]--; st.acting.held[what] == 0 {
			_ = set(false) // it may be over already
		}
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

// once notes that fault i has acted, if the world let it.
func (st *stage) once(i int, err error) {
	if err != nil {
		st.refuse(i, err)
		return
	}
	st.begin(i)
	st.end(i)
}

// met notes each of the times that an armed fault has something to act on, from 1.
func (st *stage) met(i, hit, times int) {
	st.begin(i)
	if hit == times {
		st.end(i)
	}
}

// refuse notes why the world would not have fault i: it has not acted.
func (st *stage) refuse(i int, why error) {
	if why != nil {
		st.acting.refused[i] = why
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

var errDown = errors.New("the appliance was down")

// restart cuts the appliance's power now. One that is down already comes up at
// its own time: the fault has nothing to cut.
func (st *stage) restart(i int, r *faults.ApplianceRestart, point string) {
	if st.machine == nil {
		st.refuse(i, errDown)
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
	var cut *armed
	for _, c := range st.acting.crash {
		turn := c.seen+1 == c.restart.Time()
		if c.restart.CrashPoint != p || turn && cut != nil {
			continue // another whose turn it is has the next arrival
		}
		if c.seen++; turn {
			cut = c
		}
	}
	if cut != nil {
		st.acting.crash = slices.DeleteFunc(st.acting.crash, func(c *armed) bool { return c == cut })
		st.restart(cut.fault, cut.restart, string(p))
	}
}

func (st *stage) claim(i int, calls *faults.Calls, act func() transport.Act) {
	st.acting.calls = append(st.acting.calls, &claim[callFault]{fault: i, of: callFault{calls, act}})
}

// intercept lets the faults of calls act on a call as it is sent.
func (st *stage) intercept(c transport.Call) transport.Act {
	named := slices.ContainsFunc(st.acting.calls, func(f *claim[callFault]) bool {
		return f.of.Object != "" && f.of.Match(c.Site, c.Method, f.of.Object)
	})
	object := ""
	if named { // to find the name takes a look at every VM
		object = st.objectName(c)
	}
	f, hit := count(st, &st.acting.calls, func(f callFault) bool { return f.Match(c.Site, c.Method, object) })
	if !hit {
		return transport.Pass()
	}
	return f.act()
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
