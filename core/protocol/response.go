package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Response is what HDM says: *Heartbeat, *InventoryResponse, *CloneResponse,
// *BulkDoneResponse or *ErrorResponse.
type Response interface {
	// Head is what every response has.
	Head() *ResponseHead
}

// ResponseHead is what every response has.
type ResponseHead struct {
	V    int  `json:"v" jsonschema:"enum=1"`
	Type Type `json:"type"`
	// ResponseID is the response's own name: a queue may deliver it twice.
	ResponseID string `json:"response_id"`
	// RequestID is that of the request which it answers; a heartbeat answers none.
	RequestID string `json:"request_id,omitempty"`
	// ApplianceID names the appliance that speaks.
	ApplianceID string    `json:"appliance_id"`
	Sent        time.Time `json:"sent"` // on the appliance's clock
}

// Head implements Response.
func (h *ResponseHead) Head() *ResponseHead { return h }

// Status of HDM as a whole, in the guide's words.
type Status string

// The statuses.
const (
	Ready    Status = "Ready"
	NotReady Status = "Not Ready"
)

// Heartbeat tells how HDM is (SQS-02). While it says anything but Ready, every
// request is refused (SQS-08).
type Heartbeat struct {
	ResponseHead
	Status  Status `json:"status" jsonschema:"enum=Ready,enum=Not Ready"`
	Details string `json:"status_details" jsonschema_description:"in the guide's words"`
	// Every is how many seconds later the next one is due.
	Every int `json:"interval_seconds"`
}

// InventoryResponse is one page of the VMs on premises, HDM's own left out
// (SQS-03, A-22). The pages of one reading have the same Reading.
type InventoryResponse struct {
	ResponseHead
	Reading string `json:"reading"`
	Page    int    `json:"page" jsonschema:"minimum=1"`
	Pages   int    `json:"pages" jsonschema:"minimum=1"`
	Total   int    `json:"total" jsonschema_description:"VMs on all pages"`
	VMs     []VM   `json:"vms"`
}

// VM is a virtual machine of the inventory.
type VM struct {
	Name       string    `json:"name"`
	UUID       string    `json:"uuid"` // BIOS UUID
	Power      string    `json:"power"`
	Guest      string    `json:"guest"` // vSphere guest identifier
	Firmware   string    `json:"firmware,omitempty"`
	CPUs       int32     `json:"cpus"`
	MemoryMB   int32     `json:"memory_mb"`
	Tools      string    `json:"tools"` // running or not running
	Disks      []Disk    `json:"disks"`
	Networks   []string  `json:"networks"` // of each adapter
	Migratable bool      `json:"migratable"`
	Reasons    []Problem `json:"reasons,omitempty"` // why not
}

// Disk is a virtual disk of the inventory.
type Disk struct {
	Label     string `json:"label"`
	Capacity  int64  `json:"capacity_bytes"`
	Used      int64  `json:"used_bytes,omitempty"`
	Datastore string `json:"datastore"`
}

// CloneResponse tells how a migration goes, until it has ended (SQS-06).
type CloneResponse struct {
	ResponseHead
	Migration string `json:"migration"`
	VM        string `json:"vm"`
	Mode      Mode   `json:"mode"`
	// State in an operator's words; the reports of one migration never tell of a
	// retry as a failure (SQS-09).
	State   string `json:"state" jsonschema:"enum=checking,enum=queued,enum=running,enum=undoing,enum=completed,enum=failed,enum=cancelled"`
	Step    string `json:"step,omitempty"`
	Shows   string `json:"shows,omitempty" jsonschema_description:"what it is doing, for people"`
	Percent int32  `json:"percent" jsonschema:"minimum=0,maximum=100"`
	Bytes   int64  `json:"bytes_transferred,omitempty"`
	// Final: no other response to this request follows.
	Final   bool      `json:"final"`
	Repeat  bool      `json:"repeat,omitempty" jsonschema_description:"the request came again, and this was told before"`
	Reasons []Problem `json:"reasons,omitempty"` // why it failed or was cancelled
	Left    []string  `json:"left,omitempty" jsonschema_description:"what could not be put back"`
}

