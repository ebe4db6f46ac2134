package scenario

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hdm-project/hdm/core/protocol"
	"github.com/hdm-project/hdm/faults"
)

// Bus is the message bus of a run: its queues, and a client that listens to
// HDM's responses all along.
type Bus struct {
	// Queues are fifo or standard.
	Queues faults.Bus `yaml:"queues" jsonschema:"enum=fifo,enum=standard"`
	// Absent are the queues that are not there when the run begins.
	Absent []faults.Queue `yaml:"absent,omitempty" jsonschema:"enum=commands,enum=responses"`
}

// Message is a client that puts a message into the command queue, as it stands.
type Message struct {
	// Body of the message. TokenWord in it stands for the message bus token.
	Body string `yaml:"body"`
	// Pad: so many bytes of blanks are added to the body, for one that is too
	// large.
	Pad int `yaml:"pad,omitempty"`
}

// TokenWord stands for the message bus token in the body of a Message: no file
// holds the token itself.
const TokenWord = "$TOKEN"

// Inventory is a client that asks for the VMs on premises.
type Inventory struct {
	Request  string `yaml:"request"`
	PageSize int    `yaml:"page-size,omitempty"` // VMs on a page; 0: as many as fit
}

// BulkDone is a client that says whether the offline bulk transfer of a warm
// migration is complete.
type BulkDone struct {
	Request  string `yaml:"request"`
	Clone    string `yaml:"clone"` // the request of the migration
	Complete bool   `yaml:"complete"`
}

// QueueStep is somebody who makes a queue of the bus.
type QueueStep struct {
	Create faults.Queue `yaml:"create" jsonschema:"enum=commands,enum=responses"`
}

// Views is a user who looks at the In Progress and Summary views (MIG-09), and
// what must be there, each a VM, in the order of the views.
type Views struct {
	InProgress []string `yaml:"in-progress"`
	Summary    []string `yaml:"summary"`
}

// Responded: what a client was told in reply to a request.
type Responded struct {
	Responses string `yaml:"responses"` // to the request of that name
	// Finals is how many final responses there were, those of the same name
	// counted once; left out: one.
	Finals *int `yaml:"finals,omitempty"`
	// State of the migration in the final response.
	State string `yaml:"state,omitempty" jsonschema:"enum=completed,enum=failed,enum=cancelled"`
	// Code and Field of an error in the final response.
	Code  string `yaml:"code,omitempty"`
	Field string `yaml:"field,omitempty"`
	// Status of HDM in it.
	Status string `yaml:"status,omitempty"`
	// Progress: rising says that it was told at several values on its way, steady
	// that it was within one step.
	Progress string `yaml:"progress,omitempty" jsonschema:"enum=rising,enum=steady"`
	// VMs are how many an inventory lists, on Pages pages.
	VMs   *int `yaml:"vms,omitempty"`
	Pages int  `yaml:"pages,omitempty"`
	// Migratable are the VMs of the inventory that can be migrated, and Not those
	// that cannot, with the code of a reason.
	Migratable []string          `yaml:"migratable,omitempty"`
	Not        map[string]string `yaml:"not,omitempty"`
}

// Beats: at least one heartbeat said this.
type Beats struct {
	Heartbeat string `yaml:"heartbeat" jsonschema:"enum=Ready,enum=Not Ready"`
	Details   string `yaml:"details,omitempty"`
}

// Errors: how many error responses of a code there were that name no request.
type Errors struct {
	Errors string `yaml:"errors"` // the code
	Count  int    `yaml:"count"`
}

// DeadLetters: how many messages are in the dead-letter queue at the end.
type DeadLetters struct {
	DeadLetters int `yaml:"dead-letters"`
}

// SetUp: some try to set the message bus up failed for want of this, and whether
// it was set up in the end.
type SetUp struct {
	Needed string `yaml:"bus-needed"` // "the command queue", ...
	SetUp  bool   `yaml:"set-up"`
}

// Subject implements Promise.
func (e *Responded) Subject() string   { return e.Responses }
func (e *Beats) Subject() string       { return "the heartbeat" }
func (e *Errors) Subject() string      { return "the message bus" }
func (e *DeadLetters) Subject() string { return "the dead-letter queue" }
func (e *SetUp) Subject() string       { return "the message bus" }

// by is how Migrate says that an order comes by message.
const byMessage = "message"

// ByMessage says whether the order comes over the message bus.
func (m *Migrate) ByMessage() bool { return m.By == byMessage }

