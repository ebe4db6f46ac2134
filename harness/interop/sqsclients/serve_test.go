//go:build check

package sqsclients

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/hdm-project/hdm/sim/sqs"
)

// endpoint serves a service over HTTP, on the wall clock. One call at a time
// enters the service; many may wait in it.
type endpoint struct {
	mu      sync.Mutex
	service *sqs.Service
}

func (e *endpoint) Now() time.Time { return time.Now() }

// After enters the service as a call would.
func (e *endpoint) After(d time.Duration, f func()) (stop func() bool) {
	t := time.AfterFunc(d, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		f()
	})
	return t.Stop
}

func serve(t *testing.T) (url string) {
	e := &endpoint{}
	e.service = sqs.New(sqs.Config{Clock: e})
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return server.URL
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	answer := make(chan sqs.Response, 1)
	e.mu.Lock()
	cancel := e.service.Do(sqs.Request{
		Method: r.Method, Path: r.URL.Path, RawQuery: r.URL.RawQuery, Host: r.Host, Header: r.Header, Body: body,
	}, func(got sqs.Response) { answer <- got })
	e.mu.Unlock()
	select {
	case got := <-answer:
		for k, v := range got.Header {
			w.Header()[k] = v
		}
		w.WriteHeader(got.Status)
		_, _ = w.Write(got.Body) // who has gone does not read it
	case <-r.Context().Done():
		e.mu.Lock()
		defer e.mu.Unlock()
		cancel()
	}
}
