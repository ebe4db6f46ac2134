// Package recording is what a served world leaves behind: everything that people
// and programs did to it from outside, so that it can be run again exactly.
//
// A recording is JSON, a line each: the header, then a step for each thing that
// was done, in order, then the end. Each line is handed to the operating system
// before its step acts, so that what a killed program leaves can be run again as far
// as it goes; a machine that loses its power may lose the last lines. It holds no
// password, no session key and no message bus token.
//
// It decides what is a recording and what is not. It never runs one: that is
// package loopback. Read this file (the lines), then write.go and read.go.
package recording

import (
	"fmt"
	"time"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/vcenter"
)

// Version of the format that this package writes, and the one that it reads.
const Version = 1

// Limits of a recording.
const (
	MaxBytes = 1 << 30   // of all lines together
	MaxLine  = 192 << 20 // bytes; the longest is a disk image in base64
	MaxSteps = 5_000_000
)

// Header is the first line: the world, as it was before anybody came.
type Header struct {
	Version   int    `json:"hdm-recording"`
	Program   string `json:"hdm"` // version of the program that recorded
	Seed      uint64 `json:"seed"`
	Transport string `json:"transport"` // the appliance's way to the vCenters
	Scenario  string `json:"scenario"`  // YAML
}

// Kind of a step.
type Kind string

// The kinds.
const (
	SOAP Kind = "soap" // a call to a vCenter
	HTTP Kind = "http" // a disk image to or from a vCenter
	SQS  Kind = "sqs"  // a call to the message queues
	Gone Kind = "gone" // whoever made a call to the message queues is gone before its answer
	Late Kind = "late" // a call whose turn came when the world was ending: it did nothing
)

// Place is where in the run a line belongs.
type Place struct {
	Events uint64        `json:"events"` // that ran before
	At     time.Duration `json:"at_ns"`  // virtual time
	Hash   Hash          `json:"hash"`   // of all before
}

// Mark is the place as the kernel knows it.
func (p Place) Mark() kernel.Mark {
	return kernel.Mark{Events: p.Events, At: p.At, Hash: uint64(p.Hash)}
}

// PlaceOf is the place of a mark.
func PlaceOf(m kernel.Mark) Place { return Place{m.Events, m.At, Hash(m.Hash)} }

// Hash prints as 16 hexadecimal digits.
type Hash uint64

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%016x", uint64(h)), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hash) UnmarshalText(text []byte) error {
	var n uint64
	if _, err := fmt.Sscanf(string(text), "%016x", &n); err != nil || len(text) != 16 {
		return fmt.Errorf("%q is no hash: it has 16 hexadecimal digits", text)
	}
	*h = Hash(n)
	return nil
}

// Step is something that was done from outside.
type Step struct {
	Place
	Kind  Kind                 `json:"kind"`
	Site  vsphere.Site         `json:"site,omitempty"`  // of SOAP and HTTP
	Call  *vcenter.ForeignCall `json:"call,omitempty"`  // of SOAP and HTTP
	Queue *QueueCall           `json:"queue,omitempty"` // of SQS
	Of    int                  `json:"of,omitempty"`    // of Gone: the number of the call
}

// QueueCall is a call to the message queues, as HTTP carried it.
type QueueCall struct {
	Number int               `json:"number"` // of the calls, from 1
	Method string            `json:"method"`
	Path   string            `json:"path"`
	Query  string            `json:"query,omitempty"`
	Host   string            `json:"host,omitempty"`
	Header map[string]string `json:"header,omitempty"`
	Body   string            `json:"body,omitempty"`
}

// End is the last line.
type End struct {
	Ended bool `json:"end"`
	Place
}

// check says what is wrong with a step, as far as the step itself tells.
func (s *Step) check() error {
	vcenters := s.Site == vsphere.OnPremises || s.Site == vsphere.Cloud
	switch s.Kind {
	case SOAP, HTTP:
		if s.Call == nil || !vcenters || s.Queue != nil || s.Of != 0 {
			return fmt.Errorf("a step of kind %q has a site and a call, and nothing else", s.Kind)
		}
		if (s.Kind == SOAP) != (s.Call.Object != "") {
			return fmt.Errorf("a call has an object if the step is of kind %q, and only then", SOAP)
		}
	case SQS:
		if s.Queue == nil || s.Queue.Number < 1 || s.Call != nil || s.Site != "" || s.Of != 0 {
			return fmt.Errorf("a step of kind %q has a queue call with a number, and nothing else", s.Kind)
		}
	case Late:
	case Gone:
		if s.Of < 1 || s.Queue != nil || s.Call != nil || s.Site != "" {
			return fmt.Errorf("a step of kind %q has the number of a call, and nothing else", s.Kind)
		}
	default:
		return fmt.Errorf("there is no kind of step %.40q: there are %q, %q, %q, %q and %q", s.Kind, SOAP, HTTP, SQS, Gone, Late)
	}
	if s.At < 0 {
		return fmt.Errorf("a step cannot be at %v: virtual time begins at 0", s.At)
	}
	return nil
}
