// Package transfer moves the data of VMs between two vCenters.
//
// Bulk decides in which order disks cross, when a transfer counts as stalled,
// and whether what arrived is what was sent. It never looks into a disk: a
// stream-optimised VMDK is piped from the one site to the other as it comes,
// through no more memory than HTTP's own buffers. When to try again is the
// caller's.
//
//	export lease                              import lease
//	  disk 0  --GET-->  count, SHA-1, SHA-256  --POST-->  disk 0
//	  disk 1  ...                                          compared with both
//	     ^                                       ^         sides' manifests
//	     |  every 10 s: progress                 |
//	   keeper --------- watchdog --------------- keeper    (watch.go)
//
// Whatever fails, both leases are given up and nothing stays in the cloud.
package transfer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hdm-project/hdm/core/runtime"
	"github.com/hdm-project/hdm/core/vsphere"
)

// Spec is which VM to copy, and what to make of it in the cloud.
type Spec struct {
	Source    vsphere.Ref // off, and stays so
	Name      string      // of the copy
	Mark      string      // of the copy: see vsphere.ImportSpec
	BIOSUUID  string
	Pool      vsphere.Ref
	Datastore string            // name
	Folder    vsphere.Ref       // "": that of the pool's datacenter
	Host      vsphere.Ref       // "": the vCenter chooses
	Networks  map[string]string // by name
}

// Result is what a transfer did.
type Result struct {
	Copy  vsphere.Ref
	Bytes int64 // carried, of all disks
	Disks []Disk
}

// Disk is what crossed of one disk.
type Disk struct {
	Name   string
	Bytes  int64  // of the stream
	SHA256 string // of the stream, hexadecimal
}

// Bulk copies a VM and reports its progress to report, about every ten
// seconds. A copy that an earlier transfer with the same mark completed must be
// destroyed first, else it is refused. Cancelling ctx ends it. Errors are
// *vsphere.Error.
func Bulk(ctx context.Context, rt runtime.Runtime, from, to *vsphere.Session, spec Spec, report func(vsphere.Progress)) (Result, error) {
	export, err := from.ExportVM(ctx, spec.Source)
	if err != nil {
		return Result{}, err
	}
	imported, err := to.ImportVM(ctx, vsphere.ImportSpec{
		Name: spec.Name, OVF: export.OVF, Mark: spec.Mark, BIOSUUID: spec.BIOSUUID,
		Pool: spec.Pool, Datastore: spec.Datastore, Folder: spec.Folder, Host: spec.Host, Networks: spec.Networks,
	})
	if err != nil {
		export.Abort(ctx)
		return Result{}, err
	}
	b := &bulk{runtime: rt, export: export, imported: imported, meter: newMeter(rt, export.Disks), sites: [2]vsphere.Site{from.Site(), to.Site()}}
	disks, err := b.run(ctx, report)
	if err != nil {
		b.abandon(ctx)
		return Result{}, err
	}
	copied, err := imported.Complete(ctx)
	if err != nil {
		b.abandon(ctx)
		return Result{}, err
	}
	// The copy is whole. An export lease that cannot be closed expires by itself.
	_ = export.Complete(ctx)
	return Result{Copy: copied, Bytes: b.meter.bytes(), Disks: disks}, nil
}

// bulk is one transfer under way.
type bulk struct {
	runtime  runtime.Runtime
	export   *vsphere.Export
	imported *vsphere.Import
	meter    *meter
	sums     []vsphere.Checksums // of the disks that crossed, as read
	sites    [2]vsphere.Site     // from, to
}

// abandon gives both leases up, the import's first: it holds space.
func (b *bulk) abandon(ctx context.Context) {
	b.imported.Abort(ctx)
	b.export.Abort(ctx)
}

// run carries all disks, with both leases kept, and compares what arrived.
func (b *bulk) run(ctx context.Context, report func(vsphere.Progress)) ([]Disk, error) {
	carrying, stop := b.runtime.WithCancel(ctx)
	defer stop()
	w := watch(carrying, stop, b, report)
	var disks []Disk
	var err error
	for i := range b.export.Disks {
		var d Disk
		if d, err = b.carry(carrying, i); err != nil {
			break
		}
		disks = append(disks, d)
	}
	if err == nil {
		err = b.verify(carrying, disks)
	}
	w.end()
	if err != nil {
		return nil, w.explain(ctx, err)
	}
	return disks, nil
}

// carry pipes one disk across.
func (b *bulk) carry(ctx context.Context, i int) (Disk, error) {
	d := b.export.Disks[i]
	body, length, err := b.export.Open(ctx, d)
	if err != nil {
		return Disk{}, err
	}
	defer body.Close()
	p := newPipe(body, b.meter.disk(i, length))
	err = b.imported.Put(ctx, d.Name, p, length)
	sums, whole, broke := p.result()
	switch {
	case broke != nil: // the source broke first, and took the upload with it
		return Disk{}, b.fault(b.sites[0], "export", d.Name, vsphere.ClassOf(broke), broke)
	case err != nil:
		return Disk{}, err
	case !whole:
		return Disk{}, b.broken(b.sites[1], "import", d.Name, errors.New("the upload ended before the disk did"))
	}
	b.sums = append(b.sums, sums)
	return Disk{Name: d.Name, Bytes: sums.Size, SHA256: sums.SHA256}, nil
}

func (b *bulk) fault(site vsphere.Site, op, object string, class vsphere.Class, err error) error {
	return &vsphere.Error{Site: site, Op: op, Object: object, Class: class, Hint: "the transfer starts again from the beginning", Err: err}
}

func (b *bulk) broken(site vsphere.Site, op, object string, err error) error {
	return b.fault(site, op, object, vsphere.Retryable, err)
}

// verify compares what was read here with what each site counted. The cloud
// must know of every disk; the premises may know less.
func (b *bulk) verify(ctx context.Context, disks []Disk) error {
	sent, err := b.export.Manifest(ctx)
	if err != nil {
		return err
	}
	got, err := b.imported.Manifest(ctx)
	if err != nil {
		return err
	}
	for i, d := range disks {
		if c, ok := sent[d.Name]; ok {
			if err := differ(b.sums[i], c); err != nil {
				return b.broken(b.sites[0], "compare what was sent of", d.Name, err)
			}
		}
		c, ok := got[d.Name]
		if !ok {
			return b.broken(b.sites[1], "compare what arrived of", d.Name, errors.New("the vCenter does not tell"))
		}
		if err := differ(b.sums[i], c); err != nil {
			return b.broken(b.sites[1], "compare what arrived of", d.Name, err)
		}
	}
	return nil
}

// differ says how two counts of one stream differ. A sum that one side does
// not tell is not compared, but one must be.
func differ(read, told vsphere.Checksums) error {
	switch {
	case told.Size != read.Size:
		return fmt.Errorf("%d bytes were read, %d are told", read.Size, told.Size)
	case told.SHA256 != "" && !strings.EqualFold(told.SHA256, read.SHA256):
		return fmt.Errorf("SHA-256 is %s where it was read, and %s where it is told", read.SHA256, told.SHA256)
	case told.SHA256 == "" && !strings.EqualFold(told.SHA1, read.SHA1):
		return fmt.Errorf("SHA-1 is %s where it was read, and %q where it is told", read.SHA1, told.SHA1)
	}
	return nil
}
