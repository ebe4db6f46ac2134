// Package faults is the vocabulary of what can go wrong in a world: one file
// for each kind of fault, each a record that prints as the YAML which recreates
// it.
//
// It decides what can be said about a fault, and which faults contradict one
// another or can never act (validate.go). It never acts: harness/run carries
// faults out.
//
// Read this file, then trigger.go (when a fault begins), then any one kind.
//
// To add a kind: give it a file with its record, its Name, Target and check;
// add a field to Fault and a line to kinds; harness/run must then act it. The
// tests of this package go over every field of Fault by themselves.
package faults

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Fault is one thing that goes wrong, once: a trigger, and exactly one kind.
type Fault struct {
	Trigger `yaml:",inline"`

	ApplianceRestart *ApplianceRestart `yaml:"appliance-restart,omitempty"`
	WANDown          *WANDown          `yaml:"wan-down,omitempty"`
	CallError        *CallError        `yaml:"call-error,omitempty"`
	CallHang         *CallHang         `yaml:"call-hang,omitempty"`
	CallLost         *CallLost         `yaml:"call-lost,omitempty"`
	CallLate         *CallLate         `yaml:"call-late,omitempty"`

	InternetDown      *InternetDown      `yaml:"internet-down,omitempty"`
	MessageDuplicate  *MessageDuplicate  `yaml:"message-duplicate,omitempty"`
	MessageReorder    *MessageReorder    `yaml:"message-reorder,omitempty"`
	MessageLost       *MessageLost       `yaml:"message-lost,omitempty"`
	MessageLateDelete *MessageLateDelete `yaml:"message-late-delete,omitempty"`
	MessageCorrupt    *MessageCorrupt    `yaml:"message-corrupt,omitempty"`
	QueueUnavailable  *QueueUnavailable  `yaml:"queue-unavailable,omitempty"`
	QueueOverLimit    *QueueOverLimit    `yaml:"queue-over-limit,omitempty"`
}

// Kind is what goes wrong.
type Kind interface {
	// Name is the kind's key in YAML, such as "wan-down".
	Name() string
	// Target says to whom it happens, such as "wan both" or
	// "cloud PowerOnVM_Task".
	Target() string
	check(c *checker)
}

// kinds are the fields of f that hold a kind, in order. A nil pointer in an
// interface is not nil: hence one if for each.
func (f Fault) kinds() (set []Kind) {
	if k := f.ApplianceRestart; k != nil {
		set = append(set, k)
	}
	if k := f.WANDown; k != nil {
		set = append(set, k)
	}
	if k := f.CallError; k != nil {
		set = append(set, k)
	}
	if k := f.CallHang; k != nil {
		set = append(set, k)
	}
	if k := f.CallLost; k != nil {
		set = append(set, k)
	}
	if k := f.CallLate; k != nil {
		set = append(set, k)
	}
	if k := f.InternetDown; k != nil {
		set = append(set, k)
	}
	if k := f.MessageDuplicate; k != nil {
		set = append(set, k)
	}
	if k := f.MessageReorder; k != nil {
		set = append(set, k)
	}
	if k := f.MessageLost; k != nil {
		set = append(set, k)
	}
	if k := f.MessageLateDelete; k != nil {
		set = append(set, k)
	}
	if k := f.MessageCorrupt; k != nil {
		set = append(set, k)
	}
	if k := f.QueueUnavailable; k != nil {
		set = append(set, k)
	}
	if k := f.QueueOverLimit; k != nil {
		set = append(set, k)
	}
	return set
}

// Names are the keys of all kinds, in the order in which Fault has them.
func Names() []string {
	all := Fault{
		ApplianceRestart: &ApplianceRestart{}, WANDown: &WANDown{}, CallError: &CallError{},
		CallHang: &CallHang{}, CallLost: &CallLost{}, CallLate: &CallLate{}, InternetDown: &InternetDown{},
		MessageDuplicate: &MessageDuplicate{}, MessageReorder: &MessageReorder{}, MessageLost: &MessageLost{},
		MessageLateDelete: &MessageLateDelete{}, MessageCorrupt: &MessageCorrupt{},
		QueueUnavailable: &QueueUnavailable{}, QueueOverLimit: &QueueOverLimit{},
	}
	var names []string
	for _, k := range all.kinds() {
		names = append(names, k.Name())
	}
	return names
}

// Kind is what goes wrong; nil unless the fault has exactly one kind, which
// Validate makes sure of.
func (f Fault) Kind() Kind {
	if set := f.kinds(); len(set) == 1 {
		return set[0]
	}
	return nil
}

// String is the fault as one line of YAML, which reads back as the same fault.
func (f Fault) String() string {
	var node yaml.Node
	if err := node.Encode(f); err != nil {
		return fmt.Sprintf("fault that does not print: %v", err) // no field of ours fails to encode
	}
	flow(&node)
	text, err := yaml.Marshal(&node)
	if err != nil {
		return fmt.Sprintf("fault that does not print: %v", err)
	}
	return strings.TrimSpace(string(text))
}

func flow(node *yaml.Node) {
	if node.Kind == yaml.MappingNode || node.Kind == yaml.SequenceNode {
		node.Style = yaml.FlowStyle
	}
	for _, child := range node.Content {
		flow(child)
	}
}
