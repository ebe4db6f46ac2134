package vsphere

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// Class says what a caller can do about an error.
type Class int

// The classes of errors. The zero Class is none of them.
const (
	// Retryable may go away: try again, a limited number of times.
	Retryable Class = iota + 1
	// Unreachable: the way to the vCenter is down and nothing was sent. Waiting
	// for the way uses up no try.
	Unreachable
	// Refused stays refused however often it is tried; somebody must change
	// something first.
	Refused
	// Fatal is a call that this vCenter cannot understand: a bug of ours or a
	// vCenter that is not supported.
	Fatal
	// Cancelled: the caller's context was cancelled.
	Cancelled
)

var classNames = map[Class]string{
	Retryable: "retryable", Unreachable: "unreachable", Refused: "refused", Fatal: "fatal", Cancelled: "cancelled",
}

func (c Class) String() string { return classNames[c] }

// Error is what every verb returns when it fails.
type Error struct {
	Site   Site
	Op     string // "power on", "import"
	Object string // a Ref, or a name in quotes
	Class  Class
	// Unknown: the change may have been made, or may yet be. It is said for
	// people: code treats every verb that failed so, whatever stands here. It
	// closes the session and calls the verb again in another, with the same mark.
	Unknown bool
	// Down is for how long the way to the vCenter had been found down when this
	// verb gave up waiting for it; 0 if it did not wait.
	Down time.Duration
	Hint string // what to do; may be empty
	Err  error
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s %s: %s", e.Site, e.Op, e.Object, describe(e.Err))
	if e.Unknown {
		b.WriteString(" (it may have been done all the same)")
	}
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// FaultName is the name of the vSphere fault in err, such as
// "InvalidPowerState", or "" if err holds none.
func FaultName(err error) string {
	f := faultOf(err)
	if f == nil {
		return ""
	}
	return reflect.Indirect(reflect.ValueOf(f)).Type().Name()
}

// ClassOf is the class of err: that of the *Error in it, or what its cause
// says; 0 for nil.
func ClassOf(err error) Class {
	var e *Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.Class
	}
	class, _, _ := classify(err)
	return class
}

// touch says whether a call that failed can have changed anything.
type touch bool

const (
	reads   touch = false
	changes touch = true
)

// fail wraps the error of a call. An *Error comes back as it is.
func (s *Session) fail(op, object string, err error, t touch) error {
	if err == nil {
		return nil
	}
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	class, unknown, hint := classify(err)
	return &Error{Site: s.site, Op: op, Object: object, Class: class, Unknown: unknown && t == changes, Hint: hint, Err: err}
}

// refuse is an error that this package itself finds.
func (s *Session) refuse(op, object, what, hint string) error {
	return &Error{Site: s.site, Op: op, Object: object, Class: Refused, Hint: hint, Err: errors.New(what)}
}

// retry is an error that this package itself finds and that may go away.
func (s *Session) retry(op, object, what, hint string) error {
	return &Error{Site: s.site, Op: op, Object: object, Class: Retryable, Hint: hint, Err: errors.New(what)}
}

// rule is what one fault means.
type rule struct {
	class Class
	hint  string
}

// faultRules is by the fault's type name. What is not in it: see familyRule.
var faultRules = map[string]rule{
	// Who we are.
	"NotAuthenticated": {Retryable, "the session has ended; it is opened again"},
	"InvalidLogin":     {Refused, "check the user name and the password that HDM was given for this vCenter"},
	"NoPermission":     {Refused, "give HDM's user the missing privilege on this object"},
	// Somebody else was there.
	"InvalidPowerState":   {Retryable, "the VM's power state changed in between"},
	"InvalidState":        {Retryable, ""},
	"TaskInProgress":      {Retryable, "another task holds the object"},
	"ConcurrentAccess":    {Retryable, ""},
	"ResourceInUse":       {Retryable, ""},
	"RequestCanceled":     {Retryable, "the task was cancelled in the vCenter"},
	"Timedout":            {Retryable, ""},
	"HostCommunication":   {Retryable, "the vCenter does not reach the host"},
	"HostNotConnected":    {Retryable, "the host is disconnected from the vCenter"},
	"HostNotReachable":    {Retryable, "the vCenter does not reach the host"},
	"FileLocked":          {Retryable, "another process holds a file of the VM"},
	"CannotAccessFile":    {Retryable, "a file of the VM cannot be read or written"},
	"ToolsUnavailable":    {Retryable, "VMware Tools do not run in the guest"},
	"SystemError":         {Retryable, "the vCenter had an internal error"},
	"OutOfBounds":         {Refused, ""},
	"VmToolsUpgradeFault": {Refused, ""},
	// What is there, or is not.
	"DuplicateName":              {Refused, "choose another name, or remove what has this one"},
	"InvalidName":                {Refused, "choose a name that vSphere accepts"},
	"AlreadyExists":              {Refused, ""},
	"FileNotFound":               {Refused, "the datastore has no such file"},
	"FileAlreadyExists":          {Refused, "remove the file, or choose another name"},
	"ManagedObjectNotFound":      {Refused, "the object is gone"},
	"NotFound":                   {Refused, ""},
	"CannotAccessNetwork":        {Refused, "make the network reachable from the host, or map to another"},
	"CannotAccessVmDevice":       {Refused, "disconnect the device, or make its backing reachable"},
	"InvalidDatastore":           {Refused, "choose another datastore, or mount this one on the host"},
	"InvalidDatastorePath":       {Refused, "choose another datastore"},
	"InaccessibleDatastore":      {Refused, "make the datastore accessible to the host, or choose another"},
	"DatastoreNotWritableOnHost": {Refused, "make the datastore writable to the host, or choose another"},
	// Too little of something.
	"NoDiskSpace":              {Refused, "free space on the datastore, or choose another"},
	"InsufficientStorageSpace": {Refused, "free space on the datastore, or choose another"},
	// What cannot be done to this VM.
	"SnapshotDisabled":                {Refused, "snapshots are off for this VM"},
	"MultipleSnapshotsNotSupported":   {Refused, ""},
	"TooManySnapshotLevels":           {Refused, "remove snapshots of the VM"},
	"MemorySnapshotOnIndependentDisk": {Refused, ""},
	"SnapshotIncompatibleDeviceInVm":  {Refused, "remove the device that cannot be snapshotted"},
	"VmConfigFault":                   {Refused, ""},
	"InvalidVmConfig":                 {Refused, ""},
	"RestrictedVersion":               {Refused, "the licence does not allow this"},
	"InvalidDeviceSpec":               {Fatal, ""},
	// What the vCenter does not understand.
	"NotSupported":    {Fatal, "this vCenter does not support the call"},
	"NotImplemented":  {Fatal, "this vCenter does not support the call"},
	"MethodNotFound":  {Fatal, "this vCenter does not know the call"},
	"InvalidArgument": {Fatal, ""},
	"InvalidRequest":  {Fatal, ""},
	"InvalidType":     {Fatal, ""},
	"InvalidProperty": {Fatal, ""},
}

