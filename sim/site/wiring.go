package site

import (
	"fmt"
	"strings"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/guest"
	"github.com/hdm-project/hdm/sim/vcenter"
)

// spread is how many blocks, besides the boot block, each disk of a guest holds
// when the world begins: the middle and the last one, so that an image that
// lacks an end is found out.
const spread = 2

// guests keeps the software on the disks in step with the VMs that it is on.
// It is the world as the guests see it: their guest.Host.
type guests struct {
	world    *World
	vcenters map[vsphere.Site]*vcenter.VCenter
	all      *guest.Guests
	runs     map[vmKey]*guest.Run
	status   map[string]string              // toolsVersionStatus2 of the guest on that boot disk
	systems  map[string][]vsphere.GuestDisk // its system partition, if it tells
	before   bool                           // the world has not begun: what is on has been for long
}

// markTrial is the extraConfig key of a VM that boots for trial: whatever it
// says, the VM is no copy of its guest.
const markTrial = "hdm.trial"

type vmKey struct {
	site vsphere.Site
	name string
}

func newGuests(w *World) *guests {
	g := &guests{world: w, vcenters: map[vsphere.Site]*vcenter.VCenter{}, runs: map[vmKey]*guest.Run{}, status: map[string]string{}, systems: map[string][]vsphere.GuestDisk{}, before: true}
	g.all = guest.New(w.Kernel, g)
	return g
}

// install makes the disks of a VM with its guest on them.
func (g *guests) install(site vsphere.Site, v VM) ([]*disk.Disk, error) {
	var disks []*disk.Disk
	var ids []string
	for i, d := range v.Disks {
		made := disk.New(diskID(site, v, i), int64(d.Capacity))
		made.SetUsed(int64(*d.Used))
		disks, ids = append(disks, made), append(ids, made.ID())
	}
	if len(disks) == 0 {
		return nil, nil
	}
	g.status[ids[0]] = v.ToolsStatus
	g.systems[ids[0]] = v.system()
	soft, err := g.all.Add(guest.Spec{
		Name: guestName(site, v.Name), Disks: ids, Boot: *v.BootTime, Shutdown: *v.StopTime,
		NoTools: v.Tools == ToolsAbsent, Deaf: v.Deaf, Late: v.ToolsLate.guest(),
		Workload: v.Workload.guest(),
	})
	if err != nil {
		return nil, err
	}
	return disks, soft.Install(disks, spread)
}