// usesBus is the key of the step's action, if it needs a message bus.
func (s *Step) usesBus() string {
	switch {
	case s.Migrate != nil && s.Migrate.ByMessage():
		return "migrate.by"
	case s.Message != nil:
		return "message"
	case s.Inventory != nil:
		return "inventory"
	case s.BulkDone != nil:
		return "bulk-done"
	case s.Queue != nil:
		return "queue"
	}
	return ""
}

func (c *checker) bus() {
	b := c.s.Bus
	if b == nil {
		return
	}
	if b.Queues != faults.FIFO && b.Queues != faults.Standard {
		c.fail("bus.queues", "use fifo or standard", "there are no queues of kind %q", b.Queues)
	}
	for i, q := range b.Absent {
		c.twoQueues(fmt.Sprintf("bus.absent[%d]", i), q)
	}
}

// twoQueues says that only the two that people make can be absent or made.
func (c *checker) twoQueues(key string, q faults.Queue) {
	if q != faults.Commands && q != faults.Responses {
		c.fail(key, "use commands or responses", "nobody makes a queue %q", q)
	}
}

// messages checks the steps that are about the message bus.
func (c *checker) messages(s Step) {
	if key := s.usesBus(); key != "" && c.s.Bus == nil {
		c.fail(key, "give the scenario a bus:, such as bus: {queues: fifo}", "there is no message bus in this run")
	}
	if m := s.Message; m != nil {
		switch {
		case m.Body == "":
			c.fail("message.body", "give the text of the message", "SQS takes no empty message")
		case m.Pad < 0 || m.Pad > 1<<20:
			c.fail("message.pad", "use 0 to 1048576", "%d is no number of bytes to add", m.Pad)
		}
	}
	if i := s.Inventory; i != nil {
		c.identifier("inventory.request", i.Request)
		if i.PageSize < 0 || i.PageSize > protocol.MaxPageSize {
			c.fail("inventory.page-size", fmt.Sprintf("use 1 to %d, or leave it out", protocol.MaxPageSize), "%d is no size of a page", i.PageSize)
		}
	}
	if b := s.BulkDone; b != nil {
		c.identifier("bulk-done.request", b.Request)
		c.identifier("bulk-done.clone", b.Clone)
	}
	if q := s.Queue; q != nil {
		c.twoQueues("queue.create", q.Create)
	}
}

// identifier says that a request's name is one that the protocol takes.
func (c *checker) identifier(key, name string) {
	r := protocol.BulkDoneRequest{RequestHead: protocol.RequestHead{RequestID: name, Token: protocol.NewSecret("-")}, Clone: name}
	if _, err := protocol.EncodeRequest(&r); err != nil {
		c.fail(key, "use 1 to 80 letters, digits and . _ : / -", "%q names no request", name)
	}
}

// hears says that a promise about the message bus can be kept at all.
func (c *checker) hears() {
	if c.s.Bus == nil {
		c.fail("", "give the scenario a bus:", "there is no message bus in this run")
	}
}

func (e *Responded) check(c *checker) {
	c.hears()
	c.identifier("responses", e.Responses)
	if e.Finals != nil {
		c.notNegative("finals", *e.Finals)
		if *e.Finals == 0 && (e.State != "" || e.Code != "" || e.Field != "" || e.Status != "" || e.VMs != nil) {
			c.fail("finals", "leave the rest out", "what there is none of says nothing")
		}
	}
	if e.State != "" && e.Code == "" && !slices.Contains([]string{"completed", "failed", "cancelled"}, e.State) {
		c.fail("state", "use completed, failed or cancelled", "no migration ends as %q", e.State)
	}
	if e.Pages < 0 {
		c.fail("pages", "use 1 or more", "%d is no number of pages", e.Pages)
	}
}

func (e *Beats) check(c *checker) {
	c.hears()
	if e.Heartbeat != string(protocol.Ready) && e.Heartbeat != string(protocol.NotReady) {
		c.fail("heartbeat", "use Ready or Not Ready", "no heartbeat says %q", e.Heartbeat)
	}
}

func (e *Errors) check(c *checker) {
	c.hears()
	c.notNegative("count", e.Count)
}

func (e *DeadLetters) check(c *checker) {
	c.hears()
	c.notNegative("dead-letters", e.DeadLetters)
}

// needed are what the message bus cannot be set up without.
var needed = []string{"access to the Internet", "the command queue", "the response queue", "the dead-letter queue"}

func (e *SetUp) check(c *checker) {
	c.hears()
	if !slices.Contains(needed, e.Needed) {
		c.fail("bus-needed", "use one of "+strings.Join(needed, ", "), "the message bus does not need %q", e.Needed)
	}
}
