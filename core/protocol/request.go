package protocol

import (
	"encoding/json"
	"fmt"
)

// Request is what a client asks for: *InventoryRequest, *CloneRequest or
// *BulkDoneRequest.
type Request interface {
	// Head is what every request has.
	Head() *RequestHead
	// Type of its message.
	Type() Type
	wire() any
}

// RequestHead is what every request has.
type RequestHead struct {
	// RequestID is the client's own name for the request. Given twice it is one
	// request (MIG-14).
	RequestID string
	// Token of the message bus (SQS-01).
	Token Secret
}

// Head implements Request.
func (h *RequestHead) Head() *RequestHead { return h }

// InventoryRequest asks for the VMs on premises (SQS-03).
type InventoryRequest struct {
	RequestHead
	PageSize int // VMs on a page at most; 0: as many as fit into a message
}

// CloneRequest asks for a migration (SQS-04).
type CloneRequest struct {
	RequestHead
	VM           string // its name on premises
	Mode         Mode
	BulkTransfer BulkTransfer // of a warm migration
	Target       Target
	Credentials  *Credentials // of the guest's administrator, for a warm migration
}

// BulkDoneRequest tells whether the offline bulk transfer of a warm migration
// is complete (SQS-05).
type BulkDoneRequest struct {
	RequestHead
	Clone    string // request_id of the SourceCloneRequest
	Complete bool
}

// Mode of a migration.
type Mode string

// The modes. Both are of the ARM use case.
const (
	Cold Mode = "cold"
	Warm Mode = "warm"
)

// BulkTransfer says how the data of a warm migration travels.
type BulkTransfer string

// The ways.
const (
	Online  BulkTransfer = "online"
	Offline BulkTransfer = "offline"
)

// Target is where in the cloud a VM goes. HDM chooses what is left out.
type Target struct {
	Pool      string    `json:"pool,omitempty" jsonschema:"maxLength=320" jsonschema_description:"resource pool: a name, or as much of its path as tells it apart"`
	Datastore string    `json:"datastore,omitempty" jsonschema:"maxLength=320"`
	Networks  []Mapping `json:"networks,omitempty" jsonschema:"maxItems=16" jsonschema_description:"a cloud network for each network that the VM is on"`
	Adapter   string    `json:"adapter,omitempty" jsonschema:"maxLength=320" jsonschema_description:"type of every network adapter in the cloud"`
}

// Mapping says which cloud network stands for one on premises.
type Mapping struct {
	From string `json:"from" jsonschema:"minLength=1,maxLength=320"`
	To   string `json:"to" jsonschema:"minLength=1,maxLength=320"`
}

// Credentials of a guest's administrator.
type Credentials struct {
	User     string
	Password Secret
}

// Type implements Request.
func (*InventoryRequest) Type() Type { return TypeInventoryRequest }

// Type implements Request.
func (*CloneRequest) Type() Type { return TypeCloneRequest }

// Type implements Request.
func (*BulkDoneRequest) Type() Type { return TypeBulkDoneRequest }

// The forms on the wire. They alone hold secrets in the open, and never leave
// this package.
type (
	requestWire struct {
		V         int    `json:"v" jsonschema:"enum=1"`
		Type      Type   `json:"type"`
		RequestID string `json:"request_id" jsonschema:"minLength=1,maxLength=80,pattern=^[A-Za-z0-9._:/-]+$"`
		Token     string `json:"token" jsonschema:"minLength=1" jsonschema_description:"the message bus token"`
	}
	inventoryWire struct {
		requestWire
		PageSize int `json:"page_size,omitempty" jsonschema:"minimum=1,maximum=1000"`
	}
	cloneWire struct {
		requestWire
		UseCase      string           `json:"use_case,omitempty" jsonschema:"enum=ARM"`
		VM           string           `json:"vm" jsonschema:"minLength=1,maxLength=320" jsonschema_description:"name on premises"`
		Mode         Mode             `json:"mode" jsonschema:"enum=cold,enum=warm"`
		BulkTransfer BulkTransfer     `json:"bulk_transfer,omitempty" jsonschema:"enum=online,enum=offline" jsonschema_description:"of a warm migration"`
		Target       *Target          `json:"target,omitempty"`
		Credentials  *credentialsWire `json:"credentials,omitempty" jsonschema_description:"of the guest's administrator, for a warm migration"`
	}
	credentialsWire struct {
		User     string `json:"user" jsonschema:"minLength=1,maxLength=320"`
		Password string `json:"password" jsonschema:"minLength=1,maxLength=320"`
	}
	bulkDoneWire struct {
		requestWire
		Clone    string `json:"clone_request_id" jsonschema:"minLength=1,maxLength=80,pattern=^[A-Za-z0-9._:/-]+$"`
		Complete bool   `json:"complete"`
	}
)

func (h *RequestHead) head(t Type) requestWire {
	return requestWire{V: Version, Type: t, RequestID: h.RequestID, Token: h.Token.text()}
}

func (r *InventoryRequest) wire() any {
	return inventoryWire{requestWire: r.head(r.Type()), PageSize: r.PageSize}
}

func (r *CloneRequest) wire() any {
	w := cloneWire{requestWire: r.head(r.Type()), VM: r.VM, Mode: r.Mode, BulkTransfer: r.BulkTransfer}
	if r.Target.Pool != "" || r.Target.Datastore != "" || r.Target.Adapter != "" || len(r.Target.Networks) > 0 {
		w.Target = &r.Target
	}
	if c := r.Credentials; c != nil {
		w.Credentials = &credentialsWire{User: c.User, Password: c.Password.text()}
	}
	return w
}

func (r *BulkDoneRequest) wire() any {
	return bulkDoneWire{requestWire: r.head(r.Type()), Clone: r.Clone, Complete: r.Complete}
}

// EncodeRequest is the message of a request, its token and credentials in the
// open. Errors: *Refusal, if DecodeRequest would refuse it.
func EncodeRequest(r Request) ([]byte, error) {
	body, err := json.Marshal(r.wire())
	if err != nil {
		return nil, fmt.Errorf("protocol: encoding a %s: %w", r.Type(), err)
	}
	body = escape(body)
	if _, err := DecodeRequest(body); err != nil {
		return nil, err
	}
	return body, nil
}
