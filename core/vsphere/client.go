package vsphere

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/runtime"
)

// DefaultAgent is how the appliance calls itself in a vCenter's list of
// sessions when its Endpoint does not say.
const DefaultAgent = "hdm-appliance"

// DefaultCallTimeout is how long a call may stay unanswered when the Endpoint
// does not say.
const DefaultCallTimeout = 2 * time.Minute

// Endpoint is how to reach one vCenter.
type Endpoint struct {
	Site Site
	URL  *url.URL // of the SDK, such as https://vc.example/sdk
	User *url.Userinfo

	// Agent names this appliance among the vCenter's sessions. Two appliances on
	// one vCenter need different ones, because EndOtherSessions ends every
	// session of its agent.
	Agent string

	// SOAP makes an in-process client with a session of its own. Nil: SOAP goes
	// over HTTP.
	SOAP func(agent string) soap.RoundTripper

	// HTTP carries NFC transfers, and SOAP where SOAP is nil. It must end a
	// request when its context is cancelled, and bounds how long one may stay
	// unanswered. Nil: NewTransport(nil, CallTimeout).
	HTTP http.RoundTripper

	// CallTimeout is for transports: this package sets no deadline of its own.
	CallTimeout time.Duration
}

// NewTransport is the HTTP transport of a live appliance: certificates are
// checked against trust (nil: the system's), a request whose answer does not
// begin within timeout fails. A long upload is not cut by it.
func NewTransport(trust *Trust, timeout time.Duration) http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ForceAttemptHTTP2 = false // vCenter's SDK and ESXi's NFC speak HTTP/1.1
	t.TLSNextProto = nil
	t.ResponseHeaderTimeout = timeout
	t.TLSClientConfig = trust.config()
	return t
}

// Client opens sessions with one vCenter. It may be used by several tasks at
// once.
type Client struct {
	endpoint Endpoint
	runtime  runtime.Runtime
	agent    string // of this client alone: the endpoint's and something drawn

	mu      sync.Mutex
	content *types.ServiceContent // constant for a vCenter: read once
	unended []string              // keys of sessions whose logout was not answered
}

// NewClient returns a client that acts on rt. It makes no call yet.
func NewClient(rt runtime.Runtime, e Endpoint) *Client {
	if e.Agent == "" {
		e.Agent = DefaultAgent
	}
	if e.CallTimeout <= 0 {
		e.CallTimeout = DefaultCallTimeout
	}
	if e.HTTP == nil {
		e.HTTP = NewTransport(nil, e.CallTimeout)
	}
	drawn := rt.Rand("vsphere/" + string(e.Site)).Uint32()
	return &Client{endpoint: e, runtime: rt, agent: fmt.Sprintf("%s boot-%08x", e.Agent, drawn)}
}

// Site is the site of the client's vCenter.
func (c *Client) Site() Site { return c.endpoint.Site }

// Session is one login at a vCenter. An effect's attempt has one of its own,
// so that closing it ends whatever of the attempt has not been applied yet.
// Its verbs may be called by several tasks at once.
type Session struct {
	client  *Client
	runtime runtime.Runtime
	site    Site
	vim     *vim25.Client
	http    *http.Client
	key     string
	user    string // as the vCenter writes it in tasks and session lists
}

// Site is the site of the session's vCenter.
func (s *Session) Site() Site { return s.site }