// system is the guest's system partition, which is all of its boot disk; none if
// it does not tell.
func (v VM) system() []vsphere.GuestDisk {
	if v.SystemFree == nil {
		return nil
	}
	path := "/"
	if strings.HasPrefix(v.Guest, "win") {
		path = `C:\`
	}
	return []vsphere.GuestDisk{{Path: path, Capacity: int64(v.Disks[0].Capacity), Free: int64(*v.SystemFree)}}
}

// guest is the workload as a guest does it.
func (w *Workload) guest() guest.Workload {
	if *w.Rate == 0 {
		return guest.Workload{Kind: guest.None}
	}
	return guest.Workload{Kind: guest.Kind(w.Kind), Rate: *w.Rate, ReadShare: w.Reads, Span: int64(w.Span), FlushEvery: w.FlushEvery}
}

// guest is the lateness as a guest has it.
func (l *ToolsLate) guest() guest.ToolsLate {
	if l == nil {
		return guest.ToolsLate{}
	}
	return guest.ToolsLate{Site: l.Site, Boots: l.Boots, Never: l.Never, By: l.By}
}

// guestName is the name of the guest that a VM has when the world begins. The
// cloud may have VMs of the same names as the premises.
func guestName(site vsphere.Site, vm string) string {
	if site == vsphere.Cloud {
		return "cloud/" + vm
	}
	return vm
}

// diskID is the identity of a disk, wherever its image goes: the guest's name
// and the disk's number from 0. Names that an image's header cannot hold give
// way to the VM's UUID.
func diskID(site vsphere.Site, v VM, n int) string {
	name := guestName(site, v.Name)
	for _, r := range name {
		if r < ' ' || r > '~' || r == '"' {
			name = v.UUID
			break
		}
	}
	return fmt.Sprintf("%s/%d", name, n)
}

// changed hears of everything that becomes true in a vCenter.
func (w *World) changed(p *Place, c vcenter.Change) {
	w.Kernel.Emit(c.Kind, c.Subject, c.Attrs...)
	name := c.Subject
	if prefix := string(p.Site) + "/"; len(name) > len(prefix) {
		name = name[len(prefix):]
	}
	switch c.Kind {
	case event.VMPower:
		on := attr(c, "state") == "on"
		if w.Components != nil { // none is there before the world has begun
			w.Components.Power(p.Site, name, on)
		}
		w.guests.power(p, name, on)
		if on && w.isComponent(p, name) {
			w.guests.Tools(string(p.Site), name, true) // they are in HDM's image
		}
	case event.VMRenamed:
		w.guests.renamed(p, name, attr(c, "name"))
	case event.VMDestroyed:
		delete(w.guests.runs, vmKey{p.Site, name})
	}
}

func attr(c vcenter.Change, key string) string {
	for i := 0; i+1 < len(c.Attrs); i += 2 {
		if c.Attrs[i] == key {
			return c.Attrs[i+1]
		}
	}
	return ""
}

// power boots the guest that lives on the VM's boot disk, or cuts its power.
func (g *guests) power(p *Place, name string, on bool) {
	key := vmKey{p.Site, name}
	if r := g.runs[key]; r != nil {
		r.PowerOff()
		delete(g.runs, key)
	}
	vm, ok := p.VCenter.VM(name)
	if !on || !ok {
		return
	}
	boot := g.all.PowerOn
	switch {
	case g.before:
		boot = g.all.Running
	case vm.Marks[markTrial] != "":
		boot = g.all.Trial
	}
	if r := boot(string(p.Site), name, g.world.devices(p, vm)); r != nil {
		g.runs[key] = r
	}
}

// devices are the disks of a VM as a guest on it drives them.
func (w *World) devices(p *Place, vm vcenter.VM) []guest.Device {
	all := make([]guest.Device, len(vm.Disks))
	for i, d := range vm.Disks {
		if w.Device != nil {
			all[i] = w.Device(p, vm, i)
		}
		if all[i] == nil {
			all[i] = guest.Local(d.Disk)
		}
	}
	return all
}

// Images are what the disks of a VM hold now, in its order, wherever the bytes
// are: as a guest on the VM would read them.
func (w *World) Images(p *Place, vm vcenter.VM) []disk.Reader {
	all := make([]disk.Reader, len(vm.Disks))
	for i, d := range w.devices(p, vm) {
		all[i] = d.Image()
	}
	return all
}

func (g *guests) renamed(p *Place, from, to string) {
	if r := g.runs[vmKey{p.Site, from}]; r != nil {
		r.Rename(to)
		delete(g.runs, vmKey{p.Site, from})
		g.runs[vmKey{p.Site, to}] = r
	}
}

// shutDown passes on that the vCenter asks a guest to shut down. One that does
// not hear goes on.
func (g *guests) shutDown(p *Place, vm string) {
	if r := g.runs[vmKey{p.Site, vm}]; r != nil {
		r.Shutdown()
		return
	}
	if g.world.isComponent(p, vm) {
		g.Halted(string(p.Site), vm)
	}
}

// reboot passes on that the vCenter asks a guest to reboot.
func (g *guests) reboot(p *Place, vm string) {
	if r := g.runs[vmKey{p.Site, vm}]; r != nil {
		r.Reboot()
		return
	}
	if g.world.isComponent(p, vm) {
		g.world.Components.Power(p.Site, vm, false)
		g.world.Components.Power(p.Site, vm, true)
		g.Tools(string(p.Site), vm, true)
	}
}

// isComponent says whether a VM is one of HDM's: what runs in it is no guest of
// the world.
func (w *World) isComponent(p *Place, name string) bool {
	vm, ok := p.VCenter.VM(name)
	return ok && vm.Marks[component.MarkComponent] != ""
}

// Rebooted implements guest.Host: the guest comes up on the VM that it was on.
func (g *guests) Rebooted(site, vm string) { g.power(g.world.At(vsphere.Site(site)), vm, true) }

// Tools implements guest.Host.
func (g *guests) Tools(site, vm string, running bool) {
	place := g.place(site)
	v, ok := place.VM(vm)
	if !ok {
		return // destroyed while its guest ran
	}
	state := vcenter.GuestState{ToolsRunning: running}
	switch {
	case v.Marks[component.MarkComponent] != "":
		state.ToolsStatus = string(types.VirtualMachineToolsVersionStatusGuestToolsCurrent)
	case len(v.Disks) > 0:
		state.ToolsStatus = g.status[v.Disks[0].Disk.ID()]
		if running {
			state.Disks = g.systems[v.Disks[0].Disk.ID()]
		}
	}
	g.defect(place.SetGuest(vm, state))
}

// Halted implements guest.Host.
func (g *guests) Halted(site, vm string) { g.defect(g.place(site).GuestHalted(vm)) }

func (g *guests) place(site string) *vcenter.VCenter { return g.vcenters[vsphere.Site(site)] }

// defect fails the world for what only a defect of the simulation can cause.
func (g *guests) defect(err error) {
	if err != nil {
		g.world.Kernel.Fail(fmt.Errorf("a guest's VM is not where its guest runs: %w", err))
	}
}