// familyRule is for the faults that the table does not name.
func familyRule(f types.BaseMethodFault) rule {
	switch f.(type) {
	case types.BaseInsufficientResourcesFault:
		return rule{Refused, "free resources in the cluster or pool, or choose another"}
	case types.BaseNotEnoughLicenses:
		return rule{Refused, "the licence does not allow this"}
	case types.BaseNotSupported:
		return rule{Refused, "the VM has something that this vCenter does not support"}
	case types.BaseOvfFault:
		return rule{Refused, "the VM's description cannot be exported or imported as it is"}
	case types.BaseVmConfigFault:
		return rule{Refused, "the VM's configuration does not allow this"}
	case types.BaseInvalidArgument:
		return rule{Fatal, ""}
	}
	// Not known: perhaps it passes. The number of tries bounds it.
	return rule{Retryable, ""}
}

// classify says what a cause means, and whether the call that it ended may
// have been applied.
func classify(err error) (class Class, unknown bool, hint string) {
	if f := faultOf(err); f != nil {
		r, ok := faultRules[FaultName(err)]
		if !ok {
			r = familyRule(f)
		}
		return r.class, false, r.hint
	}
	var un interface{ Unreachable() bool }
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, context.Canceled):
		return Cancelled, true, ""
	case errors.As(err, &un) && un.Unreachable(), neverSent(err):
		return Unreachable, false, "check the network between the appliance and this vCenter"
	case untrusted(err):
		return Refused, false, "trust the vCenter's certificate in HDM's settings, after checking it"
	case errors.As(err, &timeout) && timeout.Timeout():
		return Retryable, true, "no answer came in time"
	}
	var status *StatusError
	if errors.As(err, &status) && status.Code < http.StatusInternalServerError {
		return Retryable, false, ""
	}
	// The connection broke, or what came was not an answer.
	return Retryable, true, ""
}

// neverSent recognises the errors of connecting, to the vCenter or to a proxy
// before it. The operation tells, not its cause: "no route to host" can also
// end a connection over which the call has gone out.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect")
}

func untrusted(err error) bool {
	var verify *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	return errors.As(err, &verify) || errors.As(err, &authority) || errors.As(err, &host)
}

// StatusError is an HTTP status that is not what a transfer needs.
type StatusError struct {
	Code   int
	Status string // "503 Service Unavailable"
}

func (e *StatusError) Error() string { return "the server answered " + e.Status }

// faultError is a fault that came as data: in a task, a lease or a result.
type faultError struct{ fault *types.LocalizedMethodFault }

func (e faultError) Error() string                { return e.fault.LocalizedMessage }
func (e faultError) Fault() types.BaseMethodFault { return e.fault.Fault }

// faultOf digs out the vSphere fault, or nil.
func faultOf(err error) types.BaseMethodFault {
	var f interface{ Fault() types.BaseMethodFault }
	if errors.As(err, &f) {
		return f.Fault()
	}
	return nil
}

// isFault reports whether err holds a fault of type F.
func isFault[F any](err error) bool {
	_, ok := any(faultOf(err)).(*F)
	return ok
}

// describe is err without what must not be shown: an URL can hold a ticket.
func describe(err error) string {
	if name := FaultName(err); name != "" {
		text := strings.TrimPrefix(inner(err).Error(), "ServerFaultCode: ")
		if text == "" || strings.EqualFold(text, name) {
			return name
		}
		return name + ": " + text
	}
	return inner(err).Error()
}

// inner is the cause below net/http's wrapper, which shows the URL.
func inner(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
