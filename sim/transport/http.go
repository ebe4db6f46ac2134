package transport

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vim25/xml"
)

// maxBody bounds a body of a request or an answer, in bytes: both are held in
// memory, because a call is applied at one instant. Disks send what is touched
// of them only.
const maxBody = 512 << 20

// HTTP carries requests to the vCenter over the path: NFC transfers, and SOAP
// where it is not in process.
func (p *Path) HTTP() http.RoundTripper { return httpClient{p} }

type httpClient struct{ path *Path }

// RoundTrip waits on the running process, and so do reads of a disk's body in
// the answer. Errors: *Error, ctx.Err(), or that of reading the request's body.
func (h httpClient) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	switch {
	case strings.HasPrefix(req.URL.Path, "/nfc/"):
		return h.path.transfer(req)
	case req.Method == http.MethodPost:
		return h.path.post(req)
	}
	return h.path.plain(req, req.Method, "http", nil)
}

// post is a SOAP call.
func (p *Path) post(req *http.Request) (*http.Response, error) {
	body, err := readAll(req.Body)
	if err != nil {
		return nil, err
	}
	method, object := parseRequest(body)
	return p.plain(req, method, object, body)
}

// plain does a request whose body is there and whose answer comes as a whole.
func (p *Path) plain(req *http.Request, method, object string, body []byte) (*http.Response, error) {
	a := &httpAnswer{path: p, req: req}
	if err := p.exchange(req.Context(), method, object, work{
		apply:  func() string { return a.apply(body) },
		refuse: a.refuse,
	}); err != nil {
		return nil, err
	}
	return a.response()
}

// httpAnswer is the answer to a request, the call's own until it has arrived.
type httpAnswer struct {
	path *Path
	req  *http.Request
	res  *http.Response
	body []byte
	err  error
}

// apply does the request at once.
func (a *httpAnswer) apply(body []byte) string {
	req := a.req.Clone(context.WithoutCancel(a.req.Context()))
	req.Body, req.GetBody = http.NoBody, nil
	req.ContentLength = int64(len(body))
	if len(body) > 0 {
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	res, err := a.path.Target.HTTP.RoundTrip(req)
	if err != nil {
		a.err = err
		return string(Broken)
	}
	defer res.Body.Close()
	a.res = res
	if a.body, a.err = readAll(res.Body); a.err != nil {
		return string(Broken)
	}
	if a.res.StatusCode < http.StatusBadRequest {
		return ok
	}
	if f := parseFault(a.body); f != "" {
		return f
	}
	return fmt.Sprintf("HTTP %d", a.res.StatusCode)
}

// refuse makes a fault the answer.
func (a *httpAnswer) refuse(f types.BaseMethodFault) string {
	a.body, a.err = encodeFault(f)
	a.res = &http.Response{
		StatusCode: http.StatusInternalServerError,
		Status:     "500 Internal Server Error",
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"text/xml; charset=utf-8"}},
	}
	return faultName(f)
}

func (a *httpAnswer) response() (*http.Response, error) {
	if a.err != nil {
		return nil, a.err
	}
	a.res.Request = a.req
	a.res.Body = io.NopCloser(bytes.NewReader(a.body))
	a.res.ContentLength = int64(len(a.body))
	a.res.TransferEncoding = nil
	return a.res, nil
}

// TooLargeError is a body beyond what is held in memory.
type TooLargeError struct{ Limit int64 }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the body is larger than %d bytes: touch less of the simulated disk (its declared size may be anything)", e.Limit)
}

func readAll(r io.Reader) ([]byte, error) {
	if r == nil {
		return nil, nil
	}
	b, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	if err == nil && len(b) > maxBody {
		return nil, &TooLargeError{maxBody}
	}
	return b, err
}

// parseRequest reads method and object off a SOAP request: the first element
// in the Body, and its _this.
func parseRequest(body []byte) (method, object string) {
	method, object = "unknown", "unknown"
	in := false
	for e := range elements(body) {
		switch {
		case e.Name.Local == "Body":
			in = true
		case in && method == "unknown":
			method = e.Name.Local
		case in && e.Name.Local == "_this":
			return method, attribute(e.start, "type") + ":" + e.text
		}
	}
	return method, object
}

// parseFault reads the type of the fault off a SOAP answer, or returns "".
func parseFault(body []byte) string {
	in := false
	for e := range elements(body) {
		if in {
			return attribute(e.start, "type")
		}
		in = e.Name.Local == "detail"
	}
	return ""
}

type element struct {
	start
	text string // that follows the start
}

type start = xml.StartElement

// elements goes over the elements of a document in the order of their starts.
func elements(doc []byte) func(yield func(element) bool) {
	return func(yield func(element) bool) {
		d := xml.NewDecoder(bytes.NewReader(doc))
		var open *element
		for {
			t, err := d.Token()
			if err != nil {
				if open != nil {
					yield(*open)
				}
				return
			}
			switch t := t.(type) {
			case xml.CharData:
				if open != nil {
					open.text += string(t)
				}
				continue
			case xml.StartElement, xml.EndElement:
				if open != nil && !yield(*open) {
					return
				}
				open = nil
				if s, is := t.(xml.StartElement); is {
					open = &element{start: s.Copy()}
				}
			}
		}
	}
}

func attribute(e start, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// The envelope of a fault. govmomi's own does not decode back when encoded with
// a default namespace, so the prefixes are spelt out, as a vCenter does.
type envelope struct {
	XMLName xml.Name `xml:"soapenv:Envelope"`
	Env     string   `xml:"xmlns:soapenv,attr"`
	XSD     string   `xml:"xmlns:xsd,attr"`
	XSI     string   `xml:"xmlns:xsi,attr"`
	Body    struct {
		Fault struct {
			Code   string `xml:"faultcode"`
			String string `xml:"faultstring"`
			Detail struct {
				Fault detail
			} `xml:"detail"`
		} `xml:"soapenv:Fault"`
	} `xml:"soapenv:Body"`
}

type detail struct{ types.BaseMethodFault }

// MarshalXML names the element after the fault and gives its type.
func (d detail) MarshalXML(e *xml.Encoder, s xml.StartElement) error {
	kind := faultName(d.BaseMethodFault)
	s.Name.Local = kind + "Fault"
	s.Attr = []xml.Attr{
		{Name: xml.Name{Local: "xmlns"}, Value: "urn:" + vim25.Namespace},
		{Name: xml.Name{Local: "xsi:type"}, Value: kind},
	}
	return e.EncodeElement(d.BaseMethodFault, s)
}

func encodeFault(f types.BaseMethodFault) ([]byte, error) {
	sf := soapFault(f)
	env := envelope{
		Env: "http://schemas.xmlsoap.org/soap/envelope/",
		XSD: "http://www.w3.org/2001/XMLSchema",
		XSI: "http://www.w3.org/2001/XMLSchema-instance",
	}
	env.Body.Fault.Code, env.Body.Fault.String = sf.Code, sf.String
	env.Body.Fault.Detail.Fault = detail{f}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	err := xml.NewEncoder(&b).Encode(env)
	return b.Bytes(), err
}
