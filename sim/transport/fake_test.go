package transport_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/vpx"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/machine"
	"github.com/hdm-project/hdm/sim/transport"
	"github.com/hdm-project/hdm/sim/wan"
)

// The link of these tests: a call takes 100 ms, a megabyte takes a second.
const (
	latency   = 50 * time.Millisecond
	bandwidth = 1_000_000
)

var background = context.Background()

// modes are the ways in which a call can get to the vCenter.
var modes = []string{"direct", "soap in memory", "soap over TLS"}

// world is an appliance's machine, a link, and a vCenter that notes what is
// applied to it.
type world struct {
	*kernel.Kernel
	t       testing.TB
	machine *machine.Machine
	link    *wan.Link
	path    *transport.Path
	client  func() soap.RoundTripper
	trace   []string // of call.*: "100ms applied ok"

	mu      sync.Mutex // served over TLS, the handler runs on the server's goroutines
	applied int
	files   map[string][]byte // uploads, and what is there to download
}

func newWorld(t testing.TB, mode string, change ...func(*transport.Config)) *world {
	k := kernel.New(1)
	t.Cleanup(k.Close)
	link, err := wan.New(k, "wan", wan.Symmetric(wan.Quality{Latency: latency, Bandwidth: bandwidth}))
	require.NoError(t, err)
	w := &world{Kernel: k, t: t, machine: machine.New(k, "appliance"), link: link, files: map[string][]byte{}}

	registry, instance := simulator.NewServiceInstance(simulator.NewContext(), vpx.ServiceContent, vpx.RootFolder)
	service := simulator.New(registry, instance)
	service.Listen = &url.URL{Host: "cloud.invalid", User: url.UserPassword("user", "password")}
	service.RegisterSDK(registry.Map)
	target := transport.Target{Site: vsphere.Cloud, URL: &url.URL{Scheme: "https", Host: "cloud.invalid", Path: "/sdk"}}
	handler := http.NewServeMux()
	handler.HandleFunc("/sdk", func(rw http.ResponseWriter, r *http.Request) { w.note(); service.ServeSDK(rw, r) })
	handler.HandleFunc("/nfc/", w.serveFile)
	target.HTTP = transport.InMemory(handler)
	switch mode {
	case "direct":
		target.Direct = func(string) soap.RoundTripper {
			return roundTripper(func(ctx context.Context, req, res soap.HasFault) error {
				w.note()
				return service.RoundTrip(ctx, req, res)
			})
		}
	case "soap over TLS":
		server := httptest.NewTLSServer(handler)
		t.Cleanup(server.Close)
		target.URL, err = url.Parse(server.URL + "/sdk")
		require.NoError(t, err)
		loopback, err := transport.Loopback(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
		require.NoError(t, err)
		t.Cleanup(loopback.CloseIdleConnections)
		target.HTTP = loopback
	}
	cfg := transport.Config{Kernel: k, Target: target, Link: link}
	for _, f := range change {
		f(&cfg)
	}
	w.path, err = transport.New(cfg)
	require.NoError(t, err)
	w.client = func() soap.RoundTripper {
		if mode == "direct" {
			return w.path.SOAP("test")
		}
		c := soap.NewClient(target.URL, false)
		c.Client.Transport = w.path.HTTP()
		return c
	}
	k.Observe(func(e kernel.Event) {
		if rest, is := cutCall(e.Kind); is {
			w.trace = append(w.trace, trim(fmt.Sprintf("%v %s %s %s", e.At, rest, e.Attr("method"), e.Attr("outcome"))))
		}
	})
	return w
}

type roundTripper func(ctx context.Context, req, res soap.HasFault) error

func (f roundTripper) RoundTrip(ctx context.Context, req, res soap.HasFault) error {
	return f(ctx, req, res)
}

func cutCall(kind string) (string, bool) {
	return string(bytes.TrimPrefix([]byte(kind), []byte("call."))), bytes.HasPrefix([]byte(kind), []byte("call."))
}

func trim(s string) string { return string(bytes.TrimSpace([]byte(s))) }

func (w *world) note() {
	w.mu.Lock()
	w.applied++
	w.mu.Unlock()
}

func (w *world) serveFile(rw http.ResponseWriter, r *http.Request) {
	w.note()
	w.mu.Lock()
	defer w.mu.Unlock()
	switch r.Method {
	case http.MethodPut:
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		w.files[r.URL.Path] = body
		rw.WriteHeader(http.StatusCreated)
	case http.MethodGet:
		content, there := w.files[r.URL.Path]
		if !there {
			http.NotFound(rw, r)
			return
		}
		for i := 0; i < len(content); i += 1000 {
			_, _ = rw.Write(content[i:min(i+1000, len(content))])
		}
		if bytes.HasSuffix([]byte(r.URL.Path), []byte("torn")) {
			panic(http.ErrAbortHandler)
		}
	}
}

// do runs fn as a process of the appliance, and then the world to its end.
func (w *world) do(fn func(ctx context.Context)) {
	w.t.Helper()
	ended := false
	w.machine.Go(background, "test", func(ctx context.Context) { fn(ctx); ended = true })
	w.run()
	require.True(w.t, ended, "the process has ended by itself")
}

func (w *world) run() {
	w.t.Helper()
	require.NoError(w.t, kernel.NewDriver(w.Kernel, 0, kernel.Limits{Events: 1e6}).Run(kernel.Forever, nil))
}

// content asks the vCenter for its content, which is answered without a login.
func content(ctx context.Context, c soap.RoundTripper) (types.ServiceContent, error) {
	return methods.GetServiceContent(ctx, c)
}
