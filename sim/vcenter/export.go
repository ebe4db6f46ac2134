package vcenter

import (
	"fmt"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/sim/disk"
)

// leaseFile is one disk of a lease, as a streamOptimized VMDK.
type leaseFile struct {
	name  string // "disk-0.vmdk"
	a     *attached
	image disk.Reader // of an export
	began bool        // its first byte has been told of
	bytes int64       // of the last stream that was carried whole
	sum   string      // SHA-256 of that stream, hex
}

// ExportVm opens a lease over the VM's disks as they are. The VM must be off,
// and stays off its other tasks as long as the lease lives.
func (c *vmCalls) ExportVm(ctx *simulator.Context, _ *types.ExportVm) soap.HasFault {
	b := new(methods.ExportVmBody)
	m := c.m
	if f := m.busyFault(); f != nil {
		b.Fault_ = fault(f, "%s", explain(f))
		return b
	}
	if f := m.powerFault(poweredOff, poweredOff); f != nil {
		b.Fault_ = fault(f, "%s", explain(f))
		return b
	}
	if b.Fault_ = m.unseen(); b.Fault_ != nil {
		return b
	}
	if b.Fault_ = exportable(m); b.Fault_ != nil {
		return b
	}
	images := make([]disk.Reader, len(m.disks))
	for i, a := range m.disks {
		images[i] = a.disk
	}
	l := c.vc.newLease(modeExport, m.vm.Name, m, ctx.Session.Key)
	l.blocks = true
	c.vc.export(l, "ExportVm", m.disks, images, ctx.Session.UserName)
	b.Res = &types.ExportVmResponse{Returnval: l.Self}
	return b
}

// exportable refuses disks that are not wholly this VM's.
func exportable(m *machine) *soap.Fault {
	if f := m.servedFault("exported"); f != nil {
		return fault(f, "%s", explain(f))
	}
	for _, d := range m.vm.Config.Hardware.Device {
		v, ok := d.(*types.VirtualDisk)
		if !ok {
			continue
		}
		if _, flat := v.Backing.(*types.VirtualDiskFlatVer2BackingInfo); !flat {
			return fault(new(types.NotSupported), "the VM %q has a raw device mapping, which cannot be exported", m.vm.Name)
		}
	}
	return nil
}

// ExportSnapshot opens a lease over the disks as they were at the snapshot. The
// VM may run on.
func (c *snapshotCalls) ExportSnapshot(ctx *simulator.Context, _ *types.ExportSnapshot) soap.HasFault {
	b := new(methods.ExportSnapshotBody)
	m := c.vc.machines[c.vc.reg.Get(c.Self).(*simulator.VirtualMachineSnapshot).Vm]
	if b.Fault_ = m.unseen(); b.Fault_ != nil {
		return b
	}
	s := m.snap(c.Self)
	var disks []*attached
	var images []disk.Reader
	for _, a := range s.disks {
		l, ok := s.layers[a.disk.ID()]
		if !ok {
			continue
		}
		image, err := a.disk.View(l)
		if err != nil {
			b.Fault_ = fault(&types.FileFault{File: a.path}, "%v", err)
			return b
		}
		disks, images = append(disks, a), append(images, source{image, a})
	}
	l := c.vc.newLease(modeExport, m.vm.Name, m, ctx.Session.Key)
	c.vc.export(l, "ExportSnapshot", disks, images, ctx.Session.UserName)
	b.Res = &types.ExportSnapshotResponse{Returnval: l.Self}
	return b
}

func (vc *VCenter) export(l *lease, method string, disks []*attached, images []disk.Reader, user string) {
	vm := l.m.vm.Self
	w := work{method: method, entity: vm, name: l.vm, user: user}
	l.begin(w, func() types.BaseMethodFault {
		for i, a := range disks {
			l.files = append(l.files, &leaseFile{name: fmt.Sprintf("disk-%d.vmdk", i), a: a, image: images[i]})
		}
		l.describe(vm, vm.Value)
		return nil
	})
}

// describe tells where to carry which disk. The keys name the disks as the
// descriptor and the import spec do.
func (l *lease) describe(vm ref, importName string) {
	info := &types.HttpNfcLeaseInfo{Lease: l.Self, Entity: vm, LeaseTimeout: int32(l.vc.config.Timing.LeaseTimeout.Seconds())}
	yes := true
	for i, f := range l.files {
		info.TotalDiskCapacityInKB += f.a.disk.Capacity() / 1024
		info.DeviceUrl = append(info.DeviceUrl, types.HttpNfcLeaseDeviceUrl{
			Key: fmt.Sprintf("/%s/disk:%d", vm.Value, i), ImportKey: fmt.Sprintf("/%s/disk:%d", importName, i),
			Url: l.vc.baseURL + nfcPrefix + l.Self.Value + "/" + f.name, Disk: &yes, TargetId: f.name,
			DatastoreKey: f.a.store.obj.Summary.Url, FileSize: f.a.disk.Used(),
		})
	}
	l.vc.update(l.vc.ctx(), l, set("info", info))
}
