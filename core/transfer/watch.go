package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hdm-project/hdm/core/runtime"
	"github.com/hdm-project/hdm/core/vsphere"
)

const (
	// keepEvery is how often both leases hear of progress. They expire after five
	// minutes without.
	keepEvery = 10 * time.Second
	// againEvery is how soon a call that got no answer is made again: after an
	// outage every second counts for the lease.
	againEvery = time.Second
	// stallMost is how long no byte may pass while both vCenters answer: then
	// something between them holds the stream.
	stallMost = 2 * time.Minute
	// outageMost is how long no byte may pass while a vCenter cannot be reached.
	// The stream goes on by itself after a shorter outage; by then its lease has
	// expired.
	outageMost = 5 * time.Minute
)

// keptLease is what a keeper needs of an export or an import.
type keptLease interface {
	Progress(ctx context.Context, percent int32) error
	Check(ctx context.Context) error
}

// watcher keeps both leases and watches over the stream while disks cross.
type watcher struct {
	bulk  *bulk
	stop  context.CancelFunc // ends the transfer
	tasks []runtime.Task

	mu    sync.Mutex
	cause error // why the watcher ended the transfer
	// silent is why the site's last call got no answer; nil if it did.
	silent [2]error
	// down is when the way to the site was found down, on the monotonic clock, if
	// silent says that it is.
	down [2]time.Duration
	// since is when a site that had been silent answered again, on the monotonic
	// clock: a stream needs a while to move again after an outage.
	since time.Duration
}

func watch(ctx context.Context, stop context.CancelFunc, b *bulk, report func(vsphere.Progress)) *watcher {
	w := &watcher{bulk: b, stop: stop}
	for i, l := range []keptLease{b.export, b.imported} {
		w.tasks = append(w.tasks, b.runtime.Go(ctx, "lease-keeper/"+string(b.sites[i]), func(ctx context.Context) { w.keep(ctx, i, l) }))
	}
	w.tasks = append(w.tasks, b.runtime.Go(ctx, "transfer-watchdog", func(ctx context.Context) { w.guard(ctx, report) }))
	return w
}

// end stops watching and waits until that is so.
func (w *watcher) end() {
	for _, t := range w.tasks {
		t.Cancel()
	}
	for _, t := range w.tasks {
		_ = t.Wait(context.Background()) // never cancelled
	}
}

// keep tells one lease how far the transfer is. A call that fails is made again
// at the next turn; a lease that has ended ends the transfer.
func (w *watcher) keep(ctx context.Context, i int, l keptLease) {
	for {
		err := l.Progress(ctx, w.bulk.meter.progress().Percent)
		if err != nil && vsphere.FaultName(err) != "" {
			// A fault of the call, or of the lease? The lease knows.
			err = l.Check(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		if vsphere.FaultName(err) != "" {
			if cut := cutOff(w.silence(i)); cut != nil { // that is why it expired
				err = outage(cut, 0) // the way is up again
			}
			w.abort(err)
			return
		}
		w.hear(i, err)
		pause := keepEvery
		if err != nil {
			pause = againEvery
		}
		if w.bulk.runtime.Sleep(ctx, pause) != nil {
			return
		}
	}
}

// guard reports progress and ends a transfer that stands still.
func (w *watcher) guard(ctx context.Context, report func(vsphere.Progress)) {
	for w.bulk.runtime.Sleep(ctx, keepEvery) == nil {
		report(w.bulk.meter.progress())
		still, silent := w.bulk.meter.still(), errors.Join(w.silence(0), w.silence(1))
		switch {
		case silent != nil && still >= outageMost:
			w.abort(outage(cmp.Or(cutOff(w.silence(0), w.silence(1)), silent), w.downFor()))
			return
		case silent == nil && min(still, w.answering()) >= stallMost:
			w.abort(&vsphere.Error{
				Site: w.bulk.sites[1], Op: "import", Object: "the copy", Class: vsphere.Retryable,
				Hint: "the transfer starts again from the beginning; if it stalls again, look for what cuts long connections between the sites",
				Err:  fmt.Errorf("no byte has passed for %v while both vCenters answer", stallMost),
			})
			return
		}
	}
}

// hear notes how the last call to site i went.
func (w *watcher) hear(i int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.bulk.runtime.Elapsed()
	if w.silent[i] != nil && err == nil {
		w.since = now
	}
	if cutOff(err) != nil && cutOff(w.silent[i]) == nil {
		w.down[i] = now
	}
	w.silent[i] = err
}

// downFor is for how long the way to a site has been found down, the longer if
// that is so of both; 0 if it is of none.
func (w *watcher) downFor() (longest time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, s := range w.silent {
		if cutOff(s) != nil {
			longest = max(longest, w.bulk.runtime.Elapsed()-w.down[i])
		}
	}
	return longest
}

// answering is for how long both sites have answered, if they do.
func (w *watcher) answering() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bulk.runtime.Elapsed() - w.since
}

// silence is why site i did not answer the last time; nil if it did.
func (w *watcher) silence(i int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.silent[i]
}

// cutOff finds, among reasons for silence, that the way was down.
func cutOff(silences ...error) error {
	for _, s := range silences {
		if vsphere.ClassOf(s) == vsphere.Unreachable {
			return s
		}
	}
	return nil
}

// outage is the error of a transfer that ended because a vCenter fell silent.
// If the way to it was down, waiting for that is no failure of the transfer, and
// down is for how long that was.
func outage(silent error, down time.Duration) error {
	e := &vsphere.Error{
		Op: "reach", Object: "the vCenter during a transfer", Class: vsphere.ClassOf(silent), Down: down,
		Hint: "the transfer starts again when it answers", Err: silent,
	}
	var known *vsphere.Error
	if errors.As(silent, &known) {
		e.Site, e.Err = known.Site, known.Err
	}
	return e
}

func (w *watcher) abort(cause error) {
	w.mu.Lock()
	if w.cause == nil {
		w.cause = cause
	}
	w.mu.Unlock()
	w.stop()
}

// explain finds the true reason of a transfer that failed with err. It is
// called after end.
func (w *watcher) explain(ctx context.Context, err error) error {
	if w.cause != nil {
		return w.cause
	}
	if ctx.Err() != nil || vsphere.ClassOf(err) != vsphere.Retryable || vsphere.FaultName(err) != "" {
		return err
	}
	if cut := cutOff(w.silent[0], w.silent[1]); cut != nil {
		return outage(cut, w.downFor())
	}
	// The stream broke. If that was because a lease ended, the lease knows why:
	// a person may have cancelled its task.
	for _, l := range []keptLease{w.bulk.imported, w.bulk.export} {
		if why := l.Check(ctx); why != nil && vsphere.FaultName(why) != "" {
			return why
		}
	}
	return err
}
