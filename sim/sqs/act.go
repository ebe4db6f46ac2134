package sqs

import "time"

// Call is one API call that has come in, before anything is done about it.
type Call struct {
	Number    uint64 // of all calls, from 1
	Nth       int    // of the calls of this operation on this queue, from 1
	Operation string // as in the API, "SendMessage"
	Queue     string // its name; "" for ListQueues
}

// Effect is what a call is about to do to messages: to hand out, store, answer
// for, prolong or delete some.
type Effect struct {
	// Open is among how many messages of a standard queue, or groups of a FIFO
	// one, a receive may choose: with two or more another order is possible. 0
	// for any other call.
	Open int
}

// Act is what happens to a call. The zero Act is that it passes, and so does a
// call to which an Act does not apply (BadMD5 of a DeleteMessage, say).
type Act struct {
	kind   act
	code   string
	status int
	delay  time.Duration
	settle func(Effect) Act
}

type act uint8 // the zero value passes

const (
	passes act = iota
	fails
	loses
	lags
	duplicates
	reorders
	corrupts
	asks
)

// Pass lets the call through.
func Pass() Act { return Act{} }

// Ask lets the call come in, and asks what shall happen to it as soon as it is
// about to do something to a message: at once, when a long poll finds one, or
// never. It is asked once. Too late by then are Fail, Ask, and Late of anything
// but a delete: they let the call pass.
func Ask(settle func(Effect) Act) Act { return Act{kind: asks, settle: settle} }

// Fail makes the service answer with an error; the call is never applied. code
// is the error's name in the API ("ServiceUnavailable", "OverLimit",
// "QueueDoesNotExist"), status the HTTP status (503, 403, 400).
func Fail(code string, status int) Act { return Act{kind: fails, code: code, status: status} }

// LoseAnswer applies the call and never answers. Messages that a receive has
// handed out are in flight, and nobody has them.
func LoseAnswer() Act { return Act{kind: loses} }

// Late applies the call delay later. A DeleteMessage or DeleteMessageBatch is
// answered at once, as a service that has yet to tell all its replicas would,
// and then takes effect even if the message has been received again; the answer
// to any other operation is lost.
func Late(delay time.Duration) Act { return Act{kind: lags, delay: delay} }

// Duplicate makes a standard queue deliver twice: a message sent is stored
// twice, and of what a receive hands out a copy stays visible. Copies have the
// same id, and receipt handles of their own.
func Duplicate() Act { return Act{kind: duplicates} }

// Reorder makes a receive hand out in another order: of a standard queue, newer
// messages first; of a FIFO queue, later groups first, each in its own order.
func Reorder() Act { return Act{kind: reorders} }

// BadMD5 makes the MD5 of bodies in the answer to a send or a receive wrong.
// The call is applied.
func BadMD5() Act { return Act{kind: corrupts} }
