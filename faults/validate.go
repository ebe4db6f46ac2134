package faults

import (
	"fmt"
	"strings"

	"github.com/hdm-project/hdm/core/migration"
)

// Context is what faults are judged against: the run that they are to act in.
type Context struct {
	End        Duration                    // virtual time at which the run ends
	Migrations map[string][]migration.Type // the VMs that steps migrate, and how
	Bus        Bus                         // the message bus that there is
	Deploys    bool                        // a step deploys HDM
}

// Bus is the kind of a run's message queues; "" if it has none.
type Bus string

// The kinds of queues.
const (
	FIFO     Bus = "fifo"
	Standard Bus = "standard"
)

// Problem is something wrong with a fault or a trigger.
type Problem struct {
	Path string // where, below what was checked: "[1].wan-down.for"
	What string // is wrong
	Fix  string // what to do about it
}

func (p *Problem) Error() string { return p.Path + ": " + p.What + "; " + p.Fix }

// MaxFaults bounds the faults of a run.
const MaxFaults = 256

// Validate says everything that is wrong with the faults of a run: values that
// make no sense, faults that can never act, faults that contradict one another.
func Validate(all []Fault, in Context) []Problem {
	c := &checker{Context: in}
	if len(all) > MaxFaults {
		c.fail("", fmt.Sprintf("keep at most %d", MaxFaults), "there are %d faults", len(all))
		return c.problems
	}
	for i, f := range all {
		f.check(c.below(fmt.Sprintf("[%d]", i)))
	}
	for i := range all {
		for j := range i {
			if what := contradiction(all[j], all[i]); what != "" {
				c.fail(fmt.Sprintf("[%d]", i), "move one of them, or drop it", "it contradicts fault %d, %s: %s", j+1, all[j], what)
				break // the others are echoes
			}
		}
	}
	return c.problems
}

func (f Fault) check(c *checker) {
	defer c.up()
	f.Trigger.check(c)
	switch set := f.kinds(); len(set) {
	case 0:
		c.fail("", "add one of "+list(Names()), "it has a trigger and no kind")
	case 1:
		set[0].check(c.below(set[0].Name()))
		c.up()
		f.ends(c)
	default:
		c.fail("", "write one fault for each, with the same trigger", "it has %d kinds, %s and %s", len(set), set[0].Name(), set[1].Name())
	}
}

// ends says whether the run still sees the end of a fault that lasts.
func (f Fault) ends(c *checker) {
	key, lasts := "", Duration(0)
	switch {
	case f.ApplianceRestart != nil:
		key, lasts = "appliance-restart.for", f.ApplianceRestart.Downtime()
	case f.WANDown != nil:
		key, lasts = "wan-down.for", f.WANDown.For
	case f.InternetDown != nil:
		key, lasts = "internet-down.for", f.InternetDown.For
	default:
		return
	}
	from := Duration(0)
	switch {
	case f.At != nil:
		from = *f.At
	case f.When != nil:
		from = f.When.After
	}
	// One whose trigger is wrong, or that lasts no time, is told as that.
	if c.End > 0 && from >= 0 && from < c.End && lasts > 0 && lasts >= c.End-from {
		c.fail(key, "make it shorter, let it begin earlier, or raise the scenario's limit", "it lasts %v, and is not over before the end of the run at %v", lasts, c.End)
	}
}

// contradiction says why two faults cannot both act as they say; "" if they
// can, or if that depends on the run. For the same kind of thing at the same
// time only one can be meant.
func contradiction(a, b Fault) string {
	switch {
	case a.ApplianceRestart != nil && b.ApplianceRestart != nil:
		// Where a crash point decides the moment, the order is the run's.
		if a.ApplianceRestart.CrashPoint == "" && b.ApplianceRestart.CrashPoint == "" &&
			overlap(a.Trigger, a.ApplianceRestart.Downtime(), b.Trigger, b.ApplianceRestart.Downtime()) {
			return "the appliance would restart while it is down"
		}
	case a.WANDown != nil && b.WANDown != nil:
		if a.WANDown.Directions().meets(b.WANDown.Directions()) && overlap(a.Trigger, a.WANDown.For, b.Trigger, b.WANDown.For) {
			return "the WAN would go down while it is down"
		}
	case a.InternetDown != nil && b.InternetDown != nil:
		if a.InternetDown.Directions().meets(b.InternetDown.Directions()) && overlap(a.Trigger, a.InternetDown.For, b.Trigger, b.InternetDown.For) {
			return "the Internet link would go down while it is down"
		}
	case a.ofQueue() != nil && b.ofQueue() != nil:
		if sameTrigger(a.Trigger, b.Trigger) && meets(a.ofQueue(), b.ofQueue()) {
			return "both claim the same call"
		}
	case a.calls() != nil && b.calls() != nil:
		if sameTrigger(a.Trigger, b.Trigger) && a.calls().meets(b.calls()) {
			return "both claim the same call"
		}
	}
	return ""
}

// overlap compares spans whose begins can be compared: both at times, or both
// after the same phase.
func overlap(a Trigger, forA Duration, b Trigger, forB Duration) bool {
	var beginA, beginB Duration
	switch {
	case a.At != nil && b.At != nil:
		beginA, beginB = *a.At, *b.At
	case a.When != nil && b.When != nil && samePhase(a.When, b.When):
		beginA, beginB = a.When.After, b.When.After
	default:
		return false
	}
	return beginA < beginB+forB && beginB < beginA+forA
}

func samePhase(a, b *When) bool {
	return a.VM == b.VM && a.Type == b.Type && a.Enters == b.Enters && a.Deployment == b.Deployment && a.Nth() == b.Nth()
}

func sameTrigger(a, b Trigger) bool {
	switch {
	case a.At != nil && b.At != nil:
		return *a.At == *b.At
	case a.When != nil && b.When != nil:
		return samePhase(a.When, b.When) && a.When.After == b.When.After
	}
	return false
}

// checker collects problems. It knows where it is.
type checker struct {
	Context
	path     []string
	problems []Problem
}

// below goes into a part; up leaves it.
func (c *checker) below(part string) *checker {
	c.path = append(c.path, part)
	return c
}

func (c *checker) up() { c.path = c.path[:len(c.path)-1] }

func (c *checker) fail(key, fix, what string, args ...any) {
	path := strings.Join(c.path, ".")
	if key != "" {
		path = strings.TrimPrefix(path+"."+key, ".")
	}
	c.problems = append(c.problems, Problem{Path: path, What: fmt.Sprintf(what, args...), Fix: fix})
}

func (c *checker) positive(key string, d Duration) {
	if d <= 0 {
		c.fail(key, "use a duration above 0, such as 30s", "%v is no time at all", d)
	}
}

// hasBus says that a fault of the message bus needs one.
func (c *checker) hasBus() {
	if c.Bus == "" {
		c.fail("", "give the scenario a bus:", "there is no message bus in this run: it would never act")
	}
}

// standard says that only standard queues do what the fault is about.
func (c *checker) standard() {
	if c.Bus == FIFO {
		c.fail("", "use standard queues, or message-lost: then a FIFO queue delivers again, too", "FIFO queues deliver no message twice by themselves: it would never act")
	}
}

func (c *checker) atLeast(key string, d, least Duration) {
	if d < least {
		c.fail(key, fmt.Sprintf("use %v or more", least), "%v is too short", d)
	}
}

// list joins words for a message.
func list[T ~string](words []T) string {
	s := make([]string, len(words))
	for i, w := range words {
		s[i] = string(w)
	}
	return strings.Join(s, ", ")
}
