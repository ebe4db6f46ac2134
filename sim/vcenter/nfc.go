package vcenter

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/vmdk"
)

const nfcPrefix = "/nfc/"

// LeaseError says why a transfer broke or could not begin.
type LeaseError struct {
	Lease, File string
	Why         string
}

func (e *LeaseError) Error() string {
	return fmt.Sprintf("the transfer of %s under lease %s broke: %s", e.File, e.Lease, e.Why)
}

// serveNFC carries one disk of a lease, as streamOptimized VMDK: GET of an
// export, PUT or POST of an import. As in vSphere the URL is all that it takes.
// The vCenter is not held up meanwhile; a lease that ends breaks the transfer.
func (vc *VCenter) serveNFC(w http.ResponseWriter, r *http.Request) {
	id, name := r.PathValue("lease"), r.PathValue("file")
	var l *lease
	var f *leaseFile
	vc.do(func() {
		if l = vc.leases[id]; l == nil || l.end != "" {
			return
		}
		for _, o := range l.files {
			if o.name == name {
				f = o
			}
		}
	})
	if f == nil {
		http.Error(w, (&LeaseError{id, name, "there is no such lease, or it has ended, or it has no such disk"}).Error(), http.StatusNotFound)
		return
	}
	t := &carriage{l: l, f: f, sum: sha256.New()}
	switch {
	case l.mode == modeExport && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		w.Header().Set("Content-Type", "application/x-vnd.vmware-streamVmdk")
		w.Header().Set(UsedHeader, strconv.FormatInt(f.a.disk.Used(), 10))
		if r.Method == http.MethodGet {
			t.send(w)
		}
	case l.mode == modeImport && (r.Method == http.MethodPut || r.Method == http.MethodPost):
		if err := t.receive(r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusCreated)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

// UsedHeader tells, with an exported disk, how many bytes the disk has in use.
// The stream itself holds touched blocks only.
const UsedHeader = "X-Disk-Used"

// carriage is one disk under way. It counts, sums, tells of the first byte and
// stops when the lease has ended.
type carriage struct {
	l     *lease
	f     *leaseFile
	bytes int64
	sum   hash.Hash
	w     io.Writer
	r     io.Reader
}

func (t *carriage) broken(why string) error { return &LeaseError{t.l.Self.Value, t.f.name, why} }

// pass is called for each piece before it is passed on.
func (t *carriage) pass() (err error) {
	t.l.vc.do(func() {
		if t.l.end != "" {
			err = t.broken("the lease has been " + t.l.end)
			return
		}
		if !t.f.began {
			t.f.began = true
			t.tell(event.LeaseFirstByte)
		}
	})
	return err
}

func (t *carriage) tell(kind string, more ...string) {
	t.l.vc.changed(kind, t.l.vc.subject(t.l.vm), append([]string{"lease", t.l.Self.Value, "mode", t.l.mode, "disk", t.f.name}, more...)...)
}

func (t *carriage) count(p []byte) {
	t.bytes += int64(len(p))
	t.sum.Write(p)
}

// Write sends a piece.
func (t *carriage) Write(p []byte) (int, error) {
	if err := t.pass(); err != nil {
		return 0, err
	}
	n, err := t.w.Write(p)
	t.count(p[:n])
	return n, err
}

// Read receives a piece.
func (t *carriage) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if n > 0 {
		if broken := t.pass(); broken != nil {
			return 0, broken
		}
		t.count(p[:n])
	}
	return n, err
}

// done records that the disk has been carried whole.
func (t *carriage) done() {
	t.f.bytes, t.f.sum = t.bytes, hex.EncodeToString(t.sum.Sum(nil))
	t.tell(event.LeaseDisk, "bytes", strconv.FormatInt(t.bytes, 10))
}

func (t *carriage) send(w http.ResponseWriter) {
	t.w = w
	header := vmdk.Header{DiskID: t.f.a.disk.ID(), Capacity: t.f.image.Capacity()}
	if err := vmdk.Encode(t, header, t.f.image); err == nil {
		t.l.vc.do(t.done)
		return
	}
	panic(http.ErrAbortHandler) // what has been sent must not look whole
}

// receive reads an image into a fresh disk, which becomes the VM's when it is
// whole and the lease still lives.
func (t *carriage) receive(body io.Reader) error {
	t.r = body
	want := t.f.a.disk
	var fresh *disk.Disk
	_, err := vmdk.Decode(t, func(h vmdk.Header) (io.WriterAt, error) {
		if h.Capacity != want.Capacity() {
			return nil, t.broken(fmt.Sprintf("the image is of %d bytes and the disk of %d", h.Capacity, want.Capacity()))
		}
		id := h.DiskID
		if id == "" {
			id = want.ID()
		}
		fresh = disk.New(id, h.Capacity)
		t.f.a.store.adopt(fresh)
		return fresh, nil
	})
	if err != nil {
		return err
	}
	if err := fresh.Flush(); err != nil {
		return err
	}
	t.l.vc.do(func() {
		if t.l.end != "" {
			err = t.broken("the lease has been " + t.l.end)
			return
		}
		fresh.SetUsed(want.Used())
		t.l.vc.replaceDisk(t.l.m, t.f.a, fresh)
		t.done()
	})
	return err
}

// replaceDisk makes another disk stand behind a virtual disk.
func (vc *VCenter) replaceDisk(m *machine, a *attached, fresh *disk.Disk) {
	a.disk = fresh
	a.store.adopt(fresh)
	a.store.charge(a)
	devices := make([]types.BaseVirtualDevice, len(m.vm.Config.Hardware.Device))
	for i, d := range m.vm.Config.Hardware.Device {
		devices[i] = d
		if v, ok := d.(*types.VirtualDisk); ok && v.Key == a.key {
			v := copyDevice(v).(*types.VirtualDisk)
			if flat, ok := v.Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok {
				backing := *flat
				backing.Uuid = fresh.ID()
				v.Backing = &backing
			}
			devices[i] = v
		}
	}
	vc.update(vc.ctx(), m.vm, set("config.hardware.device", devices))
	vc.layout(m)
}
