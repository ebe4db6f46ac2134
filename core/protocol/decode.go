package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// The codes of refusals by this package. Scripts match them.
const (
	CodeUnreadable  = "unreadable"   // it is no message at all
	CodeTooLarge    = "too-large"    // for a message
	CodeVersion     = "version"      // of another protocol
	CodeUnknownType = "unknown-type" // no request
	CodeNotOffered  = "not-offered"  // by this interface (SQS-07)
	CodeMissing     = "missing-field"
	CodeInvalid     = "invalid-field"
)

// Refusal says why a message is no request that can be carried out, with all
// that is wrong with it.
type Refusal struct {
	// RequestID is the request's, if it could be made out: whom to answer.
	RequestID string
	// Token is what the message gave for one. Whoever answers checks it first: to
	// a client without the token only the token is wrong.
	Token Secret
	// Unreadable: it is not even clear what kind of message it is.
	Unreadable bool
	Problems   []Problem
}

func (r *Refusal) Error() string {
	var all []string
	for _, p := range r.Problems {
		all = append(all, p.String())
	}
	return strings.Join(all, "; ")
}

// DecodeRequest reads a message of a client. The token is read, not checked.
// Fields that it does not know it ignores. Errors: *Refusal.
func DecodeRequest(body []byte) (Request, error) {
	d := &decoder{}
	d.open(body)
	if len(d.r.Problems) > 0 {
		return nil, &d.r
	}
	r := d.request()
	if len(d.r.Problems) > 0 {
		d.r.Problems = d.r.Problems[:min(len(d.r.Problems), MaxErrors)]
		return nil, &d.r
	}
	return r, nil
}

// decoder reads the fields of one message and collects what is wrong.
type decoder struct {
	fields map[string]json.RawMessage
	r      Refusal
	head   RequestHead
	kind   Type
}

func (d *decoder) refuse(code, field, fix, what string, args ...any) {
	d.r.Problems = append(d.r.Problems, Problem{Code: code, Field: field, What: fmt.Sprintf(what, args...), Fix: fix})
}

const fixForm = "send a JSON object as the schema describes it"

// open finds out whether the message is a request, whose, and with which token.
func (d *decoder) open(body []byte) {
	d.r.Unreadable = true
	switch {
	case len(body) > MaxMessage:
		d.refuse(CodeTooLarge, "", "say less in one message", "the message has %d bytes, more than %d", len(body), MaxMessage)
		return
	case !utf8.Valid(body):
		d.refuse(CodeUnreadable, "", fixForm, "the message is no UTF-8 text")
		return
	}
	in := json.NewDecoder(bytes.NewReader(body))
	if err := in.Decode(&d.fields); err != nil || d.fields == nil {
		d.refuse(CodeUnreadable, "", fixForm, "the message is no JSON object%s", reason(err))
		return
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		d.refuse(CodeUnreadable, "", "send each object in a message of its own", "something follows on the JSON object")
		return
	}
	// What can be made out of these is kept, so that the sender can be answered.
	var token string
	if json.Unmarshal(d.fields["token"], &token) == nil {
		d.r.Token = NewSecret(token)
	}
	d.head.Token = d.r.Token
	var id string
	if json.Unmarshal(d.fields["request_id"], &id) == nil && identifier(id) {
		d.head.RequestID, d.r.RequestID = id, id
	}
	var version float64 // 1.0 is the same number in JSON
	if err := json.Unmarshal(d.fields["v"], &version); err != nil || version != Version {
		d.refuse(CodeVersion, "v", "send version 1", "the message is of no version that is known here")
		return
	}
	if json.Unmarshal(d.fields["type"], &d.kind) != nil {
		d.refuse(CodeUnknownType, "type", "send one of "+requestTypes, "the message has no type")
		return
	}
	d.r.Unreadable = false
}

// reason is what a decoder of JSON says, without anything of the message in it:
// that may hold a secret.
func reason(err error) string {
	if syntax := new(json.SyntaxError); errors.As(err, &syntax) {
		return fmt.Sprintf(": the text breaks off or is wrong at byte %d", syntax.Offset)
	}
	return ""
}

var requestTypes = strings.Join([]string{string(TypeInventoryRequest), string(TypeCloneRequest), string(TypeBulkDoneRequest)}, ", ")

func (d *decoder) request() Request {
	var r Request
	switch d.kind {
	case TypeInventoryRequest:
		r = d.inventory()
	case TypeCloneRequest:
		r = d.clone()
	case TypeBulkDoneRequest:
		r = d.bulkDone()
	default:
		if what, known := notOffered[d.kind]; known {
			d.refuse(CodeNotOffered, "type", "use vCenter for it", "%s is not offered over the message bus, which is for ARM migrations", what)
			break
		}
		d.r.Unreadable = true
		d.refuse(CodeUnknownType, "type", "send one of "+requestTypes, "there is no request of type %s", d.quote(string(d.kind)))
	}
	if d.r.RequestID == "" {
		d.id("request_id", true)
	}
	return r
}

