package vcenter

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// browserCalls: what a cluster offers for new VMs. vcsim offers no devices, and
// shares its answer with all callers.
type browserCalls struct{ call }

// hardwareVersion is that of every VM.
const hardwareVersion = "vmx-19"

// DefaultAdapters are the kinds of network adapter of vSphere.
var DefaultAdapters = []string{"vmxnet3", "e1000e", "e1000", "vmxnet2", "pcnet32"}

// adapterOption is how vSphere tells of a kind of adapter, or nil.
func adapterOption(kind string) types.BaseVirtualDeviceOption {
	switch kind {
	case "vmxnet3":
		v := new(types.VirtualVmxnet3Option)
		v.Type = "VirtualVmxnet3"
		return v
	case "vmxnet2":
		v := new(types.VirtualVmxnet2Option)
		v.Type = "VirtualVmxnet2"
		return v
	case "e1000":
		v := new(types.VirtualE1000Option)
		v.Type = "VirtualE1000"
		return v
	case "e1000e":
		v := new(types.VirtualE1000eOption)
		v.Type = "VirtualE1000e"
		return v
	case "pcnet32":
		v := new(types.VirtualPCNet32Option)
		v.Type = "VirtualPCNet32"
		return v
	}
	return nil
}

func (vc *VCenter) configOption() *types.VirtualMachineConfigOption {
	o := &types.VirtualMachineConfigOption{Version: hardwareVersion, Description: "ESXi 7.0 U2 and later"}
	for _, kind := range vc.config.Adapters {
		if a := adapterOption(kind); a != nil {
			o.HardwareOptions.VirtualDeviceOption = append(o.HardwareOptions.VirtualDeviceOption, a)
		}
	}
	for _, id := range simulator.GuestID {
		o.GuestOSDescriptor = append(o.GuestOSDescriptor, types.GuestOsDescriptor{Id: string(id)})
	}
	return o
}

// QueryConfigOption lists the devices that new VMs may have: network adapters
// only, which is what a migration has to map.
func (c *browserCalls) QueryConfigOption(*simulator.Context, *types.QueryConfigOption) soap.HasFault {
	return &methods.QueryConfigOptionBody{Res: &types.QueryConfigOptionResponse{Returnval: c.vc.configOption()}}
}

// QueryConfigOptionEx is QueryConfigOption with a filter, which is ignored.
func (c *browserCalls) QueryConfigOptionEx(*simulator.Context, *types.QueryConfigOptionEx) soap.HasFault {
	return &methods.QueryConfigOptionExBody{Res: &types.QueryConfigOptionExResponse{Returnval: c.vc.configOption()}}
}

// QueryConfigOptionDescriptor names the one hardware version.
func (c *browserCalls) QueryConfigOptionDescriptor(*simulator.Context, *types.QueryConfigOptionDescriptor) soap.HasFault {
	d := types.VirtualMachineConfigOptionDescriptor{Key: hardwareVersion, Description: hardwareVersion, DefaultConfigOption: true}
	d.CreateSupported, d.RunSupported, d.UpgradeSupported = true, true, true
	for _, h := range c.vc.hostOrder {
		if o, ok := c.vc.reg.Get(*h.Parent).(*simulator.ClusterComputeResource); ok && o.EnvironmentBrowser != nil && *o.EnvironmentBrowser == c.Self {
			d.Host = append(d.Host, h.Self)
		}
	}
	return &methods.QueryConfigOptionDescriptorBody{Res: &types.QueryConfigOptionDescriptorResponse{
		Returnval: []types.VirtualMachineConfigOptionDescriptor{d},
	}}
}
