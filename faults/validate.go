package faults

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
)

// Context is what faults are judged against: the run that they are to act in.
type Context struct {
	End        Duration                    // virtual time at which the run ends
	Migrations map[string][]migration.Type // the VMs that steps migrate, and how
	Bus        Bus                         // the message bus that there is
	Deploys    bool                        // a step deploys HDM
	// Components are the component VMs that steps deploy, and what runs in each.
	Components map[string][]component.Service
	// Hosts, Datastores and VMs are those of each site, by name; of the VMs, those
	// that HDM makes too.
	Hosts, Datastores, VMs map[vsphere.Site][]string
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
	k, is := f.Kind().(Lasting)
	if !is || k.Lasts() == Ever {
		return
	}
	lasts, from := Duration(k.Lasts()), Duration(0)
	switch {
	case f.At != nil:
		from = *f.At
	case f.When != nil:
		from = f.When.After
	}
	// One whose trigger is wrong, or that lasts no time, is told as that.
	if c.End > 0 && from >= 0 && from < c.End && lasts > 0 && lasts >= c.End-from {
		c.fail(k.Name()+".for", "make it shorter, let it begin earlier, or raise the scenario's limit", "it lasts %v, and is not over before the end of the run at %v", lasts, c.End)
	}
}

// contradiction says why two faults cannot both act as they say; "" if they
// can, or if that depends on the run. For the same kind of thing at the same
// time only one can be meant.
func contradiction(a, b Fault) string {
	k, l := a.Kind(), b.Kind()
	if k == nil || l == nil {
		return ""
	}
	if m, is := k.(Lasting); is && k.Name() == l.Name() && overlap(a.Trigger, m.Lasts(), b.Trigger, l.(Lasting).Lasts()) {
		return m.clash(l)
	}
	if !sameTrigger(a.Trigger, b.Trigger) {
		return ""
	}
	of, claims := claimOf(k)
	with, claimsToo := claimOf(l)
	if claims && claimsToo && of.meets(with) {
		return "both claim the same call"
	}
	return ""
}

// overlap compares spans whose begins can be compared: both at times, or both
// after the same phase.
func overlap(a Trigger, forA Span, b Trigger, forB Span) bool {
	var beginA, beginB Duration
	switch {
	case a.At != nil && b.At != nil:
		beginA, beginB = *a.At, *b.At
	case a.When != nil && b.When != nil && samePhase(a.When, b.When):
		beginA, beginB = a.When.After, b.When.After
	default:
		return false
	}
	over := func(begin Duration, lasts Span, at Duration) bool {
		return lasts != Ever && at-begin >= Duration(lasts)
	}
	return !over(beginB, forB, beginA) && !over(beginA, forA, beginB)
}

func samePhase(a, b *When) bool {
	p, q := *a, *b
	p.After, q.After = 0, 0
	p.Attempt, q.Attempt = p.Nth(), q.Nth()
	p.Occurrence, q.Occurrence = 0, 0
	return p == q
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

// span is positive for how long a fault lasts.
func (c *checker) span(s Span) {
	if s <= 0 {
		c.fail("for", "use a duration above 0, such as 30s, or ever", "%v is no time at all", s)
	}
}

// onCache says that a migration puts a VM on the cloud cache.
func (c *checker) onCache(key, vm string) {
	types := c.Migrations[vm]
	if !slices.Contains(types, migration.TBC) && !slices.Contains(types, migration.Warm) {
		c.fail(key, "name a VM that a step migrates warm or as a try before commit", "no step brings %q onto a cloud cache: it would never act", vm)
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
