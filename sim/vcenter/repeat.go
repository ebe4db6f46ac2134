package vcenter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// Repeater does again what foreign clients did in an earlier run of the same
// world, in sessions of its own.
type Repeater struct {
	vc   *VCenter
	keys map[int]string // of sessions, by number
}

// Repeater returns one that has repeated nothing yet.
func (vc *VCenter) Repeater() *Repeater { return &Repeater{vc: vc, keys: map[int]string{}} }

// Do applies a call as it was applied then, whatever it is answered. It is to be
// called where the world may be changed. The error is for a call that cannot be
// made at all.
func (p *Repeater) Do(c ForeignCall) error {
	vc := p.vc
	if _, err := url.ParseRequestURI(c.Path); err != nil {
		return fmt.Errorf("a recorded call has the path %q: %w", c.Path, err)
	}
	if c.Object == "" {
		_ = vc.performNFC(httptest.NewRecorder(), c.Method, c.Path, c.Data) // it broke then, too
		return nil
	}
	key, err := p.session(c.Session, c.Agent)
	if err != nil {
		return err
	}
	body := showSessions(c.Body, func(number int) string {
		other, missing := p.session(number, c.Agent)
		err = errors.Join(err, missing)
		return other
	})
	if err != nil {
		return err
	}
	method, this, err := SOAPTarget([]byte(body))
	if err != nil {
		return err
	}
	if waits(method) {
		return fmt.Errorf("a recorded call is a %s, which changes nothing", method)
	}
	r := vc.request(key, c.Agent, "")
	if strings.HasPrefix(c.Path, pbmPath) {
		r.URL.Path = pbmPath
	}
	r.Body = io.NopCloser(bytes.NewReader([]byte(body)))
	_ = vc.performSDK(httptest.NewRecorder(), r, this) // a panic was a fault then, too
	if method == "Logout" {
		delete(p.keys, c.Session)
	}
	return nil
}

// session is the key of a numbered session, which logs in when it is first used.
func (p *Repeater) session(number int, agent string) (string, error) {
	if number == 0 || p.keys[number] != "" {
		return p.keys[number], nil
	}
	vc := p.vc
	password, _ := vc.Credentials().Password()
	login := `<Login xmlns="urn:vim25"><_this type="SessionManager">SessionManager</_this><userName>` + inXML(vc.config.User) +
		`</userName><password>` + inXML(password) + `</password></Login>`
	answer := httptest.NewRecorder()
	if err := vc.performSDK(answer, vc.request("", agent, login), sessionManager); err != nil {
		return "", err
	}
	for _, c := range answer.Result().Cookies() {
		if c.Name == soap.SessionCookieName {
			p.keys[number] = c.Value
			return c.Value, nil
		}
	}
	return "", fmt.Errorf("the vCenter of %s does not let its own user log in", vc.config.Site)
}

var sessionManager = types.ManagedObjectReference{Type: "SessionManager", Value: "SessionManager"}

// request is one of a client in the session of that key ("": none), with this
// inside its SOAP envelope.
func (vc *VCenter) request(key, agent, inside string) *http.Request {
	const envelope = `<?xml version="1.0"?><Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body>%s</Body></Envelope>`
	r := &http.Request{
		Method: http.MethodPost, URL: &url.URL{Path: sdkPath}, RemoteAddr: "127.0.0.1:0",
		Header: http.Header{"User-Agent": {agent}}, Body: io.NopCloser(bytes.NewReader(fmt.Appendf(nil, envelope, inside))),
	}
	if key != "" {
		r.AddCookie(&http.Cookie{Name: soap.SessionCookieName, Value: key})
	}
	return r.WithContext(context.Background())
}

func inXML(text string) string {
	escaped, _ := escape(text) // into memory, which takes everything
	return escaped
}

// logout ends a session over HTTP.
func (vc *VCenter) logout(key string) {
	r := vc.request(key, "", `<Logout xmlns="urn:vim25"><_this type="SessionManager">SessionManager</_this></Logout>`)
	_ = vc.performSDK(httptest.NewRecorder(), r, sessionManager) // one that has ended already is as good
}
