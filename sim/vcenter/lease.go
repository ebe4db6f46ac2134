package vcenter

import (
	"fmt"
	"slices"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/sim/event"
)

const defaultLeaseTimeout = 300 * time.Second

// Modes of a lease, as the trace tells them.
const (
	modeExport = "export"
	modeImport = "import"
)

// Ends of a lease, as the trace tells them.
const (
	leaseCompleted = "completed"
	leaseAborted   = "aborted"
	leaseExpired   = "expired"
)

// lease is an HttpNfcLease of ours:
//
//	initializing --LeaseReady--> ready --HttpNfcLeaseComplete--> done
//	     \_________________________\__ abort, cancel of its task, end of its
//	                                   session, or no progress for LeaseTimeout --> error
//
// While it lives, other tasks are kept off its VM. An import that does not end
// well takes its VM with it.
type lease struct {
	mo.HttpNfcLease // first: the property collector looks here

	vc      *VCenter
	mode    string
	vm      string   // name
	m       *machine // an import's is nil until it is ready
	blocks  bool     // keeps other tasks off m
	session string
	task    *task
	files   []*leaseFile
	timeout func() (stopped bool)
	ready   func() (stopped bool)
	end     string // how it ended, or ""
}

func (vc *VCenter) newLease(mode, vm string, m *machine, session string) *lease {
	vc.leaseSeq++
	l := &lease{vc: vc, mode: mode, vm: vm, m: m, session: session}
	l.Self = ref{Type: "HttpNfcLease", Value: fmt.Sprintf("lease-%06d", vc.leaseSeq)}
	l.State = types.HttpNfcLeaseStateInitializing
	l.Mode = string(types.HttpNfcLeaseModePushOrGet)
	l.Capabilities = types.HttpNfcLeaseCapabilities{PullModeSupported: false, CorsSupported: false}
	vc.reg.Put(l)
	vc.leases[l.Self.Value] = l
	vc.leaseLog = append(vc.leaseLog, l)
	if len(vc.leaseLog) > maxLeases && vc.leaseLog[0].end != "" {
		old := vc.leaseLog[0]
		vc.leaseLog = vc.leaseLog[1:]
		delete(vc.leases, old.Self.Value)
		vc.reg.Remove(vc.ctx(), old.Self)
	}
	return l
}

// begin gives the lease its task, and opens it after its time.
func (l *lease) begin(w work, open func() types.BaseMethodFault) {
	vc := l.vc
	w.cancelable = true
	w.cancelled = func(ctx *simulator.Context) { l.close(ctx, leaseAborted, new(types.RequestCanceled)) }
	l.task = vc.newTask(w, w.method)
	if l.blocks {
		l.m.lease = l
	}
	start := func() {
		l.ready = nil
		vc.setRunning(l.task)
		if f := open(); f != nil {
			l.close(vc.ctx(), leaseAborted, f)
			return
		}
		vc.update(vc.ctx(), l, set("initializeProgress", int32(100)), set("state", types.HttpNfcLeaseStateReady))
		vc.changed(event.LeaseOpened, vc.subject(l.vm), "lease", l.Self.Value, "mode", l.mode)
		l.renew()
	}
	if d := vc.config.Timing.LeaseReady; d > 0 {
		l.ready = vc.after(d, start)
	} else {
		start()
	}
}

// renew starts the lease's timeout anew.
func (l *lease) renew() {
	if l.timeout != nil {
		l.timeout()
	}
	l.timeout = l.vc.after(l.vc.config.Timing.LeaseTimeout, func() {
		l.timeout = nil
		l.close(l.vc.ctx(), leaseExpired, new(types.Timedout))
	})
}

func (l *lease) stopTimers() {
	if l.timeout != nil {
		l.timeout()
	}
	if l.ready != nil {
		l.ready()
	}
	l.timeout, l.ready = nil, nil
}

// close ends the lease, its task, and what an import that failed has made.
func (l *lease) close(ctx *simulator.Context, how string, why types.BaseMethodFault) {
	if l.end != "" {
		return
	}
	vc := l.vc
	l.end = how
	l.stopTimers()
	if l.m != nil && l.m.lease == l {
		l.m.lease = nil
	}
	changes := []types.PropertyChange{set("state", types.HttpNfcLeaseStateDone)}
	var result types.AnyType
	if why != nil {
		changes = []types.PropertyChange{
			set("state", types.HttpNfcLeaseStateError),
			set("error", &types.LocalizedMethodFault{Fault: why, LocalizedMessage: explain(why)}),
		}
	} else if l.mode == modeImport {
		result = l.m.vm.Self
	}
	vc.update(ctx, l, changes...)
	vc.changed(event.LeaseClosed, vc.subject(l.vm), "lease", l.Self.Value, "mode", l.mode, "how", how)
	vc.finish(l.task, result, why)
	if why != nil && l.mode == modeImport && l.m != nil {
		vc.forget(ctx, l.m)
	}
}

// endLeasesOf aborts what a session left open: leases live in their session.
func (vc *VCenter) endLeasesOf(session string) {
	for _, l := range vc.leaseLog {
		if l.session == session {
			l.close(vc.ctx(), leaseAborted, new(types.RequestCanceled))
		}
	}
}

