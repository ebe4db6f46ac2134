package component

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/datapath"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/vcenter"
)

// sources opens the disks of VMs on premises: what the I/O filter of the hosts
// does for the product.
type sources struct{ host *Host }

// OpenSource implements datapath.Sources.
func (s sources) OpenSource(ref vsphere.Ref, bound []component.BoundDisk) ([]datapath.Device, error) {
	vm, ok := lookUp(s.host.cfg.OnPremises, ref)
	if ok && vm.Power != vsphere.Off {
		return nil, refused(vsphere.OnPremises, ref, "the VM is powered on", "shut it down: its data path is the cloud's")
	}
	disks, err := s.find(ref, bound)
	if err != nil {
		return nil, err
	}
	return devices(disks), nil
}

// find the disks of a VM by their keys.
func (s sources) find(ref vsphere.Ref, bound []component.BoundDisk) ([]*disk.Disk, error) {
	vm, ok := lookUp(s.host.cfg.OnPremises, ref)
	if !ok {
		return nil, refused(vsphere.OnPremises, ref, "there is no such VM", "")
	}
	var disks []*disk.Disk
	for _, b := range bound {
		i := slices.IndexFunc(vm.Disks, func(d vcenter.Disk) bool { return d.Key == b.Key })
		if i < 0 || vm.Disks[i].Disk.Capacity() != b.Capacity {
			return nil, refused(vsphere.OnPremises, ref, fmt.Sprintf("the VM has no disk %d of %d bytes", b.Key, b.Capacity), "bind the VM as it is now")
		}
		disks = append(disks, vm.Disks[i].Disk)
	}
	return disks, nil
}

// images opens the disks of VMs in the cloud that are off.
type images struct{ host *Host }

// OpenImage implements datapath.Images.
func (s images) OpenImage(ref vsphere.Ref) ([]datapath.Device, error) {
	vm, ok := lookUp(s.host.cfg.Cloud, ref)
	switch {
	case !ok:
		return nil, refused(vsphere.Cloud, ref, "there is no such VM", "transfer the VM again")
	case vm.Power != vsphere.Off:
		return nil, refused(vsphere.Cloud, ref, "the VM is powered on", "an image must be off until it is reconciled")
	}
	var disks []*disk.Disk
	for _, d := range vm.Disks {
		if d.Served {
			return nil, refused(vsphere.Cloud, ref, "its disks are a cloud cache's", "name the image, not the compute VM")
		}
		disks = append(disks, d.Disk)
	}
	return devices(disks), nil
}

func lookUp(vc *vcenter.VCenter, ref vsphere.Ref) (vcenter.VM, bool) {
	names := vc.VMsOf(string(ref))
	if len(names) != 1 {
		return vcenter.VM{}, false
	}
	vm, ok := vc.VM(names[0])
	return vm, ok && vsphere.Ref(vm.Ref.String()) == ref
}

func devices(disks []*disk.Disk) (all []datapath.Device) {
	for _, d := range disks {
		all = append(all, d)
	}
	return all
}

func refused(site vsphere.Site, ref vsphere.Ref, what, hint string) error {
	return &vsphere.Error{Site: site, Op: "open", Object: string(ref), Class: vsphere.Refused, Hint: hint, Err: errors.New(what)}
}
