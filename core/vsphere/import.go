package vsphere

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// streamVMDK is the media type under which a host takes a stream-optimised
// disk.
const streamVMDK = "application/x-vnd.vmware-streamVmdk"

// ImportSpec is what to make of an exported VM, and where.
type ImportSpec struct {
	Name      string
	OVF       string // descriptor
	Mark      string // MarkImport of the VM that is made
	Pool      Ref
	Datastore string            // name
	Folder    Ref               // "": the VM folder of the pool's datacenter
	Host      Ref               // "": the vCenter chooses
	Networks  map[string]string // the descriptor's networks to those of this site, by name
	BIOSUUID  string            // "": as the vCenter makes it from the descriptor
}

// Import is an open import. Somebody must tell its progress at least once in
// Timeout seconds, and end it with Complete or Abort.
type Import struct {
	VM      Ref // the VM in the making
	Timeout int32
	lease   lease
	mark    string
	disks   map[string]importDisk // by file name in the descriptor
}

type importDisk struct {
	key    string
	url    string // may hold a ticket: never shown
	create bool   // the file is new: PUT; the disk exists: POST
}

// ImportVM makes a VM from a descriptor and opens a lease to write its disks.
// What earlier attempts with the same mark made and did not complete is
// destroyed first; one that was completed is refused.
func (s *Session) ImportVM(ctx context.Context, spec ImportSpec) (*Import, error) {
	object := strconv.Quote(spec.Name)
	if err := s.DiscardImport(ctx, spec.Mark); err != nil {
		return nil, err
	}
	made, err := s.importSpec(ctx, spec)
	if err != nil {
		return nil, s.fail("import", object, err, reads)
	}
	req := types.ImportVApp{This: spec.Pool.managed(), Spec: made.ImportSpec}
	folder, err := s.vmFolder(ctx, spec.Folder, spec.Pool)
	if err != nil {
		return nil, s.fail("import", object, err, reads)
	}
	req.Folder = &folder
	if spec.Host != "" {
		host := spec.Host.managed()
		req.Host = &host
	}
	res, err := methods.ImportVApp(ctx, s.vim, &req)
	if err != nil {
		return nil, s.fail("import", object, err, changes)
	}
	i := &Import{lease: lease{session: s, op: "import", object: object, ref: res.Returnval}, mark: spec.Mark}
	if err := i.lease.ready(ctx); err != nil {
		return nil, err
	}
	i.VM, i.Timeout = refOf(i.lease.info.Entity), i.lease.info.LeaseTimeout
	i.match(made.FileItem)
	if err := i.lease.requestSHA256(ctx); err != nil {
		i.Abort(ctx)
		return nil, err
	}
	return i, nil
}

// DiscardImport destroys what imports with this mark left unfinished. A whole
// VM it refuses to touch.
func (s *Session) DiscardImport(ctx context.Context, mark string) error {
	left, err := s.FindMarked(ctx, mark)
	if err != nil {
		return err
	}
	for _, vm := range left {
		if vm.Marks[MarkWhole] == mark {
			return s.refuse("discard", string(vm.Ref), "the import with this mark was completed and made it", "destroy it before the VM is imported again")
		}
		if err := s.Destroy(ctx, vm.Ref); err != nil {
			return err
		}
	}
	return nil
}

// importSpec lets the vCenter turn the descriptor into a VM's configuration,
// and puts our mark and the VM's identity into that.
func (s *Session) importSpec(ctx context.Context, spec ImportSpec) (*types.OvfCreateImportSpecResult, error) {
	params := types.OvfCreateImportSpecParams{EntityName: spec.Name, DiskProvisioning: string(types.OvfCreateImportSpecParamsDiskProvisioningTypeThin)}
	if spec.Host != "" {
		host := spec.Host.managed()
		params.HostSystem = &host
	}
	known, err := s.networks(ctx)
	if err != nil {
		return nil, err
	}
	for _, from := range slices.Sorted(maps.Keys(spec.Networks)) {
		to, err := s.only("network", known, spec.Networks[from])
		if err != nil {
			return nil, err
		}
		params.NetworkMapping = append(params.NetworkMapping, types.OvfNetworkMapping{Name: from, Network: to})
	}
	datastore, err := s.datastore(ctx, spec.Datastore)
	if err != nil {
		return nil, err
	}
	res, err := methods.CreateImportSpec(ctx, s.vim, &types.CreateImportSpec{
		This: *s.vim.ServiceContent.OvfManager, OvfDescriptor: spec.OVF,
		ResourcePool: spec.Pool.managed(), Datastore: datastore, Cisp: &params,
	})
	if err != nil {
		return nil, err
	}
	made := &res.Returnval
	if len(made.Error) > 0 {
		return nil, ovfErrors(made.Error)
	}
	vm, ok := made.ImportSpec.(*types.VirtualMachineImportSpec)
	if !ok {
		return nil, fmt.Errorf("the descriptor is of %T, not of one VM", made.ImportSpec)
	}
	vm.ConfigSpec.ExtraConfig = append(vm.ConfigSpec.ExtraConfig, option(MarkImport, spec.Mark))
	if spec.BIOSUUID != "" {
		vm.ConfigSpec.Uuid = spec.BIOSUUID
	}
	return made, nil
}

