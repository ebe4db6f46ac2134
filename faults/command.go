package faults

import (
	"fmt"
	"slices"

	"github.com/hdm-project/hdm/core/component"
)

// ComponentCommands says which commands of the appliance's to a component VM a fault acts
// on: of those that match, counted from when the trigger holds, number Nth and
// the Count-1 after it.
type ComponentCommands struct {
	VM    string         `yaml:"vm"`
	Verb  component.Verb `yaml:"verb,omitempty" jsonschema:"enum=open,enum=close,enum=bind,enum=flush,enum=reconcile,enum=release,enum=discard,enum=report,enum=ping,enum=start"` // "": any
	Nth   int            `yaml:"nth,omitempty" nonzero:"count from 1"`                                                                                                            // from 1; 0 means 1
	Count int            `yaml:"count,omitempty" nonzero:"default"`                                                                                                               // in a row; 0 means 1
}

// verbs are all that a ComponentCommands can name.
var verbs = []component.Verb{
	component.Open, component.Close, component.Bind, component.Flush, component.Reconcile, component.Release,
	component.Discard, component.Report, component.Ping, component.Start,
}

// Match says whether a command is one of those that are counted.
func (m *ComponentCommands) Match(vm string, verb component.Verb) bool {
	return m.VM == vm && (m.Verb == "" || m.Verb == verb)
}

// Hits says whether the fault acts on matching command number n, from 1.
func (m *ComponentCommands) Hits(n int) bool { return n >= m.first() && n <= m.Last() }

// Last is the number of the last matching command that the fault acts on.
func (m *ComponentCommands) Last() int { return m.first() + max(m.Count, 1) - 1 }

func (m *ComponentCommands) first() int { return max(m.Nth, 1) }

// Target implements Kind for all faults of commands.
func (m *ComponentCommands) Target() string {
	if m.Verb == "" {
		return "commands to " + m.VM
	}
	return fmt.Sprintf("commands to %s to %s", m.VM, m.Verb)
}

func (m *ComponentCommands) check(c *checker) {
	c.component(m.VM)
	if m.Verb != "" && !slices.Contains(verbs, m.Verb) {
		c.fail("verb", "use one of "+list(verbs), "no command says %q: it would never act", m.Verb)
	}
	if m.Nth < 0 || m.Nth > MaxNth {
		c.fail("nth", fmt.Sprintf("use 1 to %d", MaxNth), "%d is no number of a command", m.Nth)
	}
	if m.Count < 0 || m.Count > MaxCount {
		c.fail("count", fmt.Sprintf("use 1 to %d", MaxCount), "%d is no number of commands", m.Count)
	}
}

// meets says whether two faults claim a command in common.
func (m *ComponentCommands) meets(o *ComponentCommands) bool {
	return m.VM == o.VM && (m.Verb == "" || o.Verb == "" || m.Verb == o.Verb) && m.first() <= o.Last() && o.first() <= m.Last()
}

// ofCommands are the commands that the fault acts on, or nil if it is of another
// kind.
func (f Fault) ofCommands() *ComponentCommands {
	switch {
	case f.CommandLost != nil:
		return &f.CommandLost.ComponentCommands
	case f.CommandHang != nil:
		return &f.CommandHang.ComponentCommands
	}
	return nil
}
