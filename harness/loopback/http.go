package loopback

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/hdm-project/hdm/sim/kernel"
)

// Limits of a server.
const (
	maxConnections = 512
	readTimeout    = time.Minute      // of a request, from its first byte to its last
	writeTimeout   = 10 * time.Minute // of an answer; a long poll lasts virtual time, which may pass slowly
	idleTimeout    = 10 * time.Minute
)

// server answers on one listener until Close.
type server struct {
	http *http.Server
	done chan struct{}
}

func serveHTTP(l net.Listener, handler http.Handler) *server {
	s := &server{done: make(chan struct{}), http: &http.Server{
		Handler: handler, ReadTimeout: readTimeout, IdleTimeout: idleTimeout, ErrorLog: log.New(io.Discard, "", 0),
	}}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(l) // Close ends it
	}()
	return s
}

// Close ends connections and waits for the server to end.
func (s *server) Close() error {
	err := s.http.Close()
	<-s.done
	return err
}

// bound lets only so many connections be open at once; who comes later waits
// until another one ends.
func bound(l net.Listener) net.Listener {
	return &bounded{Listener: l, free: make(chan struct{}, maxConnections), closed: make(chan struct{})}
}

type bounded struct {
	net.Listener
	free   chan struct{} // holds a token for each connection
	closed chan struct{}
	once   sync.Once
}

// Accept implements net.Listener.
func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.free <- struct{}{}:
	case <-b.closed:
		return nil, net.ErrClosed
	}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.free
		return nil, err
	}
	return &counted{Conn: c, free: b.free}, nil
}

// Close implements net.Listener.
func (b *bounded) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

type counted struct {
	net.Conn
	free chan struct{}
	once sync.Once
}

// Close implements net.Conn.
func (c *counted) Close() error {
	c.once.Do(func() { <-c.free })
	return c.Conn.Close()
}

// endWith ends a world when ctx is done. stop lets go of it.
func endWith(ctx context.Context, end context.CancelCauseFunc) (stop func() bool) {
	return context.AfterFunc(ctx, func() { end(kernel.ErrStopped) })
}

// window is the message queues over HTTP.
type window struct {
	w   *World
	bus *bus
}

// ServeHTTP answers one call. A long poll lasts virtual time; a client that goes
// away ends it.
func (h *window) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header()["Date"] = nil // a client would correct its clock by it
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQueueBody))
	if err != nil {
		http.Error(w, "the body is too large, or broke off: at most 8 MiB are taken here", http.StatusRequestEntityTooLarge)
		return
	}
	answer := make(chan response, 1)
	number, err := h.w.send(r, body, answer)
	if err != nil {
		w.Header().Set("Retry-After", "1")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	select {
	case a := <-answer:
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout)) // a slow reader loses it
		for k, v := range a.Header {                                                     //hdm:order-safe headers have no order
			w.Header()[k] = v
		}
		w.WriteHeader(a.Status)
		_, _ = w.Write(a.Body) // the client has gone: nobody to tell
	case <-r.Context().Done():
		h.w.hungUp(number)
	case <-h.w.ctx.Done():
		http.Error(w, "the world has ended", http.StatusServiceUnavailable)
	}
}