func (d *decoder) inventory() *InventoryRequest {
	r := &InventoryRequest{RequestHead: d.head}
	var size float64 // 10.0 is the same number in JSON
	if read(d, "page_size", &size, "a whole number", false) && (size < 1 || size > MaxPageSize || size != math.Trunc(size)) {
		d.refuse(CodeInvalid, "page_size", fmt.Sprintf("give a whole number from 1 to %d, or leave it out", MaxPageSize), "%g is no size of a page", size)
		return r
	}
	r.PageSize = int(size)
	return r
}

func (d *decoder) clone() *CloneRequest {
	r := &CloneRequest{RequestHead: d.head}
	var useCase string
	if read(d, "use_case", &useCase, "ARM", false) && useCase != "ARM" {
		d.refuse(CodeNotOffered, "use_case", "use ARM, or vCenter for the others", "the use case %s is not offered over the message bus", d.quote(useCase))
	}
	r.VM = d.text("", "vm", true)
	d.mode(r)
	d.target(&r.Target)
	return r
}

func (d *decoder) mode(r *CloneRequest) {
	if !read(d, "mode", &r.Mode, "cold or warm", true) {
		return
	}
	read(d, "bulk_transfer", &r.BulkTransfer, "online or offline", false)
	switch {
	case r.Mode == "tbc":
		d.refuse(CodeNotOffered, "mode", "use cold or warm here, or vCenter for try-before-commit", "try-before-commit is not offered over the message bus")
	case r.Mode != Cold && r.Mode != Warm:
		d.refuse(CodeInvalid, "mode", "give cold or warm", "there is no mode %s", d.quote(string(r.Mode)))
	case r.Mode == Cold && r.BulkTransfer != "" && r.BulkTransfer != Online:
		d.refuse(CodeInvalid, "bulk_transfer", "leave it out", "the data of a cold migration travels online")
	case r.Mode == Warm && r.BulkTransfer == "":
		d.refuse(CodeMissing, "bulk_transfer", "give online or offline", "it is missing, and a warm migration needs it")
	case r.Mode == Warm && r.BulkTransfer != Online && r.BulkTransfer != Offline:
		d.refuse(CodeInvalid, "bulk_transfer", "give online or offline", "there is no way %s", d.quote(string(r.BulkTransfer)))
	}
	d.credentials(r)
}

// credentials are for a warm migration. What a cold one gives is not even read:
// it needs none.
func (d *decoder) credentials(r *CloneRequest) {
	if r.Mode != Warm {
		return
	}
	fields, ok := d.object("credentials", true)
	if !ok {
		return
	}
	in := d.within(fields)
	r.Credentials = &Credentials{User: in.text("credentials.", "user", true)}
	if password := in.text("credentials.", "password", true); password != "" {
		r.Credentials.Password = NewSecret(password)
	}
	d.r.Problems = append(d.r.Problems, in.r.Problems...)
}

func (d *decoder) target(t *Target) {
	fields, ok := d.object("target", false)
	if !ok {
		return
	}
	in := d.within(fields)
	t.Pool, t.Datastore = in.text("target.", "pool", false), in.text("target.", "datastore", false)
	t.Adapter = in.text("target.", "adapter", false)
	var networks []map[string]json.RawMessage
	if raw, there := fields["networks"]; there && json.Unmarshal(raw, &networks) != nil {
		in.refuse(CodeInvalid, "target.networks", `give a list of {"from": "...", "to": "..."}`, "it is no list of objects")
	}
	if len(networks) > MaxMappings {
		in.refuse(CodeInvalid, "target.networks", "map those that the VM is on", "%d networks are mapped, more than %d", len(networks), MaxMappings)
		networks = nil
	}
	for i, n := range networks {
		one, at := d.within(n), fmt.Sprintf("target.networks[%d].", i)
		t.Networks = append(t.Networks, Mapping{From: one.text(at, "from", true), To: one.text(at, "to", true)})
		in.r.Problems = append(in.r.Problems, one.r.Problems...)
	}
	d.r.Problems = append(d.r.Problems, in.r.Problems...)
}

func (d *decoder) bulkDone() *BulkDoneRequest {
	r := &BulkDoneRequest{RequestHead: d.head}
	r.Clone = d.id("clone_request_id", true)
	read(d, "complete", &r.Complete, "true or false", true)
	return r
}

// within reads the fields of an object inside of the message.
func (d *decoder) within(fields map[string]json.RawMessage) *decoder {
	return &decoder{fields: fields, head: d.head}
}

// read reads a field, and says whether it is there and of the right kind.
func read[T any](d *decoder, field string, to *T, kind string, needed bool) bool {
	raw, there := d.fields[field]
	if !there || string(raw) == "null" {
		if needed {
			d.refuse(CodeMissing, field, "give "+kind, "it is missing")
		}
		return false
	}
	if json.Unmarshal(raw, to) != nil {
		d.refuse(CodeInvalid, field, "give "+kind, "it is of the wrong kind")
		return false
	}
	return true
}

