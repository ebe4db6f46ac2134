package component

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/vsphere"
)

// Limits of what goes over a link.
const (
	HeartbeatEvery = 10 * time.Second
	// MaxMessage bounds an encoded command, completion or heartbeat, in bytes.
	MaxMessage = 256 << 10
	// MaxDisks bounds the disks of a binding: those of four SCSI
	// controllers, and some.
	MaxDisks = 64
	// MaxBindings bounds the bindings of one service, and those of a flush.
	MaxBindings = 64
	maxID       = 256  // bytes of an ID, key, group or name
	maxText     = 4096 // bytes of what went wrong
	maxServices = 32
)

// Verb is what a command asks a service to do.
type Verb string

// The verbs. What a service does not know is refused.
const (
	Open      Verb = "open"      // IO manager: open a home on the source's disks
	Close     Verb = "close"     // IO manager: let go of it
	Bind      Verb = "bind"      // cloud cache: make a cache over a home
	Flush     Verb = "flush"     // cloud cache
	Reconcile Verb = "reconcile" // cloud cache
	Release   Verb = "release"   // cloud cache: refused while something is dirty
	Discard   Verb = "discard"   // cloud cache: whatever is dirty
	Report    Verb = "report"    // both: what is bound
	Ping      Verb = "ping"      // supervisor: which services run
	Start     Verb = "start"     // supervisor: Target anew, whether it runs or not
)

// Command to a service. It may be sent any number of times: what has the same
// Key is the same command, and its completion so far is the answer.
type Command struct {
	Key     string  `json:"key"`
	Service Service `json:"service"`
	// Epoch of the service that is meant. 0: whichever lives. A service refuses a
	// command for one before it, which has forgotten what it did.
	Epoch uint64   `json:"epoch,omitempty"`
	Verb  Verb     `json:"verb"`
	Bind  *Binding `json:"binding,omitempty"` // Open, Bind
	Home  string   `json:"home,omitempty"`    // Bind: the component VM with the home
	// Stream is that of the binding at its home: Open told it, Bind passes it on.
	Stream uint32      `json:"stream,omitempty"`
	IDs    []string    `json:"ids,omitempty"`    // Flush, Reconcile, Release, Discard, Close
	Image  vsphere.Ref `json:"image,omitempty"`  // Reconcile
	Target Service     `json:"target,omitempty"` // Start
}

// State of a command.
type State string

// The states of a command.
const (
	Running State = "running" // ask again
	Done    State = "done"
	Failed  State = "failed"
)

// Completion is what became of a command so far.
type Completion struct {
	Key   string `json:"key"`
	Epoch uint64 `json:"epoch"` // of the service that answers
	State State  `json:"state"`
	Error *Error `json:"error,omitempty"` // if Failed

	Stream   uint32            `json:"stream,omitempty"` // Open
	Bound    *Bound            `json:"bound,omitempty"`
	Flushed  []Flushed         `json:"flushed,omitempty"` // Flush; Close: the last one of each
	Left     int               `json:"left,omitempty"`
	Progress *vsphere.Progress `json:"progress,omitempty"`
	Status   []Status          `json:"status,omitempty"`
	Alive    *Alive            `json:"alive,omitempty"` // Ping, Start
}

// Alive is what a supervisor says of its component VM.
type Alive struct {
	Boot uint64 `json:"boot"`
	// Services are those that run, with their epochs: also one that runs and does
	// nothing, which a supervisor cannot tell.
	Services []Beat `json:"services"`
	Down     []Down `json:"down,omitempty"` // those that do not, and why
}

// Down is a service that does not run.
type Down struct {
	Name Service `json:"name"`
	Why  string  `json:"why"`
}

// Error is why a service failed at a command.
type Error struct {
	Class vsphere.Class `json:"class"`
	What  string        `json:"what"`
	Hint  string        `json:"hint,omitempty"`
}

func (e *Error) Error() string { return e.What }

// Explain is why as a message can carry it.
func Explain(why error) string {
	text := why.Error()
	return strings.ToValidUTF8(text[:min(len(text), maxText)], "")
}

// ErrMessage is wrapped by the errors of Decode and Encode.
var ErrMessage = errors.New("not a message between appliance and components")

// Message is what can be encoded.
type Message interface {
	Command | Completion | Heartbeat
}

// Encode is m as JSON. It returns an error that wraps ErrMessage for what breaks
// a limit.
func Encode[M Message](m M) ([]byte, error) {
	if err := check(m); err != nil {
		return nil, err
	}
	b, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	if len(b) > MaxMessage {
		return nil, fmt.Errorf("%w: %d bytes are more than %d", ErrMessage, len(b), MaxMessage)
	}
	return b, nil
}

