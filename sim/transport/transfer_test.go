package transport_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/transport"
	"github.com/hdm-project/hdm/sim/wan"
)

// used is what a real disk of the content would send: a hundred seconds.
const used = 100 * bandwidth

// image is a disk of few touched blocks.
var image = bytes.Repeat([]byte("touched block "), 5000)

// disks makes a vCenter that knows a disk behind each NFC URL.
func disks(broken func() bool) func(*transport.Config) {
	return func(c *transport.Config) {
		c.Target.Transfer = func(path string) (transport.Transfer, bool) {
			return transport.Transfer{Object: "db-01/disk-0", Used: used, Broken: broken}, true
		}
	}
}

func (w *world) request(ctx context.Context, method, name string, body io.Reader, length int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "https://"+w.path.Target.URL.Host+"/nfc/52ab/"+name, body)
	require.NoError(w.t, err)
	req.ContentLength = length
	return (&http.Client{Transport: w.path.HTTP()}).Do(req)
}

func (w *world) put(ctx context.Context, body io.Reader, length int64) error {
	res, err := w.request(ctx, http.MethodPut, "disk-0.vmdk", body, length)
	if err == nil {
		assert.Equal(w.t, http.StatusCreated, res.StatusCode)
		assert.NoError(w.t, res.Body.Close())
	}
	return err
}

func TestAnUploadIsChargedWhatARealDiskWouldSend(t *testing.T) {
	for name, length := range map[string]int64{"of known length": int64(len(image)), "of unknown length": -1} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, mode string) {
				w := newWorld(t, mode, disks(nil))
				w.do(func(ctx context.Context) { assert.NoError(t, w.put(ctx, bytes.NewReader(image), length)) })
				assert.Equal(t, image, w.files["/nfc/52ab/disk-0.vmdk"], "and its bytes are real")
				assert.InDelta(t, 100, w.Now().Seconds(), 0.2)
				assert.InDelta(t, used, w.link.Carried(wan.ToCloud), 2000)
				assert.Less(t, w.Events(), uint64(500))
			})
		})
	}
}

func TestADiskWithNothingDeclaredIsChargedItsRealBytes(t *testing.T) {
	w := newWorld(t, "direct")
	w.do(func(ctx context.Context) {
		assert.NoError(t, w.put(ctx, bytes.NewReader(image), int64(len(image))))
		assert.NoError(t, w.put(ctx, bytes.NewReader(nil), 0))
	})
	assert.InDelta(t, len(image), w.link.Carried(wan.ToCloud), 3000)
	assert.Contains(t, w.trace[0], "sent PUT nfc")
}

func TestADownloadIsChargedWhatARealDiskWouldSend(t *testing.T) {
	each(t, func(t *testing.T, mode string) {
		w := newWorld(t, mode, disks(nil))
		w.files["/nfc/52ab/disk-0.vmdk"] = image
		w.do(func(ctx context.Context) {
			res, err := w.request(ctx, http.MethodGet, "disk-0.vmdk", nil, 0)
			if !assert.NoError(t, err) {
				return
			}
			assert.EqualValues(t, len(image), res.ContentLength)
			assert.Less(t, w.Now(), time.Second, "the answer begins at once")
			got, err := io.ReadAll(res.Body)
			assert.NoError(t, err)
			assert.Equal(t, image, got)
			assert.InDelta(t, 100, w.Now().Seconds(), 0.2)
			assert.NoError(t, res.Body.Close())
		})
		assert.InDelta(t, used, w.link.Carried(wan.ToPremises), 5000)
	})
}