// ovfErrors is the first of the errors, with the text of all.
func ovfErrors(all []types.LocalizedMethodFault) error {
	texts := make([]string, 0, len(all))
	for _, e := range all {
		texts = append(texts, e.LocalizedMessage)
	}
	return faultError{&types.LocalizedMethodFault{Fault: all[0].Fault, LocalizedMessage: strings.Join(texts, "; ")}}
}

// folderDepth bounds the way from a pool up to its datacenter.
const folderDepth = 64

// vmFolder is the folder, or if it is "" the VM folder of the pool's datacenter.
func (s *Session) vmFolder(ctx context.Context, folder, pool Ref) (types.ManagedObjectReference, error) {
	if folder != "" {
		return folder.managed(), nil
	}
	up := pool.managed()
	for range folderDepth {
		if up.Type == "Datacenter" {
			var dc mo.Datacenter
			err := s.one(ctx, up, &dc, "vmFolder")
			return dc.VmFolder, err
		}
		var e mo.ManagedEntity
		if err := s.one(ctx, up, &e, "parent"); err != nil {
			return up, err
		}
		if e.Parent == nil {
			break
		}
		up = *e.Parent
	}
	return up, fmt.Errorf("no datacenter above %s", pool)
}

// match pairs the descriptor's files with the lease's addresses.
func (i *Import) match(items []types.OvfFileItem) {
	i.disks = map[string]importDisk{}
	for _, item := range items {
		for _, u := range i.lease.info.DeviceUrl {
			if u.ImportKey == item.DeviceId {
				i.disks[item.Path] = importDisk{key: u.Key, url: u.Url, create: item.Create}
			}
		}
	}
}

// Put writes the disk whose file in the descriptor has that name, from body to
// its end. Length is -1 if it is not known.
func (i *Import) Put(ctx context.Context, disk string, body io.Reader, length int64) error {
	s := i.lease.session
	object := disk + " of " + i.lease.object
	d, ok := i.disks[disk]
	if !ok {
		return s.fail("import", object, errors.New("the vCenter gave no address to write this disk to"), reads)
	}
	u, err := i.lease.deviceURL(d.url)
	if err != nil {
		return s.fail("import", object, err, reads)
	}
	method := http.MethodPost
	if d.create {
		method = http.MethodPut
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), io.NopCloser(body))
	if err != nil {
		return s.fail("import", object, err, reads)
	}
	req.ContentLength = length
	req.Header.Set("Content-Type", streamVMDK)
	if d.create {
		req.Header.Set("Overwrite", "t")
	}
	res, err := s.http.Do(req)
	if err != nil {
		// Not unknown in the sense of Error: a disk that is written in part belongs
		// to a lease that is then aborted.
		return s.fail("import", object, err, reads)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusCreated {
		return s.fail("import", object, &StatusError{res.StatusCode, res.Status}, reads)
	}
	return nil
}

// Progress tells the vCenter how far the import is, 0 to 100, which keeps the
// lease.
func (i *Import) Progress(ctx context.Context, percent int32) error {
	return i.lease.progress(ctx, percent)
}

// Check says why the lease cannot be used any more; nil if it can.
func (i *Import) Check(ctx context.Context) error { return i.lease.check(ctx) }

// Manifest is what the vCenter says that it got, by disk name.
func (i *Import) Manifest(ctx context.Context) (map[string]Checksums, error) {
	byKey, err := i.lease.manifest(ctx)
	if err != nil {
		return nil, err
	}
	byName := map[string]Checksums{}
	for name, d := range i.disks { //hdm:order-safe it fills a map
		if c, ok := byKey[d.key]; ok {
			byName[name] = c
		}
	}
	return byName, nil
}

// Complete ends the import well and marks the VM as whole.
func (i *Import) Complete(ctx context.Context) (Ref, error) {
	if err := i.lease.complete(ctx); err != nil {
		return "", err
	}
	return i.VM, i.lease.session.SetMark(ctx, i.VM, MarkWhole, i.mark)
}

// Abort gives the import up; nothing stays of the VM. It works with a ctx that
// is cancelled already.
func (i *Import) Abort(ctx context.Context) { i.lease.abort(ctx) }
