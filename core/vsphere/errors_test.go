package vsphere

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// asSOAP is the error of a call that was answered with a fault.
func asSOAP(f types.BaseMethodFault, text string) error {
	sf := &soap.Fault{Code: "ServerFaultCode", String: text}
	sf.Detail.Fault = f
	return soap.WrapSoapFault(sf)
}

// asTask is the error of a task that ended with a fault.
func asTask(f types.BaseMethodFault) error {
	return taskError(types.TaskInfo{Error: &types.LocalizedMethodFault{Fault: f}})
}

// unreachable is an error as a transport of the simulation makes it.
type unreachable struct{}

func (unreachable) Error() string     { return "link down" }
func (unreachable) Unreachable() bool { return true }

// timedOut is an error of a call whose answer did not come.
type timedOut struct{}

func (timedOut) Error() string { return "no answer" }
func (timedOut) Timeout() bool { return true }

func dialError(cause error) error {
	return &url.Error{Op: "Post", URL: "https://vc/sdk", Err: &net.OpError{Op: "dial", Net: "tcp", Err: cause}}
}

func TestAnErrorHasTheClassOfItsCause(t *testing.T) {
	for _, c := range []struct {
		name    string
		err     error
		class   Class
		unknown bool
	}{
		{"session ended", asSOAP(&types.NotAuthenticated{}, ""), Retryable, false},
		{"wrong password", asSOAP(&types.InvalidLogin{}, ""), Refused, false},
		{"privilege missing", asSOAP(&types.NoPermission{}, ""), Refused, false},
		{"power state changed", asTask(&types.InvalidPowerState{}), Retryable, false},
		{"snapshot in a wrong state", asTask(&types.InvalidState{}), Retryable, false},
		{"another task holds it", asSOAP(&types.TaskInProgress{}, ""), Retryable, false},
		{"changed by another", asSOAP(&types.ConcurrentAccess{}, ""), Retryable, false},
		{"in use", asSOAP(&types.ResourceInUse{}, ""), Retryable, false},
		{"task cancelled", asTask(&types.RequestCanceled{}), Retryable, false},
		{"vCenter timed out", asTask(&types.Timedout{}), Retryable, false},
		{"host silent", asTask(&types.HostCommunication{}), Retryable, false},
		{"host disconnected", asTask(&types.HostNotConnected{}), Retryable, false},
		{"file locked", asTask(&types.FileLocked{}), Retryable, false},
		{"file not readable", asTask(&types.CannotAccessFile{}), Retryable, false},
		{"no tools", asSOAP(&types.ToolsUnavailable{}, ""), Retryable, false},
		{"vCenter broken", asSOAP(&types.SystemError{}, ""), Retryable, false},
		{"fault that nobody knows", asSOAP(&types.HostConfigFault{}, ""), Retryable, false},
		{"name taken", asSOAP(&types.DuplicateName{}, ""), Refused, false},
		{"name not allowed", asSOAP(&types.InvalidName{}, ""), Refused, false},
		{"object gone", asSOAP(&types.ManagedObjectNotFound{}, ""), Refused, false},
		{"network away", asTask(&types.CannotAccessNetwork{}), Refused, false},
		{"device away", asTask(&types.CannotAccessVmDevice{}), Refused, false},
		{"datastore away", asTask(&types.InaccessibleDatastore{}), Refused, false},
		{"disk full", asTask(&types.NoDiskSpace{}), Refused, false},
		{"datastore full", asTask(&types.InsufficientStorageSpace{}), Refused, false},
		{"memory short (a family)", asTask(&types.InsufficientMemoryResourcesFault{}), Refused, false},
		{"CPU short (a family)", asTask(&types.InsufficientCpuResourcesFault{}), Refused, false},
		{"too many snapshots", asTask(&types.TooManySnapshotLevels{}), Refused, false},
		{"licence (a family)", asTask(&types.HostInventoryFull{}), Refused, false},
		{"descriptor (a family)", asTask(&types.OvfInvalidValue{}), Refused, false},
		{"hardware not supported (a family)", asTask(&types.DeviceNotSupported{}), Refused, false},
		{"configuration (a family)", asTask(&types.CannotDisableSnapshot{}), Refused, false},
		{"not supported", asSOAP(&types.NotSupported{}, ""), Fatal, false},
		{"not implemented", asSOAP(&types.NotImplemented{}, ""), Fatal, false},
		{"method not known", asSOAP(&types.MethodNotFound{}, ""), Fatal, false},
		{"argument", asSOAP(&types.InvalidArgument{}, ""), Fatal, false},
		{"request", asSOAP(&types.InvalidRequest{}, ""), Fatal, false},

		{"link down", unreachable{}, Unreachable, false},
		{"link down, wrapped by net/http", &url.Error{Op: "Post", URL: "https://vc/sdk", Err: unreachable{}}, Unreachable, false},
		{"connection refused", dialError(os.NewSyscallError("connect", syscall.ECONNREFUSED)), Unreachable, false},
		{"no route", dialError(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), Unreachable, false},
		{"dial timed out", dialError(timedOut{}), Unreachable, false},
		{"name not resolved", dialError(&net.DNSError{Err: "no such host", Name: "vc"}), Unreachable, false},
		{"proxy away", &url.Error{Op: "Post", URL: "https://vc/sdk", Err: &net.OpError{Op: "proxyconnect", Net: "tcp", Err: dialError(timedOut{})}}, Unreachable, false},
		{"no route to a host that was connected", &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.EHOSTUNREACH)}, Retryable, true},
		{"no network any more", &net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.ENETUNREACH)}, Retryable, true},
		{"no answer", timedOut{}, Retryable, true},
		{"no answer, wrapped by net/http", &url.Error{Op: "Post", URL: "https://vc/sdk", Err: timedOut{}}, Retryable, true},
		{"connection reset", &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, Retryable, true},
		{"connection closed", io.ErrUnexpectedEOF, Retryable, true},
		{"gateway away", &StatusError{http.StatusServiceUnavailable, "503 Service Unavailable"}, Retryable, true},
		{"lease address gone", &StatusError{http.StatusNotFound, "404 Not Found"}, Retryable, false},
		{"certificate", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, Refused, false},
		{"cancelled", fmt.Errorf("reading: %w", context.Canceled), Cancelled, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &Session{site: Cloud}
			var e *Error
			require.ErrorAs(t, s.fail("power on", "VirtualMachine:vm-1", c.err, changes), &e)
			assert.Equal(t, c.class, e.Class, "got %v", e.Class)
			assert.Equal(t, c.unknown, e.Unknown, "unknown")
			assert.Equal(t, c.class, ClassOf(fmt.Errorf("wrapped: %w", e)))
			assert.ErrorIs(t, e, c.err)

			require.ErrorAs(t, s.fail("read", "VirtualMachine:vm-1", c.err, reads), &e)
			assert.False(t, e.Unknown, "reading changes nothing, so nothing about it is unknown")
		})
	}
}