func TestReadingTheBodyAndTheTimeOnTheLinkAdvanceTogether(t *testing.T) {
	w := newWorld(t, "direct", disks(nil))
	pieces := 0
	body := reader(func(b []byte, off int) (int, error) {
		due := float64(off) / float64(len(image)) * 100 // seconds
		assert.InDelta(t, due, w.Now().Seconds(), 2)
		pieces++
		n := copy(b, image[off:])
		if n == 0 {
			return 0, io.EOF
		}
		return n, nil
	})
	w.do(func(ctx context.Context) { assert.NoError(t, w.put(ctx, body, int64(len(image)))) })
	assert.InDelta(t, 100, pieces, 10)
}

// reader is an io.Reader from a function that gets the offset.
func reader(f func(b []byte, off int) (int, error)) io.Reader { return &offsetReader{f: f} }

type offsetReader struct {
	f   func([]byte, int) (int, error)
	off int
}

func (r *offsetReader) Read(b []byte) (int, error) {
	n, err := r.f(b, r.off)
	r.off += n
	return n, err
}

func TestAnExportPipedIntoAnImportRunsAtTheSpeedOfTheLink(t *testing.T) {
	each(t, func(t *testing.T, mode string) {
		w := newWorld(t, mode, disks(nil))
		lan := func(c *transport.Config) { c.Link = nil }
		premises := newWorld(t, mode, disks(nil), lan, func(c *transport.Config) { c.Kernel = w.Kernel })
		premises.files["/nfc/52ab/disk-0.vmdk"] = image
		w.do(func(ctx context.Context) {
			res, err := premises.request(ctx, http.MethodGet, "disk-0.vmdk", nil, 0)
			if assert.NoError(t, err) {
				assert.NoError(t, w.put(ctx, res.Body, res.ContentLength))
			}
		})
		assert.Equal(t, image, w.files["/nfc/52ab/disk-0.vmdk"])
		assert.InDelta(t, 100, w.Now().Seconds(), 0.2)
	})
}

func TestATransferStallsWhileTheLinkIsDown(t *testing.T) {
	w := newWorld(t, "direct", disks(nil))
	w.After(50*time.Second, func() { w.link.SetDown(wan.Both, true) })
	w.After(10*time.Minute, func() { w.link.SetDown(wan.Both, false) })
	w.do(func(ctx context.Context) { assert.NoError(t, w.put(ctx, bytes.NewReader(image), int64(len(image)))) })
	assert.InDelta(t, 650, w.Now().Seconds(), 0.2)
}

func TestATransferBreaksWhenItsLeaseEnds(t *testing.T) {
	var w *world
	ended := func() bool { return w.Now() > 50*time.Second }
	transfers := map[string]func(ctx context.Context) error{
		"upload": func(ctx context.Context) error { return w.put(ctx, bytes.NewReader(image), int64(len(image))) },
		"download": func(ctx context.Context) error {
			res, err := w.request(ctx, http.MethodGet, "disk-1.vmdk", nil, 0)
			require.NoError(t, err)
			_, err = io.ReadAll(res.Body)
			return err
		},
	}
	for name, transfer := range transfers {
		t.Run(name, func(t *testing.T) {
			w = newWorld(t, "direct", disks(ended))
			w.files["/nfc/52ab/disk-1.vmdk"] = image
			var states []string
			w.Observe(func(e kernel.Event) {
				if e.Kind == event.Transfer {
					states = append(states, e.Attr("state"))
				}
			})
			w.do(func(ctx context.Context) {
				err := transfer(ctx)
				var broken *transport.Error
				require.ErrorAs(t, err, &broken)
				assert.Equal(t, transport.Broken, broken.Reason)
				assert.InDelta(t, 51, w.Now().Seconds(), 1.1)
			})
			assert.NotContains(t, w.files, "/nfc/52ab/disk-0.vmdk", "half a disk is none")
			assert.Equal(t, []string{"started", "failed"}, states)
		})
	}
}

