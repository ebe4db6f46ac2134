package component_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/cache"
	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/machine"
	"github.com/hdm-project/hdm/sim/site"
)

// stage is a small world with component VMs, deployed by hand, and the
// appliance's client of them.
type stage struct {
	*site.World
	t         testing.TB
	trace     []kernel.Event
	beats     []component.Heartbeat
	appliance *machine.Machine
	client    *component.Client
	mode      deployment.Mode
	group     string // of what is bound
}

const gb = 1 << 30

// computing is a stage on which db runs in the cloud, on a cloud cache that holds
// all that it touches.
func computing(t testing.TB) *stage {
	t.Helper()
	s := newStage(t, "standard", worker("db"))
	s.bind("m-1", "db", 32<<20)
	s.power("db ARM", true)
	return s
}

// newStage builds a world with these VMs on premises, and deploys a mode.
func newStage(t testing.TB, mode string, vms ...site.VM) *stage {
	t.Helper()
	k := kernel.New(1)
	s := &stage{t: t}
	k.Observe(func(e kernel.Event) {
		if e.Kind != "guest.write" {
			s.trace = append(s.trace, e)
		}
	})
	w, err := site.Build(k, site.Description{OnPremises: site.Site{VMs: vms}}, site.Options{})
	require.NoError(t, err)
	s.World = w
	t.Cleanup(func() {
		k.Close()
		assert.NoError(t, w.Close())
	})
	w.Components.Heartbeat = func(b component.Heartbeat) { s.beats = append(s.beats, b) }
	s.appliance = w.Appliance()
	s.mode, err = deployment.Parse(mode)
	require.NoError(t, err)
	s.deploy()
	return s
}

// deploy makes the component VMs and powers them on, as the appliance will.
func (s *stage) deploy() {
	plan, err := deployment.Plan(s.mode)
	require.NoError(s.t, err)
	cfg := component.ClientConfig{Runtime: s.appliance, Link: s.Components.Link(), Name: "boot-1"}
	for _, vm := range plan[1:] {
		s.at(vm.Site, func(ctx context.Context, v *vsphere.Session, r vsphere.Resources) error {
			spec := vsphere.NewVM{
				Name: vm.Name, Mark: vm.Name, Pool: r.Pools[0].Ref, Host: r.Hosts[0].Ref, Datastore: own(r),
				CPUs: vm.CPUs, MemoryMB: vm.MemoryMB, Extra: s.mode.Marks(vm),
			}
			for _, d := range vm.Disks {
				spec.Disks = append(spec.Disks, vsphere.NewDisk{Capacity: d.Capacity})
			}
			made, err := v.EnsureVM(ctx, spec)
			if err != nil {
				return err
			}
			return v.PowerOn(ctx, made)
		})
		switch vm.Kind {
		case component.CloudCacheVM:
			cfg.Caches = append(cfg.Caches, vm.Name)
		case component.PremESXi:
			cfg.Homes = append(cfg.Homes, vm.Name)
		}
	}
	s.client = component.NewClient(cfg)
	s.run(time.Minute)
}

// at does something at a vCenter, as the appliance.
func (s *stage) at(where vsphere.Site, do func(context.Context, *vsphere.Session, vsphere.Resources) error) {
	s.t.Helper()
	here, there := s.Endpoints("hdm")
	if where == vsphere.Cloud {
		here = there
	}
	s.do(func(ctx context.Context) error {
		v, err := vsphere.NewClient(s.appliance, here).Open(ctx)
		if err != nil {
			return err
		}
		defer v.Close(ctx)
		r, err := v.Resources(ctx)
		if err != nil {
			return err
		}
		return do(ctx, v, r)
	})
}

// run lets virtual time pass.
func (s *stage) run(d time.Duration) {
	s.t.Helper()
	require.NoError(s.t, kernel.NewDriver(s.Kernel, 0, kernel.Limits{Wall: 5 * time.Minute}).Run(s.Kernel.Now()+d, nil))
}

