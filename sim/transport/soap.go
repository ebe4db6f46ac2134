package transport

import (
	"context"
	"reflect"

	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// SOAP is a client of the vCenter in process, over the path. Its session is
// its own. Where the path is not direct it is nil: SOAP goes over HTTP.
func (p *Path) SOAP(agent string) soap.RoundTripper {
	if !p.direct {
		return nil
	}
	return &directClient{path: p, inner: p.Target.Direct(agent)}
}

type directClient struct {
	path  *Path
	inner soap.RoundTripper
}

// RoundTrip waits on the running process. It reads the request when the call
// is applied: a caller that goes on after an error must not change what it
// passed. Errors: soap faults, *Error, ctx.Err().
func (d *directClient) RoundTrip(ctx context.Context, req, res soap.HasFault) error {
	method, object := target(req)
	// The answer goes into a body of the call's own: the caller's is untouched by
	// an answer that comes when it has given up.
	own := reflect.New(reflect.TypeOf(res).Elem())
	body := own.Interface().(soap.HasFault)
	var failure error
	err := d.path.exchange(ctx, method, object, work{
		apply: func() string {
			failure = d.inner.RoundTrip(context.WithoutCancel(ctx), req, body)
			return outcome(failure)
		},
		refuse: func(f types.BaseMethodFault) string {
			failure = soap.WrapSoapFault(soapFault(f))
			return outcome(failure)
		},
	})
	if err != nil {
		return err
	}
	reflect.ValueOf(res).Elem().Set(own.Elem())
	return failure
}

// target reads method and object off a govmomi request body: a struct with a
// field Req, which points to a struct with a field This.
func target(body soap.HasFault) (method, object string) {
	req := reflect.ValueOf(body).Elem().FieldByName("Req").Elem()
	this := req.FieldByName("This").Interface().(types.ManagedObjectReference)
	return req.Type().Name(), this.String()
}

func soapFault(f types.BaseMethodFault) *soap.Fault {
	sf := &soap.Fault{Code: "ServerFaultCode", String: faultName(f)}
	sf.Detail.Fault = f
	return sf
}

// outcome of a call in the trace: "ok", or the type of its fault.
func outcome(err error) string {
	switch {
	case err == nil:
		return ok
	case soap.IsSoapFault(err):
		return faultName(soap.ToSoapFault(err).VimFault())
	}
	return string(Broken)
}

const ok = "ok"

func faultName(f any) string {
	t := reflect.TypeOf(f)
	if t == nil {
		return "SystemError"
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}
