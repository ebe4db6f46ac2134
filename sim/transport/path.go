// Package transport is the way of a call or a transfer from the appliance's
// machine to a vCenter and back.
//
// It decides when a call reaches the vCenter, whether it does, and whether the
// answer comes back. What the call does is the vCenter's; whether to try again
// is the caller's.
//
//	caller's process        link              vCenter           trace
//	RoundTrip  ---------- request -------->                     call.sent
//	   :                                      apply             call.applied
//	   :       <--------- answer ----------                     (lost, late: never arrives)
//	returns                                                     call.answered
//
// A call is applied in a kernel callback of its own, not on the caller's
// process: what has been sent is applied even if the caller gives up, is
// cancelled or loses its power meanwhile, as on a real network. A process waits
// only between the three events, never inside the vCenter. Each fault acts
// between two of them; see Act.
//
// Read this file, then exchange.go (the three events), call.go (faults and
// errors), soap.go and http.go (the two ways in), transfer.go (disks).
package transport

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/vmware/govmomi/vim25/soap"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/wan"
)

// Defaults of a Config.
const (
	DefaultConnectTimeout = 20 * time.Second
	DefaultCallTimeout    = vsphere.DefaultCallTimeout
	DefaultLANLatency     = 200 * time.Microsecond
)

// maxInFlight bounds the calls of a Path that have been sent and may yet be
// applied or answered.
const maxInFlight = 4096

// Config of a Path. Kernel and Target are needed.
type Config struct {
	Kernel *kernel.Kernel
	Target Target

	// Link between the appliance and the vCenter. Nil: both are on one LAN, which
	// takes LANLatency one way, never goes down, and is no bottleneck.
	Link       *wan.Link
	LANLatency time.Duration

	ConnectTimeout time.Duration // how long a call waits for a link that is down
	CallTimeout    time.Duration // how long a call waits for its answer

	// Intercept decides what happens to a call as it is sent. Nil: nothing.
	Intercept func(Call) Act
}

// Target is the vCenter at the end of a Path.
type Target struct {
	Site vsphere.Site
	URL  *url.URL // of the SDK
	User *url.Userinfo

	// Direct makes an in-process client with a session of its own. Nil: SOAP goes
	// over HTTP.
	Direct func(agent string) soap.RoundTripper
	// HTTP does a request at once, on the caller's goroutine: see InMemory and
	// Loopback.
	HTTP http.RoundTripper
	// Down says whether no vCenter is there to take a connection. Nil: one always is.
	Down func() bool
	// Transfer tells what lies behind the path of an NFC URL. Nil: nothing is
	// known, and what is charged are the bytes of the body.
	Transfer func(path string) (Transfer, bool)
}

// Transfer is what a vCenter knows of a disk's upload or download.
type Transfer struct {
	Object string      // "<vm>/<disk>", for the trace
	Used   int64       // bytes that a real disk of that content would send
	Broken func() bool // whether its lease has ended; may be nil
}

// Path is the way to one vCenter. It belongs to its kernel.
type Path struct {
	Config
	direct   bool
	calls    uint64
	inFlight int
	counts   map[string]int
}

// New returns a path that is in order.
func New(cfg Config) (*Path, error) {
	switch {
	case cfg.Kernel == nil:
		return nil, errors.New("transport: a path needs a kernel")
	case cfg.Target.HTTP == nil || cfg.Target.URL == nil:
		return nil, fmt.Errorf("transport: the path to %s needs the vCenter's URL and a way to do HTTP requests", cfg.Target.Site)
	}
	if cfg.LANLatency <= 0 {
		cfg.LANLatency = DefaultLANLatency
	}
	if cfg.ConnectTimeout <= 0 {
		cfg.ConnectTimeout = DefaultConnectTimeout
	}
	if cfg.CallTimeout <= 0 {
		cfg.CallTimeout = DefaultCallTimeout
	}
	return &Path{Config: cfg, direct: cfg.Target.Direct != nil, counts: map[string]int{}}, nil
}

// Endpoint is the vCenter as core sees it over this path. agent names the
// appliance among the vCenter's sessions.
func (p *Path) Endpoint(agent string) vsphere.Endpoint {
	e := vsphere.Endpoint{
		Site: p.Target.Site, URL: p.Target.URL, User: p.Target.User, Agent: agent,
		HTTP: p.HTTP(), CallTimeout: p.CallTimeout,
	}
	if p.direct {
		e.SOAP = p.SOAP
	}
	return e
}

// Calls counts the calls sent so far.
func (p *Path) Calls() int { return int(p.calls) }

// Count is the calls of that method sent so far.
func (p *Path) Count(method string) int { return p.counts[method] }

// The vCenter is in the cloud, or reached by way of it: what goes there goes to
// the cloud. A path from the cloud's side does not occur: the appliance is on
// premises.
const (
	out  = wan.ToCloud
	back = wan.ToPremises
)