func TestTheTraceTellsOfTransfersByWhatTheyCarry(t *testing.T) {
	w := newWorld(t, "direct", disks(nil))
	var heard []kernel.Event
	w.Observe(func(e kernel.Event) {
		if e.Kind == event.Transfer {
			heard = append(heard, e)
		}
	})
	w.do(func(ctx context.Context) { assert.NoError(t, w.put(ctx, bytes.NewReader(image), int64(len(image)))) })
	require.Len(t, heard, 2)
	for i, state := range []string{"started", "finished"} {
		assert.Equal(t, "wan", heard[i].Subject)
		assert.Equal(t, []kernel.Attr{
			{Key: "direction", Value: "to-cloud"}, {Key: "what", Value: "db-01/disk-0"},
			{Key: "bytes", Value: "100000000"}, {Key: "state", Value: state},
		}, heard[i].Attrs)
	}
}

func TestAnAbandonedTransferFreesTheLink(t *testing.T) {
	ends := map[string]func(w *world, cancel context.CancelFunc){
		"cancelled":          func(_ *world, cancel context.CancelFunc) { cancel() },
		"its power has gone": func(w *world, _ context.CancelFunc) { w.machine.PowerOff() },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, mode string) {
				w := newWorld(t, mode, disks(nil))
				ctx, cancel := w.machine.WithCancel(background)
				var err error
				w.machine.Go(ctx, "upload", func(ctx context.Context) {
					err = w.put(ctx, bytes.NewReader(image), int64(len(image)))
				})
				w.After(30*time.Second, func() { end(w, cancel) })
				w.run()
				assert.Zero(t, w.link.Transfers(wan.Both))
				assert.InDelta(t, 30*bandwidth, w.link.Carried(wan.ToCloud), bandwidth)
				assert.Zero(t, w.applied, "a body that broke off is no disk")
				if name == "cancelled" {
					assert.ErrorIs(t, err, context.Canceled)
				}
			})
		})
	}
}

func TestABodyShorterThanAnnouncedIsNotApplied(t *testing.T) {
	each(t, func(t *testing.T, mode string) {
		w := newWorld(t, mode, disks(nil))
		w.do(func(ctx context.Context) {
			err := w.put(ctx, bytes.NewReader(image[:1000]), int64(len(image)))
			assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
			assert.ErrorContains(t, err, "the body has 1000 bytes, 70000 were announced")
		})
		assert.Zero(t, w.applied)
	})
}

func TestAServerThatBreaksOffBreaksTheDownload(t *testing.T) {
	each(t, func(t *testing.T, mode string) {
		w := newWorld(t, mode, disks(nil))
		w.files["/nfc/52ab/torn"] = image
		w.do(func(ctx context.Context) {
			_, err := w.request(ctx, http.MethodGet, "torn", nil, 0)
			assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		})
	})
}

func TestWhatIsNotThereIsAnsweredNotCarried(t *testing.T) {
	each(t, func(t *testing.T, mode string) {
		w := newWorld(t, mode, disks(nil))
		w.do(func(ctx context.Context) {
			res, err := w.request(ctx, http.MethodGet, "missing", nil, 0)
			if assert.NoError(t, err) {
				assert.Equal(t, http.StatusNotFound, res.StatusCode)
			}
		})
		assert.Less(t, w.Now(), time.Second)
		assert.Contains(t, w.trace[1], "applied GET nfc HTTP 404")
	})
}

func TestFaultsActOnTransfersToo(t *testing.T) {
	each(t, func(t *testing.T, mode string) {
		w := newWorld(t, mode, disks(nil), func(c *transport.Config) {
			c.Intercept = func(call transport.Call) transport.Act {
				assert.Equal(t, "PUT nfc", call.Method)
				assert.Equal(t, "db-01/disk-0", call.Object)
				return transport.LoseAnswer()
			}
		})
		w.do(func(ctx context.Context) {
			err := w.put(ctx, bytes.NewReader(image), int64(len(image)))
			var e *transport.Error
			require.ErrorAs(t, err, &e)
			assert.True(t, e.Timeout())
		})
		assert.Equal(t, 1, w.applied)
	})
}
