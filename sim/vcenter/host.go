package vcenter

import "github.com/vmware/govmomi/vim25/types"

// SetHostConnected makes a host answer the vCenter, or not. Without an answer
// the vCenter does not know of the host's VMs either: nothing can be done to
// them, though they run on.
func (vc *VCenter) SetHostConnected(name string, connected bool) (err error) {
	vc.do(func() {
		h := vc.hosts[name]
		if h == nil {
			err = &NotFoundError{"host", name}
			return
		}
		state, vms := types.HostSystemConnectionStateConnected, types.VirtualMachineConnectionStateConnected
		if !connected {
			state, vms = types.HostSystemConnectionStateNotResponding, types.VirtualMachineConnectionStateDisconnected
		}
		vc.update(vc.ctx(), h, set("runtime.connectionState", state), set("summary.runtime.connectionState", state))
		for _, m := range vc.order {
			if *m.vm.Runtime.Host == h.Self {
				vc.update(vc.ctx(), m.vm, set("runtime.connectionState", vms), set("summary.runtime.connectionState", vms))
			}
		}
	})
	return err
}
