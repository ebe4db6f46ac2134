package site

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/vcenter"
)

// Power is a person at the vCenter who powers a VM on, or pulls its plug. It
// takes the vCenter's time and can be refused, then or later, as any call: an
// error here says that it was refused at once. It does not wait: the end of the
// task says the rest.
func (p *Place) Power(vm string, on bool) (task string, err error) {
	return p.operate("change the power of", vm, func(ctx context.Context, person soap.RoundTripper, vm types.ManagedObjectReference) (types.ManagedObjectReference, error) {
		if on {
			started, err := methods.PowerOnVM_Task(ctx, person, &types.PowerOnVM_Task{This: vm})
			if err != nil {
				return types.ManagedObjectReference{}, err
			}
			return started.Returnval, nil
		}
		started, err := methods.PowerOffVM_Task(ctx, person, &types.PowerOffVM_Task{This: vm})
		if err != nil {
			return types.ManagedObjectReference{}, err
		}
		return started.Returnval, nil
	})
}

// Revert is a person at the vCenter who restores a snapshot of a VM, by its name.
// It is as Power.
func (p *Place) Revert(vm, snapshot string) (task string, err error) {
	return p.operate("restore "+snapshot+" of", vm, func(ctx context.Context, person soap.RoundTripper, vm types.ManagedObjectReference) (none types.ManagedObjectReference, err error) {
		var seen mo.VirtualMachine
		if err := mo.RetrieveProperties(ctx, person, propertyCollector, vm, &seen); err != nil {
			return none, err
		}
		at := none
		if seen.Snapshot != nil {
			at = snapshotOf(seen.Snapshot.RootSnapshotList, snapshot)
		}
		if at == none {
			return none, errors.New("the VM has no such snapshot")
		}
		started, err := methods.RevertToSnapshot_Task(ctx, person, &types.RevertToSnapshot_Task{This: at})
		if err != nil {
			return none, err
		}
		return started.Returnval, nil
	})
}

// snapshotOf is the snapshot of that name in a tree; of several, the one that was
// taken first.
func snapshotOf(trees []types.VirtualMachineSnapshotTree, name string) (found types.ManagedObjectReference) {
	for _, t := range trees {
		if t.Name == name {
			return t.Snapshot
		}
		if found = snapshotOf(t.ChildSnapshotList, name); found.Value != "" {
			return found
		}
	}
	return found
}

// operate lets a person log in, start a task on a VM, and leave.
func (p *Place) operate(what, vm string, start func(context.Context, soap.RoundTripper, types.ManagedObjectReference) (types.ManagedObjectReference, error)) (task string, err error) {
	target, ok := p.VCenter.VM(vm)
	if !ok {
		return "", fmt.Errorf("there is no VM %q at the site %s to %s", vm, p.Site, strings.TrimSuffix(what, " of"))
	}
	var started types.ManagedObjectReference
	err = p.asOperator(func(ctx context.Context, person soap.RoundTripper) (err error) {
		started, err = start(ctx, person, target.Ref)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("an operator cannot %s %s at the site %s: %w", what, vm, p.Site, err)
	}
	return started.Value, nil
}

// EndSessions is a person at the vCenter who ends every session of a client: of
// those whose agent begins so. It says how many there were.
func (p *Place) EndSessions(agent string) (n int, err error) {
	var keys []string
	for _, s := range p.VCenter.Sessions() {
		if strings.HasPrefix(s.UserAgent, agent) {
			keys = append(keys, s.Key)
		}
	}
	if len(keys) == 0 {
		return 0, nil
	}
	err = p.asOperator(func(ctx context.Context, person soap.RoundTripper) error {
		_, err := methods.TerminateSession(ctx, person, &types.TerminateSession{This: sessionManager, SessionId: keys})
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("an operator cannot end the sessions of %s at the site %s: %w", agent, p.Site, err)
	}
	return len(keys), nil
}

// asOperator lets a person log in, do something, and leave.
func (p *Place) asOperator(do func(context.Context, soap.RoundTripper) error) error {
	person := p.VCenter.Direct("operator")
	ctx := context.Background()
	user := p.VCenter.Credentials()
	password, _ := user.Password()
	if _, err := methods.Login(ctx, person, &types.Login{This: sessionManager, UserName: user.Username(), Password: password}); err != nil {
		return fmt.Errorf("an operator cannot log in: %w", err)
	}
	err := do(ctx, person)
	if _, gone := methods.Logout(ctx, person, &types.Logout{This: sessionManager}); gone != nil && err == nil {
		err = gone
	}
	return err
}

// Ship is a person who exports a VM on premises and imports it in the cloud under
// another name, by other means than the WAN: it is off there, with disks that
// hold the same.
func (w *World) Ship(from, to string) error {
	vm, ok := w.OnPremises.VCenter.VM(from)
	switch {
	case !ok:
		return fmt.Errorf("there is no VM %q on premises to export", from)
	case vm.Power != vsphere.Off:
		return fmt.Errorf("%s is powered on: it cannot be exported", from)
	}
	spec := vcenter.VMSpec{Name: to, GuestID: vm.GuestID, Firmware: vm.Firmware, CPUs: vm.CPUs, MemoryMB: vm.MemoryMB}
	for _, d := range vm.Disks {
		carried := disk.New(d.Disk.ID(), d.Disk.Capacity())
		for e := range d.Disk.Extents() {
			if _, err := io.Copy(io.NewOffsetWriter(carried, e.Off), io.NewSectionReader(d.Disk, e.Off, e.Len)); err != nil {
				return fmt.Errorf("carrying %s of %s to the cloud: %w", d.Label, from, err)
			}
		}
		if err := carried.Flush(); err != nil {
			return fmt.Errorf("carrying %s of %s to the cloud: %w", d.Label, from, err)
		}
		carried.SetUsed(d.Disk.Used())
		spec.Disks = append(spec.Disks, vcenter.DiskSpec{Disk: carried, Controller: d.Controller})
	}
	networks := w.Cloud.VCenter.Networks()
	for _, n := range vm.NICs {
		spec.NICs = append(spec.NICs, vcenter.NICSpec{Type: n.Type, Network: networks[0]})
	}
	if _, err := w.Cloud.VCenter.AddVM(spec); err != nil {
		return fmt.Errorf("importing %s as %s: %w", from, to, err)
	}
	return nil
}

var (
	sessionManager    = types.ManagedObjectReference{Type: "SessionManager", Value: "SessionManager"}
	propertyCollector = types.ManagedObjectReference{Type: "PropertyCollector", Value: "propertyCollector"}
)
