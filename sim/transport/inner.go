package transport

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// InMemory does requests by calling h on the caller's goroutine.
func InMemory(h http.Handler) http.RoundTripper { return inMemory{h} }

type inMemory struct{ handler http.Handler }

func (m inMemory) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body == nil {
		req.Body = http.NoBody // as a server hands it to handlers
	}
	req.RequestURI = req.URL.RequestURI()
	if req.Host == "" {
		req.Host = req.URL.Host
	}
	r := &recorder{header: http.Header{}}
	if err := r.serve(m.handler, req); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: r.status,
		Status:     strconv.Itoa(r.status) + " " + http.StatusText(r.status),
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: r.sent, Request: req,
		Body: io.NopCloser(&r.body), ContentLength: int64(r.body.Len()),
	}, nil
}

// recorder is what a handler wrote.
type recorder struct {
	header http.Header
	sent   http.Header // as it was at WriteHeader
	status int
	body   bytes.Buffer
}

// serve has h answer. A handler that aborts breaks the connection, as under a
// server; any other panic is a bug and goes on.
func (r *recorder) serve(h http.Handler, req *http.Request) (err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case any(http.ErrAbortHandler):
			err = fmt.Errorf("%s %s: the server broke the connection: %w", req.Method, req.URL.Path, io.ErrUnexpectedEOF)
		default:
			panic(v)
		}
	}()
	h.ServeHTTP(r, req)
	r.WriteHeader(http.StatusOK) // nothing if the handler has
	return nil
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status != 0 {
		return
	}
	r.status, r.sent = status, r.header.Clone()
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if r.body.Len()+len(b) > maxBody {
		return 0, &TooLargeError{maxBody}
	}
	return r.body.Write(b)
}

// Flush is for handlers that stream: nothing is held back here.
func (r *recorder) Flush() { r.WriteHeader(http.StatusOK) }

// Loopback does requests over real TLS connections to a server with a
// certificate that caPEM vouches for. Close its idle connections at the end.
func Loopback(caPEM []byte) (*http.Transport, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(caPEM) {
		return nil, errors.New("transport: no certificate in the PEM of the vCenter's authority")
	}
	return &http.Transport{
		TLSClientConfig:    &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DisableCompression: true, // a disk's bytes are to arrive as they were sent
	}, nil
}

func formatBytes(n int64) string { return strconv.FormatInt(n, 10) }
