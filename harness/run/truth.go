package run

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/prepare"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/harness/oracle"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/sim/guest"
	"github.com/hdm-project/hdm/sim/machine"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/vcenter"
)

// rootPool is how a cluster's own pool is called.
const rootPool = "Resources"

// truth is what the world itself says now. Sessions that were used within the
// last while are in use: HDM ends them by itself.
func (st *stage) truth(while time.Duration) *oracle.Truth {
	t := &oracle.Truth{At: st.kernel.Now(), Before: st.before, VMs: vms(st.world), Guests: st.world.Guests().All()}
	for _, p := range st.world.Places() {
		for _, pool := range p.VCenter.Pools() {
			if !slices.Contains(st.pools[p.Site], pool) {
				t.Pools = append(t.Pools, oracle.Pool{Site: p.Site, Name: path.Base(pool), Parent: poolName(path.Dir(pool))})
			}
		}
		open := func(list *[]oracle.Open, format string, args ...any) {
			*list = append(*list, oracle.Open{Site: p.Site, What: fmt.Sprintf(format, args...)})
		}
		for _, name := range p.VCenter.Served() {
			open(&t.Served, "%s", name)
		}
		for _, l := range p.VCenter.Leases() {
			if l.End == "" {
				open(&t.Leases, "%s of %s (%s)", l.Mode, l.VM, l.State)
			}
		}
		for _, task := range p.VCenter.Tasks() {
			if task.State == vsphere.TaskQueued || task.State == vsphere.TaskRunning {
				open(&t.Tasks, "%s of %s at %d%%", task.Method, task.Entity, task.Progress)
				t.Tasks[len(t.Tasks)-1].VM = task.Entity
			}
		}
		for _, s := range p.VCenter.Sessions() {
			unused := st.kernel.Now() - s.LastActiveTime.Sub(machine.Epoch)
			if strings.HasPrefix(s.UserAgent, agent+" boot-") && unused >= while {
				open(&t.Sessions, "%s by %s", s.UserName, s.UserAgent)
			}
		}
	}
	return t
}

// poolName is the name of the pool at a path below the root pool.
func poolName(at string) string {
	if at == "" || at == "." {
		return rootPool
	}
	return path.Base(at)
}

func poolPaths(w *site.World) map[vsphere.Site][]string {
	paths := map[vsphere.Site][]string{}
	for _, p := range w.Places() {
		paths[p.Site] = p.VCenter.Pools()
	}
	return paths
}

func vms(w *site.World) []oracle.VM {
	var all []oracle.VM
	for _, p := range w.Places() {
		for _, v := range p.VCenter.VMs() {
			vm := oracle.VM{
				Site: p.Site, ID: v.Ref.String(), Name: v.Name, On: v.Power == vsphere.On, Connected: v.Connection == "connected",
				Pool: poolName(v.Pool), Marked: marked(v), Disks: disks(w, p, v),
				Component: v.Marks[component.MarkComponent] != "",
			}
			for _, s := range v.Snapshots {
				vm.Snapshots = append(vm.Snapshots, s.Name)
			}
			all = append(all, vm)
		}
	}
	return all
}

// marked says whether a VM carries a mark of HDM's. That it is prepared it stays.
func marked(v vcenter.VM) bool {
	_, prepared := v.Marks[prepare.Mark]
	return len(v.Marks) > 1 || len(v.Marks) == 1 && !prepared
}

func disks(w *site.World, p *site.Place, v vcenter.VM) []oracle.Disk {
	var all []oracle.Disk
	for i, image := range w.Images(p, v) {
		all = append(all, oracle.Disk{ID: v.Disks[i].Disk.ID(), Image: image})
	}
	return all
}

// eyes are the oracles' while a run goes on. While the world is being built
// there is nothing to see.
type eyes struct{ stage *stage }

// Guest implements oracle.World.
func (e eyes) Guest(name string) *guest.Guest {
	if e.stage.world == nil {
		return nil
	}
	return e.stage.world.Guests().Guest(name)
}

// Disks implements oracle.World.
func (e eyes) Disks(subject string) []oracle.Disk {
	if e.stage.world == nil {
		return nil
	}
	at, name, _ := strings.Cut(subject, "/")
	p := e.stage.world.At(vsphere.Site(at))
	v, ok := p.VCenter.VM(name)
	if !ok {
		return nil
	}
	return disks(e.stage.world, p, v)
}

// vmOf is the VM at a site on which a guest lives: the one with its disks; of
// several, as in the middle of a warm migration, the one that is on.
func (st *stage) vmOf(name string, at vsphere.Site) (vcenter.VM, bool) {
	g := st.world.Guests().Guest(name)
	if g == nil {
		return vcenter.VM{}, false
	}
	var found vcenter.VM
	ok := false
	for _, v := range st.world.At(at).VCenter.VMs() {
		if len(v.Disks) > 0 && v.Disks[0].Disk.ID() == g.Disks()[0] && (!ok || v.Power == vsphere.On && found.Power != vsphere.On) {
			found, ok = v, true
		}
	}
	return found, ok
}

// task is a vCenter task that shows a migration.
type task struct {
	vcenter.Task
	seen gauge
}

// taskOf is the task that shows the last migration of a VM, or the last bulk
// transfer of it at one of the sites.
func (st *stage) taskOf(name scenario.TaskName, vm string) (task, bool) {
	at, mode := vsphere.OnPremises, ""
	switch name {
	case scenario.TaskExport:
		mode = "export"
	case scenario.TaskImport:
		at, mode = vsphere.Cloud, "import"
	}
	vc := st.world.At(at).VCenter
	shows := func(t vcenter.Task) bool { return t.Method == vsphere.TaskMigrate && t.Entity == vm }
	if mode != "" {
		var last string
		for _, l := range vc.Leases() {
			if l.VM == vm && l.Mode == mode {
				last = l.Task
			}
		}
		shows = func(t vcenter.Task) bool { return t.ID == last }
	}
	var found task
	for _, t := range vc.Tasks() {
		if shows(t) {
			found = task{t, st.gauges[gaugeKey(at, t)]}
		}
	}
	return found, found.ID != ""
}

// gauge is the progress of a task as somebody sees it who looks now and then.
type gauge struct {
	last    int32
	between int  // how many values above 0 and below 100
	fell    bool // it went back
}

func (g *gauge) look(percent int32) {
	if percent > g.last && percent > 0 && percent < 100 {
		g.between++
	}
	g.fell = g.fell || percent < g.last
	g.last = percent
}

// rose says whether it was seen at so many values on its way, and forward only.
func (g *gauge) rose(least int) bool { return g.between >= least && !g.fell }

func gaugeKey(at vsphere.Site, t vcenter.Task) string { return string(at) + "/" + t.ID }

// sample looks at the progress of the tasks that run.
func (st *stage) sample() {
	for _, p := range st.world.Places() {
		for _, t := range p.VCenter.RunningTasks() {
			g := st.gauges[gaugeKey(p.Site, t)]
			g.look(t.Progress)
			st.gauges[gaugeKey(p.Site, t)] = g
		}
	}
}