// do runs something on the appliance until it ends.
func (s *stage) do(f func(context.Context) error) {
	s.t.Helper()
	err, over := error(nil), false
	s.appliance.Go(context.Background(), "test", func(ctx context.Context) {
		err = f(ctx)
		over = true
	})
	for range 36000 {
		if s.run(time.Second); over {
			break
		}
	}
	require.True(s.t, over, "it never ended")
	require.NoError(s.t, err)
}

// bind a VM on premises, which is off, and make its compute VM in the cloud.
func (s *stage) bind(id, name string, quota int64) {
	s.t.Helper()
	vm, ok := s.OnPremises.VCenter.VM(name)
	require.True(s.t, ok)
	b := component.Binding{ID: id, Group: s.group, Source: vsphere.Ref(vm.Ref.String()), Quota: quota}
	for _, d := range vm.Disks {
		b.Disks = append(b.Disks, component.BoundDisk{Key: d.Key, Capacity: d.Disk.Capacity()})
	}
	var bound component.Bound
	s.do(func(ctx context.Context) (err error) {
		bound, err = s.client.Bind(ctx, b)
		return err
	})
	s.at(vsphere.Cloud, func(ctx context.Context, v *vsphere.Session, r vsphere.Resources) error {
		if err := v.MountServed(ctx, r.Hosts[0].Ref, bound.Datastore, bound.VM); err != nil {
			return err
		}
		spec := vsphere.NewVM{Name: compute(name), Mark: id, Pool: r.Pools[0].Ref, Host: r.Hosts[0].Ref, Datastore: own(r), CPUs: 1, MemoryMB: 1024}
		for _, path := range bound.Paths {
			spec.Disks = append(spec.Disks, vsphere.NewDisk{Path: path})
		}
		_, err := v.EnsureVM(ctx, spec)
		return err
	})
}

// own is the name of a datastore that no cache serves.
func own(r vsphere.Resources) string {
	i := slices.IndexFunc(r.Datastores, func(d vsphere.Datastore) bool { return !strings.HasPrefix(d.Name, "HDM_") })
	return r.Datastores[i].Name
}

func compute(name string) string { return name + " ARM" }

func (s *stage) flush(ids ...string) (done []component.Flushed) {
	s.t.Helper()
	s.do(func(ctx context.Context) (err error) {
		done, err = s.client.Flush(ctx, ids)
		return err
	})
	return done
}

// power a VM in the cloud.
func (s *stage) power(name string, on bool) {
	s.t.Helper()
	_, err := s.Cloud.Power(name, on)
	require.NoError(s.t, err)
	s.run(30 * time.Second)
}

// images are the disks of a VM as they are now.
func (s *stage) images(p *site.Place, name string) []disk.Reader {
	s.t.Helper()
	vm, ok := p.VCenter.VM(name)
	require.True(s.t, ok, name)
	return s.Images(p, vm)
}

// assertSame compares the disks of a VM on premises with those of its compute
// VM.
func (s *stage) assertSame(name string) {
	s.t.Helper()
	here, there := s.images(s.OnPremises, name), s.images(s.Cloud, compute(name))
	for i := range here {
		same, block := disk.Same(here[i], there[i])
		assert.True(s.t, same, "disk %d differs in block %d", i, block)
	}
}

// frozen is a copy of disks.
func frozen(t testing.TB, images []disk.Reader) (all []*disk.Disk) {
	for i, image := range images {
		d := disk.New(fmt.Sprint("copy/", i), image.Capacity())
		for e := range image.Extents() {
			p := make([]byte, cache.BlockSize)
			for off := e.Off; off < e.Off+e.Len; off += cache.BlockSize {
				p = p[:min(cache.BlockSize, e.Off+e.Len-off)]
				_, err := image.ReadAt(p, off)
				require.NoError(t, err)
				_, err = d.WriteAt(p, off)
				require.NoError(t, err)
			}
		}
		all = append(all, d)
	}
	return all
}

// events of a kind.
func (s *stage) events(kind string) (all []kernel.Event) {
	for _, e := range s.trace {
		if e.Kind == kind {
			all = append(all, e)
		}
	}
	return all
}
