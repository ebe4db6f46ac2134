package faults

import (
	"fmt"
	"slices"

	"github.com/hdm-project/hdm/core/component"
)

// ComponentCommands says which commands of the appliance's to a component VM a
// fault acts on: of those that match, counted from when the trigger holds, number
// Nth and the Count-1 after it. A command that another fault acts on already is
// put off to the next.
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

// Numbers are those of the commands that the fault acts on.
func (m *ComponentCommands) Numbers() Numbers { return numbers(m.Nth, m.Count) }

func (m *ComponentCommands) claim() claim {
	return claim{[4]string{"component VM", m.VM, string(m.Verb)}, m.Numbers()}
}

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
	c.numbers(m.Nth, m.Count)
}