// Decode reads what Encode wrote, and nothing else: unknown fields and what
// breaks a limit are refused with an error that wraps ErrMessage.
func Decode[M Message](b []byte) (m M, err error) {
	if len(b) > MaxMessage {
		return m, fmt.Errorf("%w: %d bytes are more than %d", ErrMessage, len(b), MaxMessage)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	if d.More() {
		return m, fmt.Errorf("%w: something follows it", ErrMessage)
	}
	return m, check(m)
}

func check(m any) error {
	switch m := m.(type) {
	case Command:
		return m.check()
	case Completion:
		return m.check()
	case Heartbeat:
		return m.check()
	}
	return nil
}

func breaks(what string, n, most int) error {
	return fmt.Errorf("%w: %s: %d, and %d is the limit", ErrMessage, what, n, most)
}

func (c Command) check() error {
	switch {
	case c.Key == "" || c.Service == "" || c.Verb == "":
		return fmt.Errorf("%w: a command needs a key, a service and a verb", ErrMessage)
	case len(c.Key) > maxID:
		return breaks("bytes of a key", len(c.Key), maxID)
	case len(c.IDs) > MaxBindings:
		return breaks("bindings of a command", len(c.IDs), MaxBindings)
	case c.Verb == Start && c.Target == "":
		return fmt.Errorf("%w: a command to start needs a target", ErrMessage)
	}
	for _, name := range []string{string(c.Service), string(c.Verb), string(c.Target), c.Home, string(c.Image)} {
		if len(name) > maxID {
			return breaks("bytes of a name", len(name), maxID)
		}
	}
	for _, id := range c.IDs {
		if id == "" || len(id) > maxID {
			return breaks("bytes of a binding's ID (at least 1)", len(id), maxID)
		}
	}
	if c.Bind != nil {
		return c.Bind.check()
	}
	return nil
}

func (b Binding) check() error {
	switch {
	case b.ID == "" || len(b.ID) > maxID:
		return breaks("bytes of a binding's ID (at least 1)", len(b.ID), maxID)
	case len(b.Group) > maxID:
		return breaks("bytes of a group", len(b.Group), maxID)
	case len(b.Disks) == 0 || len(b.Disks) > MaxDisks:
		return breaks("disks of a binding (at least 1)", len(b.Disks), MaxDisks)
	case b.Quota <= 0:
		return fmt.Errorf("%w: a quota of %d bytes", ErrMessage, b.Quota)
	}
	for _, d := range b.Disks {
		if d.Capacity <= 0 || d.Capacity%SectorSize != 0 {
			return fmt.Errorf("%w: disk %d has %d bytes: give a positive multiple of %d", ErrMessage, d.Key, d.Capacity, SectorSize)
		}
	}
	return nil
}

// SectorSize is what every disk's capacity is a multiple of, in bytes.
const SectorSize = 512

func (c Completion) check() error {
	switch c.State {
	case Running, Done:
	case Failed:
		if c.Error == nil {
			return fmt.Errorf("%w: it failed, and does not say why", ErrMessage)
		}
	default:
		return fmt.Errorf("%w: state %q", ErrMessage, c.State)
	}
	switch {
	case len(c.Status) > MaxBindings:
		return breaks("bindings of a report", len(c.Status), MaxBindings)
	case len(c.Flushed) > MaxBindings:
		return breaks("flushes of a completion", len(c.Flushed), MaxBindings)
	case c.Alive != nil:
		return c.Alive.check()
	}
	return nil
}

func (a Alive) check() error {
	if err := checkBeats(a.Services); err != nil {
		return err
	}
	if len(a.Down) > maxServices {
		return breaks("services that are down", len(a.Down), maxServices)
	}
	for _, d := range a.Down {
		switch {
		case d.Name == "" || len(d.Name) > maxID:
			return breaks("bytes of a service's name (at least 1)", len(d.Name), maxID)
		case len(d.Why) > maxText:
			return breaks("bytes of why a service is down", len(d.Why), maxText)
		}
	}
	return nil
}

func checkBeats(beats []Beat) error {
	if len(beats) > maxServices {
		return breaks("services of a component VM", len(beats), maxServices)
	}
	for _, b := range beats {
		if b.Name == "" || len(b.Name) > maxID {
			return breaks("bytes of a service's name (at least 1)", len(b.Name), maxID)
		}
	}
	return nil
}

func (h Heartbeat) check() error {
	switch {
	case h.VM == "" || len(h.VM) > maxID:
		return breaks("bytes of a VM's name (at least 1)", len(h.VM), maxID)
	case len(h.FlushWanted) > MaxBindings:
		return breaks("bindings of a heartbeat", len(h.FlushWanted), MaxBindings)
	}
	return checkBeats(h.Services)
}
