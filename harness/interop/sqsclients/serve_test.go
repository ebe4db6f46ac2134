//go:build check

package sqsclients

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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

// tool finds a program of Debian's, not one of the same name that comes first in
// somebody's path.
func tool(t *testing.T, name string) string {
	path := filepath.Join("/usr/bin", name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	path, err := exec.LookPath(name)
	require.NoError(t, err, "install what this test needs: apt install awscli python3-boto3 nodejs npm (Node 20 or later)")
	return path
}

// npm installs exact versions into the user's cache, once, and returns the
// folder whose node_modules has them.
func npm(t *testing.T, packages ...string) string {
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	parent := filepath.Join(cache, "hdm-interop")
	name := ""
	for _, p := range packages {
		name += "+" + filepath.Base(p)
	}
	dir := filepath.Join(parent, name[1:])
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	require.NoError(t, os.MkdirAll(parent, 0o755))
	fresh, err := os.MkdirTemp(parent, "new-")
	require.NoError(t, err)
	c := exec.Command(tool(t, "npm"), append([]string{"install", "--prefix", fresh, "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact"}, packages...)...)
	c.Dir = fresh
	out, err := c.CombinedOutput()
	require.NoError(t, err, "npm install %v: %s", packages, out)
	if err := os.Rename(fresh, dir); err != nil && !errors.Is(err, os.ErrExist) { // another test was first
		require.DirExists(t, dir, "%v", err)
		require.NoError(t, os.RemoveAll(fresh))
	}
	return dir
}
