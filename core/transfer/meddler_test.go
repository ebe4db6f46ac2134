package transfer_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

// meddler is something on the network between the appliance and a site that
// gets at the streams of disks.
type meddler struct {
	world    *world
	inner    http.RoundTripper
	stalls   bool
	corrupts bool
}

func (m *meddler) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(req.URL.Path, "/nfc/") {
		return m.inner.RoundTrip(req)
	}
	if req.Body != nil {
		changed := req.Clone(req.Context())
		changed.Body = &meddled{m, req.Context(), req.Body, 0}
		return m.inner.RoundTrip(changed)
	}
	res, err := m.inner.RoundTrip(req)
	if err == nil {
		res.Body = &meddled{m, req.Context(), res.Body, 0}
	}
	return res, err
}

// meddled is a body that stands still after its first piece, or of which a bit
// flips where no decoder looks: in the padding behind a VMDK's header.
type meddled struct {
	by   *meddler
	ctx  context.Context
	body io.ReadCloser
	at   int
}

const padding = 100

func (b *meddled) Read(p []byte) (int, error) {
	if b.by.stalls && b.at > 0 && b.by.world.Kernel.Now() >= b.by.world.stallsFrom {
		if err := b.by.world.machine.Sleep(b.ctx, 24*time.Hour); err != nil {
			return 0, err
		}
	}
	n, err := b.body.Read(p)
	if i := padding - b.at; b.by.corrupts && 0 <= i && i < n {
		p[i] ^= 1
	}
	b.at += n
	return n, err
}

func (b *meddled) Close() error { return b.body.Close() }
