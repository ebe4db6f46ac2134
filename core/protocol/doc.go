// Package protocol is the messages that HDM and its clients exchange over the
// message bus (guide, Migrate a VM using the SQS Interface).
//
// It decides what a message may say, and where one says what it may not. It
// sends nothing, keeps nothing, and asks no clock. The guide names the messages
// and shows a heartbeat; the rest of their form is ours: JSON objects
// with the fields v (the version, 1) and type, published as JSON Schema.
//
//	client                                HDM
//	  <------------- Heartbeat ------------   every so often
//	  -------- SourceInventoryRequest ---->
//	  <------- SourceInventoryResponse ----   one for each page
//	  ---------- SourceCloneRequest ------>
//	  <--------- SourceCloneResponse ------   again and again, the last one final
//	  ------- BulkMigrationDoneRequest --->
//	  <------ BulkMigrationDoneResponse ---
//	  <------------ ErrorResponse ---------   final: to what was refused, or could not be read
//
// Every request has a request_id of the client's own and the bus token. Every
// response has a response_id: queues may deliver a message twice, and then both
// bear the same one. Fields that a reader does not know it ignores; a version
// that it does not know it refuses.
//
// Read this file, then request.go and response.go (what can be said), decode.go
// (what is refused), schema.go.
package protocol

// Version of the messages.
const Version = 1

// Limits of messages. SQS itself takes up to 1 MiB; queues of older accounts up
// to 256 KiB, which therefore bounds what is sent.
const (
	MaxMessage   = 256 << 10 // bytes of a message, either way
	MaxRequestID = 80        // bytes, and the characters of an identifier: SQS dedupes and groups by it
	MaxName      = 320       // bytes of a name: vSphere's have 80 characters
	MaxMappings  = 16        // networks of a request
	MaxPageSize  = 1000      // VMs on a page of the inventory
	MaxErrors    = 32        // told in one response
)

// Type of a message.
type Type string

// The types.
const (
	TypeHeartbeat         Type = "Heartbeat"
	TypeInventoryRequest  Type = "SourceInventoryRequest"
	TypeInventoryResponse Type = "SourceInventoryResponse"
	TypeCloneRequest      Type = "SourceCloneRequest"
	TypeCloneResponse     Type = "SourceCloneResponse"
	TypeBulkDoneRequest   Type = "BulkMigrationDoneRequest"
	TypeBulkDoneResponse  Type = "BulkMigrationDoneResponse"
	TypeErrorResponse     Type = "ErrorResponse"
)

// notOffered are the types that a client may think of, and that this interface
// refuses: it is for ARM alone (SQS-07).
var notOffered = map[Type]string{
	"MigrateBackRequest":     "migrating back",
	"TryBeforeCommitRequest": "try-before-commit",
}
