// Package bus is HDM's end of the message bus: SQS queues as HDM and its
// clients use them, and the service that answers what comes in.
//
//	             command queue                         response queue
//	client ----> SourceInventoryRequest, ... ---+  +--> Heartbeat, responses ----> client
//	                                            v  |
//	                  unreadable <--------- Service ---- appliance: orders, migrations, health
//	                      |
//	                      v
//	               dead-letter queue
//
// It decides which message is answered with what, and when a message may be
// deleted: once what it asks for is durable and not before, so that one which
// is lost track of comes again. It decides nothing about migrations, and keeps
// nothing durable of its own: what it has told is written down with the
// migration (migration.Responses).
//
// Queues may be FIFO or standard. Either way a message can come twice,
// late, or out of order: requests are told apart by their request_id and
// responses by their response_id, neither by what SQS thinks of them.
//
// Read this file, then queue.go (SQS), service.go (what runs), command.go (what
// comes in), status.go (what goes out).
package bus
