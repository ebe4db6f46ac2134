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
// To add a kind: give it a file with its record, its Name, Target and check (and
// Lasts, if it ends by itself), and Fault a field for it; harness/run must then
// act it. Everything else, the schema and the tests too, goes over the fields of
// Fault.
package faults

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Fault is one thing that goes wrong, once: a trigger, and exactly one kind.
// Every field after the trigger is a kind: to be in here is what makes it one.
type Fault struct {
	Trigger `yaml:",inline"`

	ApplianceRestart *ApplianceRestart `yaml:"appliance-restart,omitempty"`
	JournalFull      *JournalFull      `yaml:"journal-full,omitempty"`
	JournalLost      *JournalLost      `yaml:"journal-lost,omitempty"`
	ClockStep        *ClockStep        `yaml:"clock-step,omitempty"`

	WANDown     *WANDown     `yaml:"wan-down,omitempty"`
	WANSlow     *WANSlow     `yaml:"wan-slow,omitempty"`
	WANLossy    *WANLossy    `yaml:"wan-lossy,omitempty"`
	WANFlapping *WANFlapping `yaml:"wan-flapping,omitempty"`

	CallError      *CallError      `yaml:"call-error,omitempty"`
	CallHang       *CallHang       `yaml:"call-hang,omitempty"`
	CallLost       *CallLost       `yaml:"call-lost,omitempty"`
	CallLate       *CallLate       `yaml:"call-late,omitempty"`
	VCenterRestart *VCenterRestart `yaml:"vcenter-restart,omitempty"`
	SessionExpiry  *SessionExpiry  `yaml:"session-expiry,omitempty"`

	InternetDown      *InternetDown      `yaml:"internet-down,omitempty"`
	MessageDuplicate  *MessageDuplicate  `yaml:"message-duplicate,omitempty"`
	MessageReorder    *MessageReorder    `yaml:"message-reorder,omitempty"`
	MessageLost       *MessageLost       `yaml:"message-lost,omitempty"`
	MessageDelay      *MessageDelay      `yaml:"message-delay,omitempty"`
	MessageLateDelete *MessageLateDelete `yaml:"message-late-delete,omitempty"`
	MessageCorrupt    *MessageCorrupt    `yaml:"message-corrupt,omitempty"`
	QueueUnavailable  *QueueUnavailable  `yaml:"queue-unavailable,omitempty"`
	QueueOverLimit    *QueueOverLimit    `yaml:"queue-over-limit,omitempty"`

	ComponentCrash    *ComponentCrash    `yaml:"component-crash,omitempty"`
	ComponentHang     *ComponentHang     `yaml:"component-hang,omitempty"`
	ComponentRestart  *ComponentRestart  `yaml:"component-restart,omitempty"`
	ComponentKill     *ComponentKill     `yaml:"component-kill,omitempty"`
	ComponentVMReboot *ComponentVMReboot `yaml:"component-vm-reboot,omitempty"`
	CommandLost       *CommandLost       `yaml:"command-lost,omitempty"`
	CommandHang       *CommandHang       `yaml:"command-hang,omitempty"`
	DeviceError       *DeviceError       `yaml:"device-error,omitempty"`
	FlushTorn         *FlushTorn         `yaml:"flush-torn,omitempty"`
	FlushFails        *FlushFails        `yaml:"flush-fails,omitempty"`

	HostRestart     *HostRestart     `yaml:"host-restart,omitempty"`
	HostDisconnect  *HostDisconnect  `yaml:"host-disconnect,omitempty"`
	IOFilterRestart *IOFilterRestart `yaml:"iofilter-restart,omitempty"`
	DatastoreFull   *DatastoreFull   `yaml:"datastore-full,omitempty"`
	DatastoreError  *DatastoreError  `yaml:"datastore-error,omitempty"`
	StorageCorrupt  *StorageCorrupt  `yaml:"storage-corrupt,omitempty"`

	GuestLate  *GuestLate  `yaml:"guest-late,omitempty"`
	GuestNever *GuestNever `yaml:"guest-never,omitempty"`
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

// kindFields are the indexes of the fields of Fault that hold a kind.
var kindFields = func() (fields []int) {
	t := reflect.TypeFor[Fault]()
	for i := range t.NumField() {
		if t.Field(i).Type.Implements(reflect.TypeFor[Kind]()) {
			fields = append(fields, i)
		}
	}
	return fields
}()

// kinds are those that f has, in the order of its fields.
func (f Fault) kinds() (set []Kind) {
	v := reflect.ValueOf(f)
	for _, i := range kindFields {
		if field := v.Field(i); !field.IsNil() {
			set = append(set, field.Interface().(Kind))
		}
	}
	return set
}

// Of is the fault of that kind.
func Of(t Trigger, k Kind) Fault {
	f := Fault{Trigger: t}
	v := reflect.ValueOf(&f).Elem()
	for _, i := range kindFields {
		if field := v.Field(i); field.Type() == reflect.TypeOf(k) {
			field.Set(reflect.ValueOf(k))
			return f
		}
	}
	panic(fmt.Sprintf("faults: no field of Fault holds a %T", k))
}

// Names are the keys of all kinds, in the order in which Fault has them.
func Names() []string {
	t := reflect.TypeFor[Fault]()
	var names []string
	for _, i := range kindFields {
		names = append(names, reflect.New(t.Field(i).Type.Elem()).Interface().(Kind).Name())
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