// Open logs in. It first ends sessions of this client whose logout got no
// answer, and fails if it cannot: as long as they live, a call that was sent
// in them may yet be applied.
func (c *Client) Open(ctx context.Context) (*Session, error) {
	s, err := c.login(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	stale := slices.Clone(c.unended)
	c.mu.Unlock()
	if err := s.terminate(ctx, stale); err != nil {
		s.Close(ctx)
		return nil, err
	}
	c.mu.Lock()
	c.unended = slices.DeleteFunc(c.unended, func(k string) bool { return slices.Contains(stale, k) })
	c.mu.Unlock()
	return s, nil
}

func (c *Client) login(ctx context.Context) (*Session, error) {
	s := &Session{client: c, runtime: c.runtime, site: c.endpoint.Site, http: &http.Client{Transport: c.endpoint.HTTP}}
	s.vim = c.connect()
	content, err := c.serviceContent(ctx, s.vim)
	if err != nil {
		return nil, s.fail("connect to", "the vCenter", err, reads)
	}
	s.vim.ServiceContent = content
	if !s.vim.IsVC() {
		return nil, s.refuse("connect to", "the vCenter", "it is a "+content.About.ApiType+", not a vCenter",
			"give the address of the vCenter that manages this host")
	}
	req := types.Login{This: *content.SessionManager, Locale: "en_US"}
	if u := c.endpoint.User; u != nil {
		req.UserName = u.Username()
		req.Password, _ = u.Password()
	}
	if err := ctx.Err(); err != nil {
		return nil, s.fail("log in at", "the vCenter", err, reads)
	}
	// A login that is begun is waited for: the session of one that nobody waits
	// for would live until it expires.
	res, err := methods.Login(context.WithoutCancel(ctx), s.vim, &req)
	if err != nil {
		return nil, s.fail("log in at", "the vCenter", err, reads)
	}
	s.key, s.user = res.Returnval.Key, res.Returnval.UserName
	return s, nil
}

// connect makes the way of one session's calls. It calls nobody yet.
func (c *Client) connect() *vim25.Client {
	e := c.endpoint
	if e.SOAP != nil {
		return &vim25.Client{RoundTripper: e.SOAP(c.agent)}
	}
	sc := soap.NewClient(e.URL, false)
	sc.Transport = e.HTTP
	sc.Jar, _ = cookiejar.New(nil) // never fails without options
	sc.Namespace, sc.Version = "urn:"+vim25.Namespace, vim25.Version
	sc.UserAgent = c.agent
	return &vim25.Client{Client: sc, RoundTripper: sc}
}

func (c *Client) serviceContent(ctx context.Context, rt soap.RoundTripper) (types.ServiceContent, error) {
	c.mu.Lock()
	known := c.content
	c.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	content, err := methods.GetServiceContent(ctx, rt)
	if err != nil {
		return content, err
	}
	c.mu.Lock()
	c.content = &content
	c.mu.Unlock()
	return content, nil
}

// Ping asks whether the vCenter is there. It needs no login.
func (c *Client) Ping(ctx context.Context) error {
	s := &Session{client: c, runtime: c.runtime, site: c.endpoint.Site}
	_, err := methods.GetServiceContent(ctx, c.connect())
	return s.fail("reach", "the vCenter", err, reads)
}

// Close logs out. What was sent in the session and has not been applied can
// no longer act; the next Open sees to that if the logout gets no answer. It
// works with a ctx that is cancelled already.
func (s *Session) Close(ctx context.Context) {
	if ctx.Err() != nil {
		ctx = context.Background()
	}
	_, err := methods.Logout(ctx, s.vim, &types.Logout{This: *s.vim.ServiceContent.SessionManager})
	if err == nil || isFault[types.NotAuthenticated](err) {
		return
	}
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	s.client.unended = append(s.client.unended, s.key)
}

// EndOtherSessions ends every session of this endpoint's user and agent that
// another client opened. A new incarnation of the appliance calls it before
// it acts: what an earlier one sent can then no longer be applied.
func (c *Client) EndOtherSessions(ctx context.Context) error {
	s, err := c.Open(ctx)
	if err != nil {
		return err
	}
	defer s.Close(ctx)
	var m mo.SessionManager
	if err := s.one(ctx, *s.vim.ServiceContent.SessionManager, &m, "sessionList"); err != nil {
		return s.fail("list", "sessions", err, reads)
	}
	var others []string
	for _, o := range m.SessionList {
		if o.UserName == s.user && c.sameAppliance(o.UserAgent) && o.UserAgent != c.agent {
			others = append(others, o.Key)
		}
	}
	slices.Sort(others)
	return s.terminate(ctx, others)
}

// sameAppliance recognises the sessions of every boot of this appliance.
func (c *Client) sameAppliance(agent string) bool {
	return strings.HasPrefix(agent, c.endpoint.Agent+" boot-")
}

// terminate ends sessions one by one: a vCenter refuses the whole list if one
// of them is gone.
func (s *Session) terminate(ctx context.Context, keys []string) error {
	for _, key := range keys {
		_, err := methods.TerminateSession(ctx, s.vim, &types.TerminateSession{
			This: *s.vim.ServiceContent.SessionManager, SessionId: []string{key},
		})
		if err != nil && !isFault[types.NotFound](err) {
			return s.fail("end", "an earlier session", err, changes)
		}
	}
	return nil
}
