package run

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/harness/oracle"
	"github.com/hdm-project/hdm/sim/guest"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/vcenter"
)

// rootPool is how a cluster's own pool is called.
const rootPool = "Resources"

// truth is what the world itself says now.
func (st *stage) truth() *oracle.Truth {
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
		for _, l := range p.VCenter.Leases() {
			if l.End == "" {
				open(&t.Leases, "%s of %s (%s)", l.Mode, l.VM, l.State)
			}
		}
		for _, task := range p.VCenter.Tasks() {
			if task.State == vsphere.TaskQueued || task.State == vsphere.TaskRunning {
				open(&t.Tasks, "%s of %s at %d%%", task.Method, task.Entity, task.Progress)
			}
		}
		for _, s := range p.VCenter.Sessions() {
			if strings.HasPrefix(s.UserAgent, agent+" boot-") {
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
				Pool: poolName(v.Pool), Marked: len(v.Marks) > 0, Disks: disks(v),
			}
			for _, s := range v.Snapshots {
				vm.Snapshots = append(vm.Snapshots, s.Name)
			}
			all = append(all, vm)
		}
	}
	return all
}

func disks(v vcenter.VM) []oracle.Disk {
	var all []oracle.Disk
	for _, d := range v.Disks {
		all = append(all, oracle.Disk{ID: d.Disk.ID(), Image: d.Disk})
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
	v, ok := e.stage.world.At(vsphere.Site(at)).VCenter.VM(name)
	if !ok {
		return nil
	}
	return disks(v)
}

// vmOf is the VM at a site on which a guest lives: the one with its disks.
func (st *stage) vmOf(name string, at vsphere.Site) (vcenter.VM, bool) {
	g := st.world.Guests().Guest(name)
	if g == nil {
		return vcenter.VM{}, false
	}
	for _, v := range st.world.At(at).VCenter.VMs() {
		if len(v.Disks) > 0 && v.Disks[0].Disk.ID() == g.Disks()[0] {
			return v, true
		}
	}
	return vcenter.VM{}, false
}

// task is a vCenter task that shows a migration.
type task struct {
	vcenter.Task
	fell bool // its progress went back
}

// migrationTask is the task that shows the last migration of a VM at a site:
// HDM's own on premises, that of the import in the cloud.
func (st *stage) migrationTask(at vsphere.Site, vm string) (found task, ok bool) {
	vc := st.world.At(at).VCenter
	shows := func(t vcenter.Task) bool { return t.Method == vsphere.TaskMigrate && t.Entity == vm }
	if at == vsphere.Cloud {
		var last string
		for _, l := range vc.Leases() {
			if l.VM == vm {
				last = l.Task
			}
		}
		shows = func(t vcenter.Task) bool { return t.ID == last }
	}
	for _, t := range vc.Tasks() {
		if shows(t) {
			found, ok = task{t, st.fell[string(at)+t.ID]}, true
		}
	}
	return found, ok
}

// sample looks at the progress of the tasks, to see whether it ever falls.
func (st *stage) sample() {
	for _, p := range st.world.Places() {
		for _, t := range p.VCenter.Tasks() {
			id := string(p.Site) + t.ID
			st.fell[id] = st.fell[id] || t.Progress < st.progress[id] && t.State == vsphere.TaskRunning
			st.progress[id] = t.Progress
		}
	}
}
