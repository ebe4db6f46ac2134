package vsphere

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// leaseInitMost bounds how long a lease may take to become ready.
const leaseInitMost = 30 * time.Minute

// lease is an HttpNfcLease: the right to read or write a VM's disks, which
// expires when no progress is told for its timeout.
//
//	initializing --> ready --> done
//	      \            |
//	       +--> error <+   (aborted, expired, or its session ended)
type lease struct {
	session *Session
	op      string // "export" or "import"
	object  string
	ref     types.ManagedObjectReference
	info    types.HttpNfcLeaseInfo
}

// ready waits until the lease can be used. On failure it aborts the lease.
func (l *lease) ready(ctx context.Context) error {
	s := l.session
	var now mo.HttpNfcLease
	finished, err := s.poll(ctx, leaseInitMost, func() (bool, error) {
		var err error
		now, err = l.read(ctx)
		return now.State != types.HttpNfcLeaseStateInitializing, err
	})
	switch {
	case err != nil:
		err = l.fail(err, changes)
	case !finished:
		err = s.retry(l.op, l.object, "its lease is not ready after "+leaseInitMost.String(), "")
	case now.State != types.HttpNfcLeaseStateReady || now.Info == nil:
		err = s.fail(l.op, l.object, leaseError(now), changes)
	}
	if err != nil {
		l.abort(ctx)
		return err
	}
	l.info = *now.Info
	return nil
}

func (l *lease) read(ctx context.Context) (mo.HttpNfcLease, error) {
	var now mo.HttpNfcLease
	err := l.session.one(ctx, l.ref, &now, "state", "info", "error")
	return now, err
}

// check says why the lease cannot be used any more; nil if it can. Its error
// tells more than the one with which a transfer broke: a person may have
// cancelled the task.
func (l *lease) check(ctx context.Context) error {
	now, err := l.read(ctx)
	if err == nil && now.State != types.HttpNfcLeaseStateReady {
		err = leaseError(now)
	}
	return l.fail(err, reads)
}

func leaseError(now mo.HttpNfcLease) error {
	if now.Error != nil && now.Error.Fault != nil {
		return faultError{now.Error}
	}
	return fmt.Errorf("its lease is in state %q", now.State)
}

// fail wraps the error of a call on the lease. A lease that is gone or no
// longer ready has expired or was aborted: a new one can be had.
func (l *lease) fail(err error, t touch) error {
	s := l.session
	if isFault[types.ManagedObjectNotFound](err) || isFault[types.InvalidState](err) || isFault[types.Timedout](err) {
		return &Error{
			Site: s.site, Op: l.op, Object: l.object, Class: Retryable,
			Hint: "the transfer starts again with a new lease", Err: fmt.Errorf("its lease has ended: %w", err),
		}
	}
	return s.fail(l.op, l.object, err, t)
}

// progress tells the vCenter how far the transfer is, 0 to 100, and so keeps
// the lease.
func (l *lease) progress(ctx context.Context, percent int32) error {
	_, err := methods.HttpNfcLeaseProgress(ctx, l.session.vim, &types.HttpNfcLeaseProgress{This: l.ref, Percent: percent})
	return l.fail(err, reads)
}

// completeTries bounds how often a lease is asked to end well.
const completeTries = 3

// complete ends the lease: an imported VM then exists for good. Completing is
// asked for again, in the same session, as long as the lease itself says that
// it has not happened.
func (l *lease) complete(ctx context.Context) error {
	var err error
	for range completeTries {
		_, err = methods.HttpNfcLeaseComplete(ctx, l.session.vim, &types.HttpNfcLeaseComplete{This: l.ref})
		if err == nil {
			return nil
		}
		if _, unknown, _ := classify(err); !unknown || ctx.Err() != nil {
			break
		}
		now, e := l.read(ctx)
		if e != nil {
			break
		}
		if now.State == types.HttpNfcLeaseStateDone {
			return nil
		}
		if now.State != types.HttpNfcLeaseStateReady {
			return l.fail(leaseError(now), changes)
		}
	}
	return l.fail(err, changes)
}

// abort gives the lease up; of an import nothing stays. It works with a ctx
// that is cancelled already. Its errors do not matter: a lease that nobody
// keeps expires.
func (l *lease) abort(ctx context.Context) {
	if ctx.Err() != nil {
		ctx = context.Background()
	}
	_, _ = methods.HttpNfcLeaseAbort(ctx, l.session.vim, &types.HttpNfcLeaseAbort{This: l.ref})
}

// Checksums says what one side carried of one disk, as that side counted it.
type Checksums struct {
	Size   int64  // bytes of the stream
	SHA1   string // hexadecimal; "" if not told
	SHA256 string // hexadecimal; "" if not told
}

// requestSHA256 asks for better checksums than SHA-1, for which vSphere 6.7 or
// later is needed; others say SHA-1.
func (l *lease) requestSHA256(ctx context.Context) error {
	req := types.HttpNfcLeaseSetManifestChecksumType{This: l.ref}
	for _, u := range l.info.DeviceUrl {
		req.DeviceUrlsToChecksumTypes = append(req.DeviceUrlsToChecksumTypes, types.KeyValue{
			Key: u.Key, Value: string(types.HttpNfcLeaseManifestEntryChecksumTypeSha256),
		})
	}
	_, err := methods.HttpNfcLeaseSetManifestChecksumType(ctx, l.session.vim, &req)
	if ClassOf(err) == Fatal { // an older vCenter
		return nil
	}
	return l.fail(err, reads)
}

// manifest is what the side counted so far, by device key.
func (l *lease) manifest(ctx context.Context) (map[string]Checksums, error) {
	res, err := methods.HttpNfcLeaseGetManifest(ctx, l.session.vim, &types.HttpNfcLeaseGetManifest{This: l.ref})
	if err != nil {
		return nil, l.fail(err, reads)
	}
	m := map[string]Checksums{}
	for _, e := range res.Returnval {
		c := Checksums{Size: e.Size, SHA1: e.Sha1}
		switch types.HttpNfcLeaseManifestEntryChecksumType(e.ChecksumType) {
		case types.HttpNfcLeaseManifestEntryChecksumTypeSha256:
			c.SHA256 = e.Checksum
		case types.HttpNfcLeaseManifestEntryChecksumTypeSha1:
			c.SHA1 = e.Checksum
		}
		m[e.Key] = c
	}
	return m, nil
}

// deviceURL is where a disk is read or written. A host that is told as "*" is
// the vCenter itself.
func (l *lease) deviceURL(told string) (*url.URL, error) {
	u, err := url.Parse(told)
	if err != nil {
		return nil, errors.New("the lease names an address that is none")
	}
	if base := l.session.client.endpoint.URL; u.Hostname() == "*" && base != nil {
		u.Host = base.Host
	}
	return u, nil
}
