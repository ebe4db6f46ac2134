//go:build check

package page_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// browse opens a page in a browser without a screen. Everything that it asks the
// network for goes to a proxy that counts. It returns the page as it is after its
// script, and what the console said.
func browse(t *testing.T, html string) (dom, console string, asked int64) {
	t.Helper()
	browser, err := exec.LookPath("chromium")
	require.NoError(t, err, "this test needs a browser (Debian: apt install chromium)")
	var count atomic.Int64
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	proxy := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Host+r.RequestURI, "evil.example") { // what the browser asks for itself is not the page's
			count.Add(1)
		}
		w.WriteHeader(http.StatusForbidden)
	}), ReadHeaderTimeout: time.Minute}
	go func() { _ = proxy.Serve(listener) }() // it ends with Close
	defer proxy.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "report.html")
	require.NoError(t, os.WriteFile(file, []byte(html), 0o644))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr", "--log-level=0",
		"--proxy-server="+listener.Addr().String(), "--user-data-dir="+filepath.Join(dir, "user"), "--dump-dom", "file://"+file)
	var out, log strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &log
	require.NoError(t, cmd.Run(), log.String())
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "CONSOLE") {
			console += line
		}
	}
	return out.String(), console, count.Load()
}

func TestABrowserTakesThePageAndLoadsNothing(t *testing.T) {
	dom, console, asked := browse(t, drawn(t, suite(hostile)))
	assert.Zero(t, asked)
	assert.Empty(t, console)
	assert.True(t, strings.Contains(dom, `<p class="tools">`), "its script has run, and shown its buttons")
}

func TestABrowserRefusesWhatThePolicyForbids(t *testing.T) {
	html := strings.Replace(drawn(t, suite("x")), "<footer>", `<img src="http://evil.example/x"><script>document.title="taken"</script><footer>`, 1)
	dom, console, asked := browse(t, html)
	assert.Zero(t, asked)
	assert.Contains(t, console, "Content Security Policy")
	assert.False(t, strings.Contains(dom, "<title>taken"))
}