// text reads a name. where is put before the field's name in refusals.
func (d *decoder) text(where, field string, needed bool) string {
	var s string
	before := len(d.r.Problems)
	if read(d, field, &s, "a name", needed) {
		switch {
		case s == "" && needed:
			d.refuse(CodeMissing, field, "give a name", "it is empty")
		case len(s) > MaxName:
			d.refuse(CodeInvalid, field, "use the name that vCenter shows", "it has %d bytes, more than %d", len(s), MaxName)
		}
	}
	for i := range d.r.Problems[before:] {
		d.r.Problems[before+i].Field = where + field
	}
	return s
}

func (d *decoder) object(field string, needed bool) (map[string]json.RawMessage, bool) {
	var fields map[string]json.RawMessage
	ok := read(d, field, &fields, "an object", needed)
	return fields, ok
}

// id reads an identifier.
func (d *decoder) id(field string, needed bool) string {
	var s string
	if !read(d, field, &s, "an identifier of your own", needed) {
		return ""
	}
	if !identifier(s) {
		d.refuse(CodeInvalid, field, "use letters, digits and . _ : / - only", "an identifier has 1 to %d characters", MaxRequestID)
		return ""
	}
	return s
}

var identifiers = regexp.MustCompile(`^[A-Za-z0-9._:/-]+$`)

func identifier(s string) bool { return len(s) <= MaxRequestID && identifiers.MatchString(s) }

// mostQuoted bounds what a refusal repeats of a message.
const mostQuoted = 40

// quote repeats a field of the message, unless it holds the token: somebody may
// have put that into the wrong place.
func (d *decoder) quote(s string) string {
	if token := d.r.Token; !token.Empty() && strings.Contains(s, token.text()) {
		return Redacted
	}
	return quote(s)
}

func quote(s string) string {
	if runes := []rune(s); len(runes) > mostQuoted {
		s = string(runes[:mostQuoted]) + "..."
	}
	return fmt.Sprintf("%q", s)
}

// UnreadableError is a message on the response queue that is no response.
type UnreadableError struct{ What string }

func (e *UnreadableError) Error() string {
	return "the message is no response of HDM: " + e.What + "; it may be another program's: give HDM a queue of its own"
}

// DecodeResponse reads a message of HDM. Errors: *UnreadableError.
func DecodeResponse(body []byte) (Response, error) {
	if len(body) > MaxMessage {
		return nil, &UnreadableError{fmt.Sprintf("it has %d bytes, more than %d", len(body), MaxMessage)}
	}
	var head ResponseHead
	if json.Unmarshal(body, &head) != nil {
		return nil, &UnreadableError{"it is no JSON object with the fields of one"}
	}
	if head.V != Version {
		return nil, &UnreadableError{fmt.Sprintf("it is of version %d, and this program knows version %d", head.V, Version)}
	}
	made := map[Type]func() Response{
		TypeHeartbeat:         func() Response { return &Heartbeat{} },
		TypeInventoryResponse: func() Response { return &InventoryResponse{} },
		TypeCloneResponse:     func() Response { return &CloneResponse{} },
		TypeBulkDoneResponse:  func() Response { return &BulkDoneResponse{} },
		TypeErrorResponse:     func() Response { return &ErrorResponse{} },
	}[head.Type]
	if made == nil {
		return nil, &UnreadableError{"it is of type " + quote(string(head.Type))}
	}
	r := made()
	if json.Unmarshal(body, r) != nil {
		return nil, &UnreadableError{"its fields are not those of a " + string(head.Type)}
	}
	if head.ResponseID == "" {
		return nil, &UnreadableError{"it has no response_id"}
	}
	if p, ok := r.(*InventoryResponse); ok && (p.Page < 1 || p.Page > p.Pages) {
		return nil, &UnreadableError{fmt.Sprintf("it is page %d of %d", p.Page, p.Pages)}
	}
	return r, nil
}

// Split puts VMs on pages of at most size (0: any number) that each fit into a
// message, with room for the rest of it.
func Split(vms []VM, size int) [][]VM {
	const room = MaxMessage - 4<<10 // for the head
	if size <= 0 {
		size = MaxPageSize
	}
	pages, bytes := [][]VM{{}}, 0 // an inventory of nothing is a page too
	for _, vm := range vms {
		text, err := json.Marshal(vm)
		if err != nil {
			panic(fmt.Sprintf("protocol: a VM that JSON cannot hold: %v", err)) // there is none
		}
		text = escape(text) // as it is sent
		last := len(pages) - 1
		if len(pages[last]) > 0 && (len(pages[last]) >= size || bytes+len(text)+1 > room) {
			pages, bytes, last = append(pages, nil), 0, last+1
		}
		pages[last], bytes = append(pages[last], vm), bytes+len(text)+1
	}
	return slices.Clip(pages)
}
