package vsphere

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
)

// exportOptions put the VM's identity into its OVF descriptor.
var exportOptions = []string{"mac", "uuid", "extraconfig"}

// ExportDisk is one disk of an export: a stream-optimised VMDK.
type ExportDisk struct {
	Name     string // of its file in the OVF descriptor
	Size     int64  // of the stream, as estimated; 0 if not known
	Capacity int64  // of the disk, bytes
	Used     int64  // of the disk, bytes; 0 if not known
	key      string // of the device, in lease and manifest
	url      string // may hold a ticket: never shown
}

// Export is an open export of a VM. Somebody must tell its progress at least
// once in Timeout seconds, and end it with Complete or Abort.
type Export struct {
	OVF     string // descriptor
	Disks   []ExportDisk
	Timeout int32 // seconds
	lease   lease
}

// ExportVM opens a lease on the disks of a VM that is off. Leases that earlier
// attempts left open on it are cancelled.
func (s *Session) ExportVM(ctx context.Context, vm Ref) (*Export, error) {
	if err := s.Settle(ctx, vm); err != nil {
		return nil, err
	}
	now, err := s.VM(ctx, vm)
	if err != nil {
		return nil, err
	}
	res, err := methods.ExportVm(ctx, s.vim, &types.ExportVm{This: vm.managed()})
	if err != nil {
		return nil, s.fail("export", string(vm), err, changes)
	}
	e := &Export{lease: lease{session: s, op: "export", object: string(vm), ref: res.Returnval}}
	if err := e.lease.ready(ctx); err != nil {
		return nil, err
	}
	e.Timeout = e.lease.info.LeaseTimeout
	if err := e.describe(ctx, now); err != nil {
		e.Abort(ctx)
		return nil, err
	}
	return e, nil
}

// describe lists the disks and gets the descriptor that fits them.
func (e *Export) describe(ctx context.Context, vm VM) error {
	l := &e.lease
	files := e.files(vm)
	if len(e.Disks) != len(vm.Disks) {
		return l.session.refuse("export", l.object, fmt.Sprintf("the VM has %d disks, of which the vCenter exports %d", len(vm.Disks), len(e.Disks)),
			"independent and raw disks cannot be exported")
	}
	if err := l.requestSHA256(ctx); err != nil {
		return err
	}
	res, err := methods.CreateDescriptor(ctx, l.session.vim, &types.CreateDescriptor{
		This: *l.session.vim.ServiceContent.OvfManager, Obj: vm.Ref.managed(),
		Cdp: types.OvfCreateDescriptorParams{Name: vm.Name, OvfFiles: files, ExportOption: exportOptions},
	})
	if err != nil {
		return l.fail(err, reads)
	}
	if len(res.Returnval.Error) > 0 {
		return l.session.fail("export", l.object, faultError{&res.Returnval.Error[0]}, reads)
	}
	e.OVF = res.Returnval.OvfDescriptor
	return nil
}

// files lists what the lease offers that is a disk. A lease lists disks in the
// order of the VM's hardware; it may also list ISO and NVRAM files, which stay.
func (e *Export) files(vm VM) []types.OvfFile {
	var files []types.OvfFile
	for _, u := range e.lease.info.DeviceUrl {
		if u.Disk == nil || !*u.Disk {
			continue
		}
		i := len(e.Disks)
		d := ExportDisk{Name: "disk-" + strconv.Itoa(i) + ".vmdk", Size: u.FileSize, key: u.Key, url: u.Url}
		if i < len(vm.Disks) {
			d.Capacity, d.Used = vm.Disks[i].Capacity, vm.Disks[i].Used
		}
		e.Disks = append(e.Disks, d)
		files = append(files, types.OvfFile{DeviceId: d.key, Path: d.Name, Size: d.Size, Capacity: d.Capacity, PopulatedSize: d.Used})
	}
	return files
}

// Open begins to read a disk. It returns its length, -1 if that is not known
// beforehand. The caller closes the stream.
func (e *Export) Open(ctx context.Context, d ExportDisk) (io.ReadCloser, int64, error) {
	s := e.lease.session
	object := d.Name + " of " + e.lease.object
	u, err := e.lease.deviceURL(d.url)
	if err != nil {
		return nil, 0, s.fail("export", object, err, reads)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, 0, s.fail("export", object, err, reads)
	}
	res, err := s.http.Do(req)
	if err != nil {
		return nil, 0, s.fail("export", object, err, reads)
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		return nil, 0, s.fail("export", object, &StatusError{res.StatusCode, res.Status}, reads)
	}
	return res.Body, res.ContentLength, nil
}

// Progress tells the vCenter how far the export is, 0 to 100, which keeps the
// lease.
func (e *Export) Progress(ctx context.Context, percent int32) error {
	return e.lease.progress(ctx, percent)
}

// Check says why the lease cannot be used any more; nil if it can.
func (e *Export) Check(ctx context.Context) error { return e.lease.check(ctx) }

// Manifest is what the vCenter says that it sent, by disk name, for disks that
// have been read to their end. It may know less.
func (e *Export) Manifest(ctx context.Context) (map[string]Checksums, error) {
	byKey, err := e.lease.manifest(ctx)
	if err != nil {
		return nil, err
	}
	byName := map[string]Checksums{}
	for _, d := range e.Disks {
		if c, ok := byKey[d.key]; ok {
			byName[d.Name] = c
		}
	}
	return byName, nil
}

// Complete ends the export well.
func (e *Export) Complete(ctx context.Context) error { return e.lease.complete(ctx) }

// Abort gives the export up. It works with a ctx that is cancelled already.
func (e *Export) Abort(ctx context.Context) { e.lease.abort(ctx) }
