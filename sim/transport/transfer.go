package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/wan"
)

// pieces is in how many a disk crosses at least: so fine that reading the body,
// the time on the link and the progress of the lease advance together.
const pieces = 100

// pieceSeconds is how long a piece may take of a link that it has to itself: no
// stream of a real network stands still for minutes while it moves, and callers
// watch for one that does.
const pieceSeconds = 10

// pieceUnknown is the size of a piece of a body of unknown length, in bytes.
const pieceUnknown = 64 << 10

// transfer is the download or the upload of a disk.
func (p *Path) transfer(req *http.Request) (*http.Response, error) {
	t := Transfer{Object: "nfc"}
	if p.Target.Transfer != nil {
		if known, is := p.Target.Transfer(req.URL.Path); is {
			t = known
		}
	}
	if req.Method == http.MethodGet {
		return p.download(req, t)
	}
	return p.upload(req, t)
}

// download asks for a disk; its body crosses as it is read.
func (p *Path) download(req *http.Request, t Transfer) (*http.Response, error) {
	res, err := p.plain(req, req.Method+" nfc", t.Object, nil)
	if err != nil || res.StatusCode >= http.StatusBadRequest {
		return res, err
	}
	res.Body = &download{
		crossing: p.cross(req.Method, t, back, res.ContentLength),
		ctx:      req.Context(),
		body:     res.Body,
	}
	return res, nil
}

// download is a body that crosses the link piece by piece.
type download struct {
	*crossing
	ctx  context.Context
	body io.Reader
	left int // bytes of the present piece, which has crossed
}

func (d *download) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if d.left == 0 {
		n := min(d.piece, d.length-d.real)
		if n == 0 {
			return 0, io.EOF
		}
		if err := d.push(d.ctx, n, n == d.length-d.real); err != nil {
			return 0, err
		}
		d.left = int(n)
	}
	n, err := d.body.Read(b[:min(len(b), d.left)])
	d.left -= n
	return n, err
}

func (d *download) Close() error {
	d.end(context.Canceled)
	return nil
}

// upload takes a body over the link piece by piece, and has it applied when
// the whole is there.
func (p *Path) upload(req *http.Request, t Transfer) (*http.Response, error) {
	a := &httpAnswer{path: p, req: req}
	var body []byte
	err := p.exchange(req.Context(), req.Method+" nfc", t.Object, work{
		upload: func(ctx context.Context) (err error) {
			body, err = p.carry(ctx, req, t)
			return err
		},
		apply:  func() string { return a.apply(body) },
		refuse: a.refuse,
	})
	if err != nil {
		return nil, err
	}
	return a.response()
}

func (p *Path) carry(ctx context.Context, req *http.Request, t Transfer) (_ []byte, err error) {
	x := p.cross(req.Method, t, out, req.ContentLength)
	defer func() { x.end(err) }()
	var whole bytes.Buffer
	for body := req.Body; ; {
		n, err := io.CopyN(&whole, body, x.piece)
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return nil, err
		}
		if whole.Len() > maxBody {
			return nil, &TooLargeError{maxBody}
		}
		if last && req.ContentLength >= 0 && int64(whole.Len()) != req.ContentLength {
			return nil, fmt.Errorf("upload of %s: the body has %d bytes, %d were announced: %w",
				t.Object, whole.Len(), req.ContentLength, io.ErrUnexpectedEOF)
		}
		if err := x.push(ctx, n, last); err != nil {
			return nil, err
		}
		if last {
			return whole.Bytes(), nil
		}
	}
}

// crossing is a disk on its way: what is charged for it goes in step with its
// real bytes, and their ends meet.
type crossing struct {
	path   *Path
	method string
	about  Transfer
	dir    wan.Direction
	began  time.Duration
	ended  bool

	length int64 // real bytes in all; -1 if not known
	piece  int64 // real bytes in a piece
	due    int64 // bytes to charge in all; 0 if not known
	real   int64 // real bytes so far
	sent   int64 // bytes charged so far
}

func (p *Path) cross(method string, t Transfer, dir wan.Direction, length int64) *crossing {
	x := &crossing{path: p, method: method, about: t, dir: dir, began: p.Kernel.Now(), length: length, piece: pieceUnknown}
	if length >= 0 {
		x.due = max(length, t.Used)
		n := int64(pieces)
		if p.Link != nil {
			n = max(n, x.due/(p.Link.Quality(dir).Bandwidth*pieceSeconds))
		}
		x.piece = max((length+n-1)/n, 1)
	}
	x.emit("started", x.due)
	return x
}

// push takes the next n real bytes over. Errors: *Error if the lease has ended,
// ctx.Err(), wan.ErrBusy.
func (x *crossing) push(ctx context.Context, n int64, last bool) error {
	x.real += n
	var upTo int64
	switch {
	case last:
		upTo = max(x.real, x.about.Used)
	case x.length > 0:
		upTo = int64(float64(x.due) * (float64(x.real) / float64(x.length)))
	default:
		upTo = x.real
	}
	err := x.broken()
	if err == nil && x.path.Link != nil {
		err = x.path.Link.Push(ctx, x.dir, upTo-x.sent)
	}
	if err == nil {
		x.sent = max(x.sent, upTo)
		err = x.broken() // a lease can end while its bytes wait for the link
	}
	if err != nil || last {
		x.end(err)
	}
	return err
}

func (x *crossing) broken() error {
	if x.about.Broken == nil || !x.about.Broken() {
		return nil
	}
	return &Error{
		Site: x.path.Target.Site, Method: x.method + " nfc", Object: x.about.Object,
		Reason: Broken, After: x.path.Kernel.Now() - x.began,
	}
}

// end tells the trace how the crossing ended, once.
func (x *crossing) end(err error) {
	if x.ended {
		return
	}
	x.ended = true
	state := "finished"
	if err != nil {
		state = "failed"
	}
	x.emit(state, x.sent)
}

func (x *crossing) emit(state string, bytes int64) {
	if x.path.Link == nil {
		return // a LAN is no link of the world
	}
	x.path.Kernel.Emit(event.Transfer, x.path.Link.Name(),
		"direction", x.dir.String(), "what", x.about.Object, "bytes", formatBytes(bytes), "state", state)
}
