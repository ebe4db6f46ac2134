package vcenter

import "github.com/vmware/govmomi/vim25/mo"

// RenameNetwork gives another name to a network that no VM is on yet: to the
// "VM Network" that is there from the start, if a site has none of that name.
func (vc *VCenter) RenameNetwork(from, to string) (err error) {
	vc.do(func() {
		r, ok := vc.networks[from]
		if !ok {
			err = &NotFoundError{"network", from}
			return
		}
		if _, taken := vc.networks[to]; taken {
			err = &ExistsError{"network", to}
			return
		}
		n := vc.reg.Get(r).(*mo.Network)
		if len(n.Vm) > 0 {
			err = &InUseError{"network", from}
			return
		}
		n.Name, n.ManagedEntity.Name = to, to
		n.Summary.GetNetworkSummary().Name = to
		delete(vc.networks, from)
		vc.networks[to] = r
		for i, name := range vc.netOrder {
			if name == from {
				vc.netOrder[i] = to
			}
		}
	})
	return err
}

// InUseError says that VMs stand on the thing.
type InUseError struct{ Kind, Name string }

func (e *InUseError) Error() string {
	return "VMs use the " + e.Kind + " " + e.Name + ": move them first"
}