// BulkDoneResponse says that HDM knows whether the offline bulk transfer is
// complete (SQS-05).
type BulkDoneResponse struct {
	ResponseHead
	Clone    string `json:"clone_request_id"`
	Complete bool   `json:"complete"`
	Final    bool   `json:"final"`
}

// ErrorResponse refuses a request, or tells that a message could not be read.
type ErrorResponse struct {
	ResponseHead
	// MessageID is SQS's name for the message that was refused: the way to find
	// one that has no request_id.
	MessageID string `json:"message_id,omitempty"`
	// Status and Details are those of the heartbeat, where the refusal is for them
	// (SQS-08).
	Status  Status    `json:"status,omitempty"`
	Details string    `json:"status_details,omitempty"`
	Errors  []Problem `json:"errors" jsonschema:"minItems=1"`
	// Final is false where the request_id is that of another request, which goes on.
	Final  bool `json:"final"`
	Repeat bool `json:"repeat,omitempty" jsonschema_description:"the request came again, and this was told before"`
}

// Problem is one thing that is wrong, and what to do about it.
type Problem struct {
	Code  string `json:"code"`
	Field string `json:"field,omitempty"` // of the request
	What  string `json:"what"`
	Fix   string `json:"fix,omitempty"`
}

// String is the problem in one line, for people.
func (p Problem) String() string {
	text := p.What
	if p.Field != "" {
		text = p.Field + ": " + text
	}
	if p.Fix != "" {
		text += " (" + p.Fix + ")"
	}
	return text
}

// Final reports whether no other response to the same request follows.
func Final(r Response) bool {
	switch r := r.(type) {
	case *CloneResponse:
		return r.Final
	case *BulkDoneResponse:
		return r.Final
	case *ErrorResponse:
		return r.Final
	case *InventoryResponse:
		return r.Page == r.Pages
	}
	return false
}

// Repeats reports whether a response only tells again what was told before.
func Repeats(r Response) bool {
	switch r := r.(type) {
	case *CloneResponse:
		return r.Repeat
	case *ErrorResponse:
		return r.Repeat
	}
	return false
}

// TypeOf is the type of a response's message.
func TypeOf(r Response) Type {
	switch r.(type) {
	case *Heartbeat:
		return TypeHeartbeat
	case *InventoryResponse:
		return TypeInventoryResponse
	case *CloneResponse:
		return TypeCloneResponse
	case *BulkDoneResponse:
		return TypeBulkDoneResponse
	case *ErrorResponse:
		return TypeErrorResponse
	}
	panic(fmt.Sprintf("protocol: %T is no response", r))
}

// TooLargeError is a response that fits into no message.
type TooLargeError struct {
	Type  Type
	Bytes int
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("a %s of %d bytes fits into no message of at most %d: say less in it", e.Type, e.Bytes, MaxMessage)
}

// EncodeResponse is the message of a response; its V and Type are filled in.
// Errors: *TooLargeError.
func EncodeResponse(r Response) ([]byte, error) {
	h := r.Head()
	h.V, h.Type = Version, TypeOf(r)
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("protocol: encoding a %s: %w", h.Type, err)
	}
	body = escape(body)
	if len(body) > MaxMessage {
		return nil, &TooLargeError{h.Type, len(body)}
	}
	return body, nil
}

// escape writes the two characters that JSON may hold and SQS refuses, which
// takes those of XML 1.0, in a way that both take. A VM's name could have them.
func escape(body []byte) []byte {
	body = bytes.ReplaceAll(body, []byte("\uFFFE"), []byte(`\ufffe`))
	return bytes.ReplaceAll(body, []byte("\uFFFF"), []byte(`\uffff`))
}
