package transport

import (
	"fmt"
	"time"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
)

// Call is one call to a vCenter, or one transfer of a disk.
type Call struct {
	Number uint64 // of all calls on the path, from 1
	Nth    int    // of the calls of this method on the path, from 1
	Site   vsphere.Site
	Method string // as in the vSphere API, "PowerOnVM_Task"; of HTTP, "GET nfc", "PUT nfc"
	Object string // "VirtualMachine:vm-53"; "<vm>/<disk>" of a transfer
}

// Act is what happens to a call. The zero Act is that it passes.
type Act struct {
	kind  act
	fault types.BaseMethodFault
	delay time.Duration
}

type act uint8 // the zero value passes

const (
	passes act = iota
	fails
	loses
	hangs
	lags
)

// Pass lets the call through.
func Pass() Act { return Act{} }

// Fail makes the vCenter answer with fault; the call is never applied.
func Fail(fault types.BaseMethodFault) Act { return Act{kind: fails, fault: fault} }

// LoseAnswer lets the call be applied and the caller time out.
func LoseAnswer() Act { return Act{kind: loses} }

// Hang lets the caller time out; the call is never applied.
func Hang() Act { return Act{kind: hangs} }

// Late lets the caller time out and the call be applied delay after it reached
// the vCenter, if its session still lives then.
func Late(delay time.Duration) Act { return Act{kind: lags, delay: delay} }

// Error is a call that got no answer. Net code and core/vsphere recognise its
// methods Timeout and Unreachable.
type Error struct {
	Site   vsphere.Site
	Method string
	Object string
	Reason Reason
	After  time.Duration // virtual time since it was sent
}

// Reason why there was no answer.
type Reason string

// The reasons. They are outcomes in the trace, too.
const (
	Unreachable Reason = "unreachable" // nothing was sent
	TimedOut    Reason = "timeout"     // it may have been applied, or yet be
	Broken      Reason = "broken"      // the connection ended in the middle
	Busy        Reason = "busy"        // nothing was sent: too many calls at once
	Refused     Reason = "refused"     // the connection was: the way is there, and no vCenter at its end
)

var explanations = map[Reason]string{
	Unreachable: "the vCenter cannot be reached: nothing was sent, wait for the link",
	TimedOut:    "no answer: it may have been applied or yet be, look before trying again",
	Broken:      "the connection broke: begin the transfer again under a new lease",
	Refused:     "the connection was refused: the vCenter is down, try again when it has restarted",
	Busy:        "too many calls are on their way: start fewer at once",
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s of %s: %s (after %v)", e.Site, e.Method, e.Object, explanations[e.Reason], e.After)
}

// Timeout is true if the call may have been applied.
func (e *Error) Timeout() bool { return e.Reason == TimedOut }

// Unreachable is true if the way was down, or nobody was at its end, and nothing
// was sent.
func (e *Error) Unreachable() bool { return e.Reason == Unreachable || e.Reason == Refused }
