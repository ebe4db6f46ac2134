// Package client is the client's end of the message bus (SQS-12): it sends
// requests to HDM, and reads what HDM says.
//
//	program --> Client.Inventory, Clone, BulkDone --> command queue --> HDM
//	program <-- Client.Watch <--------------------- response queue <-- HDM
//
// It decides when something that failed is tried again, and when a response may
// be deleted: once it was handed over, and not before. It decides nothing about
// migrations. What it remembers is memory only: a new Client may hear again what
// an earlier one was told and did not live to delete.
//
// A response queue belongs to one reader. A Client hands over and deletes every
// response that it finds, whoever's request it answers: two readers of one queue
// each get a part of what HDM says, and neither can tell. Give each client
// program an HDM, or at least a pair of queues, of its own.
//
// What it cannot read it tells its Observer. If it looks like a response of HDM it
// is ignored, which is to say deleted; anything else is left for some minutes, and
// deleted then: in a FIFO queue it would keep HDM's responses waiting for ever.
//
// It runs on a runtime.Runtime and leaves nothing running behind, so that the same
// code talks to SQS and to a simulated one.
//
// Read this file, then client.go (what is sent), watch.go (what is received),
// converse.go and follow.go (whole conversations, built on those).
package client
