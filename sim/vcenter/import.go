package vcenter

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// populatedKey marks, in an import spec, how many bytes of a disk are in use.
// The API has no field for it: vCenter finds out when the data comes. We want
// to know before, to refuse what will not fit.
const populatedKey = "vcenter.populatedSize."

// ImportVApp opens a lease over the disks of a new VM. The VM exists, powered
// off, as soon as the lease is ready.
func (c *poolCalls) ImportVApp(ctx *simulator.Context, r *types.ImportVApp) soap.HasFault {
	b, vc := new(methods.ImportVAppBody), c.vc
	spec, ok := r.Spec.(*types.VirtualMachineImportSpec)
	if !ok {
		b.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "spec"}, "only single VMs can be imported")
		return b
	}
	folder := vc.dc.VmFolder
	if r.Folder != nil {
		folder = *r.Folder
	}
	if _, ok := vc.reg.Get(folder).(*simulator.Folder); !ok {
		b.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "folder"}, "%s is no folder", folder)
		return b
	}
	machine, at, f := vc.fromConfigSpec(&spec.ConfigSpec, c.Self, r.Host, folder)
	if f == nil {
		f = takePopulated(machine)
	}
	if f != nil {
		b.Fault_ = fault(f, "%s", explain(f))
		return b
	}
	l := vc.newLease(modeImport, machine.Name, nil, ctx.Session.Key)
	w := work{method: "ImportVApp", entity: c.Self, name: c.pool.Name, user: ctx.Session.UserName}
	l.begin(w, func() types.BaseMethodFault {
		m, f := vc.createMachine(machine, at)
		if f != nil {
			return f
		}
		l.m, m.lease = m, l
		for i, a := range m.disks {
			l.files = append(l.files, &leaseFile{name: fmt.Sprintf("disk-%d.vmdk", i), a: a})
		}
		l.describe(m.vm.Self, machine.Name)
		return nil
	})
	b.Res = &types.ImportVAppResponse{Returnval: l.Self}
	return b
}

// takePopulated moves the bytes in use from extraConfig to the disks.
func takePopulated(s *VMSpec) types.BaseMethodFault {
	for _, key := range sortedKeys(s.ExtraConfig) {
		number, ok := strings.CutPrefix(key, populatedKey)
		if !ok {
			continue
		}
		i, err := strconv.Atoi(number)
		used, err2 := strconv.ParseInt(s.ExtraConfig[key], 10, 64)
		if err != nil || err2 != nil || i < 0 || i >= len(s.Disks) || used < 0 {
			return &types.InvalidArgument{InvalidProperty: "spec.configSpec.extraConfig"}
		}
		s.Disks[i].Used = min(used, s.Disks[i].Capacity)
		delete(s.ExtraConfig, key)
	}
	return nil
}