// open says why the lease takes no more calls, if so.
func (l *lease) open() *soap.Fault {
	switch {
	case l.end == leaseExpired:
		return fault(new(types.Timedout), "the lease %s has expired: it had no progress for %v", l.Self.Value, l.vc.config.Timing.LeaseTimeout)
	case l.end != "":
		return invalidState("the lease %s has been %s", l.Self.Value, l.end)
	case l.State != types.HttpNfcLeaseStateReady:
		return invalidState("the lease %s is not ready yet", l.Self.Value)
	}
	return nil
}

// leaseCalls answers for a lease.
type leaseCalls struct {
	call
	lease *lease
}

// HttpNfcLeaseComplete ends the lease well: the client says that it has carried
// everything.
func (c *leaseCalls) HttpNfcLeaseComplete(ctx *simulator.Context, _ *types.HttpNfcLeaseComplete) soap.HasFault {
	l := c.lease
	b := new(methods.HttpNfcLeaseCompleteBody)
	if b.Fault_ = l.open(); b.Fault_ != nil {
		return b
	}
	l.close(ctx, leaseCompleted, nil)
	b.Res = new(types.HttpNfcLeaseCompleteResponse)
	return b
}

// HttpNfcLeaseAbort ends the lease badly.
func (c *leaseCalls) HttpNfcLeaseAbort(ctx *simulator.Context, r *types.HttpNfcLeaseAbort) soap.HasFault {
	l := c.lease
	b := new(methods.HttpNfcLeaseAbortBody)
	if l.end != "" {
		b.Fault_ = l.open()
		return b
	}
	var why types.BaseMethodFault = new(types.RequestCanceled)
	if r.Fault != nil && r.Fault.Fault != nil {
		why = r.Fault.Fault
	}
	l.close(ctx, leaseAborted, why)
	b.Res = new(types.HttpNfcLeaseAbortResponse)
	return b
}

// HttpNfcLeaseProgress keeps the lease alive, and tells how far its task is.
func (c *leaseCalls) HttpNfcLeaseProgress(ctx *simulator.Context, r *types.HttpNfcLeaseProgress) soap.HasFault {
	l := c.lease
	b := new(methods.HttpNfcLeaseProgressBody)
	if b.Fault_ = l.open(); b.Fault_ != nil {
		return b
	}
	if r.Percent < 0 || r.Percent > 100 {
		b.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "percent"}, "a progress of %d percent", r.Percent)
		return b
	}
	l.renew()
	l.vc.update(ctx, l, set("transferProgress", r.Percent))
	l.vc.update(ctx, l.task.obj, set("info.progress", r.Percent))
	b.Res = new(types.HttpNfcLeaseProgressResponse)
	return b
}

// HttpNfcLeaseGetManifest lists what has been carried whole, with checksums of
// the streams.
func (c *leaseCalls) HttpNfcLeaseGetManifest(*simulator.Context, *types.HttpNfcLeaseGetManifest) soap.HasFault {
	l := c.lease
	b := new(methods.HttpNfcLeaseGetManifestBody)
	if b.Fault_ = l.open(); b.Fault_ != nil {
		return b
	}
	b.Res = new(types.HttpNfcLeaseGetManifestResponse)
	for i, f := range l.files {
		if f.sum != "" {
			b.Res.Returnval = append(b.Res.Returnval, types.HttpNfcLeaseManifestEntry{
				Key: l.Info.DeviceUrl[i].Key, Size: f.bytes, Disk: true, Capacity: f.a.disk.Capacity(), PopulatedSize: f.a.disk.Used(),
				ChecksumType: string(types.HttpNfcLeaseManifestEntryChecksumTypeSha256), Checksum: f.sum,
			})
		}
	}
	return b
}

// HttpNfcLeaseSetManifestChecksumType accepts SHA-256, which the manifest tells
// whether it is asked for or not.
func (l *lease) HttpNfcLeaseSetManifestChecksumType(_ *simulator.Context, r *types.HttpNfcLeaseSetManifestChecksumType) soap.HasFault {
	b := new(methods.HttpNfcLeaseSetManifestChecksumTypeBody)
	if b.Fault_ = l.open(); b.Fault_ != nil {
		return b
	}
	for _, kv := range r.DeviceUrlsToChecksumTypes {
		known := slices.ContainsFunc(l.Info.DeviceUrl, func(u types.HttpNfcLeaseDeviceUrl) bool { return u.Key == kv.Key })
		if !known || kv.Value != string(types.HttpNfcLeaseManifestEntryChecksumTypeSha256) {
			b.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "deviceUrlsToChecksumTypes"}, "%s of %s: only sha256 of the lease's disks can be told", kv.Value, kv.Key)
			return b
		}
	}
	b.Res = new(types.HttpNfcLeaseSetManifestChecksumTypeResponse)
	return b
}

// Lease is what one is like now.
type Lease struct {
	ID    string
	Mode  string // "export" or "import"
	VM    string
	State types.HttpNfcLeaseState
	End   string // "completed", "aborted", "expired", or "" while it lives
	Task  string // the task that shows it
}

// Leases are all that were opened, oldest first, as far back as is kept.
func (vc *VCenter) Leases() (list []Lease) {
	vc.do(func() {
		for _, l := range vc.leaseLog {
			lease := Lease{ID: l.Self.Value, Mode: l.mode, VM: l.vm, State: l.State, End: l.end}
			if l.task != nil {
				lease.Task = l.task.obj.Info.Key
			}
			list = append(list, lease)
		}
	})
	return list
}