func TestEveryRuleNamesAFaultOfTheAPI(t *testing.T) {
	known := types.TypeFunc()
	for name, r := range faultRules {
		_, ok := known(name)
		assert.True(t, ok, "there is no fault %s", name)
		assert.NotEmpty(t, r.class.String(), "the rule for %s has no class", name)
	}
}

func TestAnErrorSaysWhatHappenedToWhatAndWhatToDo(t *testing.T) {
	s := &Session{site: Cloud}
	err := s.fail("import", `"db-01"`, asSOAP(&types.DuplicateName{}, "The name 'db-01' already exists."), changes)
	assert.EqualError(t, err, `cloud: import "db-01": DuplicateName: The name 'db-01' already exists.; choose another name, or remove what has this one`)

	err = s.fail("power on", "VirtualMachine:vm-7", timedOut{}, changes)
	assert.EqualError(t, err, "cloud: power on VirtualMachine:vm-7: no answer (it may have been done all the same); no answer came in time")
}

func TestAnErrorIsWrappedOnce(t *testing.T) {
	s := &Session{site: Cloud}
	inner := s.fail("read", "VirtualMachine:vm-7", timedOut{}, reads)
	assert.Same(t, inner, s.fail("import", "x", inner, changes))
	assert.NoError(t, s.fail("import", "x", nil, changes))
	assert.Zero(t, ClassOf(nil))
}

func TestNoErrorShowsAPasswordOrATicket(t *testing.T) {
	const secret = "hunter2"
	s := &Session{site: Cloud}
	for _, cause := range []error{
		&url.Error{Op: "Post", URL: "https://admin:" + secret + "@vc/sdk", Err: io.ErrUnexpectedEOF},
		fmt.Errorf("reading: %w", &url.Error{Op: "Get", URL: "https://esx/nfc/" + secret + "/disk-0.vmdk", Err: timedOut{}}),
		dialErrorTo("https://admin:" + secret + "@vc/sdk"),
	} {
		assert.NotContains(t, s.fail("log in at", "the vCenter", cause, reads).Error(), secret)
	}
}

func dialErrorTo(address string) error {
	return &url.Error{Op: "Post", URL: address, Err: &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("refused")}}
}
