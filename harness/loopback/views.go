package loopback

import (
	"bytes"
	"net/http"

	"github.com/hdm-project/hdm/core/api"
)

// views is HDM's API over HTTP: what the plug-in and the console are shown. To look
// is no step, and leaves nothing in the recording.
type views struct {
	w   *World
	api http.Handler
}

func newViews(w *World) *views {
	return &views{w, api.Handler(func() api.Appliance {
		if app := w.live.Appliance(); app != nil {
			return app
		}
		return nil
	})}
}

// ServeHTTP writes the answer down between two events, and sends it afterwards: a
// slow reader holds up nobody.
func (h *views) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	held := &page{ResponseWriter: w}
	if err := h.w.live.Driver().Look(r.Context().Done(), func() { h.api.ServeHTTP(held, r) }); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(held.status)
	_, _ = w.Write(held.body.Bytes()) // the client has gone: nobody to tell
}

// page is an answer that is held back.
type page struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader implements http.ResponseWriter.
func (p *page) WriteHeader(status int) { p.status = status }

// Write implements http.ResponseWriter.
func (p *page) Write(b []byte) (int, error) { return p.body.Write(b) }
