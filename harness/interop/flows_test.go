//go:build check

package interop

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/site"
)

// deployed is how every flow begins: HDM is deployed for db-01 to go to the cloud.
const deployed = `
title: A flow for a foreign client to look at
limit: 24h
world:
  on-premises:
    networks: [VM Network, Backend]
    pools: [production]
    vms:
      - name: db-01
        disks: [{capacity: 8 MB, used: 6 MB}, {capacity: 4 MB, used: 1 MB}]
        nics: [{network: VM Network}, {network: Backend, type: e1000e}]
        pool: production
  cloud:
    networks: [Cloud Net, Cloud Backend]
  guests:
    boot-time: 10s
    workload: {kind: random, rate: 4, span: 512 KB}
steps:
  - {at: 0s, deploy: {mode: standard}}
`

// The steps that lead on from there.
const (
	tried = `  - {when: {deployment: deployed}, migrate: {vm: db-01, type: tbc, target: {networks: {VM Network: Cloud Net, Backend: Cloud Backend}}}}
`
	back = `  - {when: {vm: db-01, type: tbc, enters: completed, after: 30m}, migrate-back: {vm: db-01}}
`
	undeploy = `  - {when: {vm: db-01, type: back, enters: completed, after: 5m}, undeploy: {}}
`
	warm = `  - {when: {deployment: deployed}, migrate: {vm: db-01, type: warm, target: {networks: {VM Network: Cloud Net, Backend: Cloud Backend}}}}
`
	verbs = `  - {when: {vm: db-01, enters: waiting, after: 5m}, start-transfer: {vm: db-01}}
  - {when: {vm: db-01, enters: waiting, attempt: 2, after: 5m}, configure-sync: {vm: db-01}}
  - {when: {vm: db-01, enters: waiting, attempt: 3, after: 5m}, commit: {vm: db-01}}
`
)

// flows are runs, each with what govc must see where it has ended: HDM's tasks on
// premises in the order of their beginnings, how many events of each type there
// are, and how the VMs stand.
var flows = []struct {
	name   string
	steps  string
	tasks  []task
	events map[string]int
	stands func(l flow)
}{
	{"deployed", "", []task{deploys}, events(1, 0, 0), func(l flow) { l.components(true) }},
	{"running in the cloud on trial", tried, []task{deploys, migrates}, events(1, 1, 1), func(l flow) {
		l.components(true)
		l.computes()
		l.source("_HDM_MIGRATEPOOL", "_hdm1")
		l.absent(l.here, "db-01_hdm_clone")
		l.here.sameBytes(l.t, l.here.vm("db-01"))
	}},
	{"waiting for its verbs", warm, []task{deploys, {"com.hdm.migrate", "db-01", "running"}}, events(1, 1, 0), func(l flow) {
		l.computes()
		l.source("_HDM_MIGRATEPOOL", "_hdm1")
		clone := l.here.vm("db-01_hdm_clone")
		assert.Equal(l.t, "poweredOff", clone.Runtime.PowerState)
	}},
	{"committed", warm + verbs, []task{deploys, migrates}, events(1, 1, 1), func(l flow) {
		l.source("_HDM_MIGRATEPOOL")
		l.absent(l.here, "db-01_hdm_clone")
		l.absent(l.there, "db-01 ARM", "db-01 ARM image")
		image := l.there.vm("db-01")
		assert.Empty(l.t, image.Snapshot.RootSnapshotList)
		l.runs(image, "[cloud-ds")
		l.powerOff("db-01") // a running VM's disks are locked, as on ESXi
		l.there.sameBytes(l.t, image)
		l.here.sameBytes(l.t, l.here.vm("db-01"))
	}},
	{"migrated back", tried + back, []task{deploys, migrates, comesBack}, events(1, 2, 2), func(l flow) {
		l.components(true)
		l.source("production")
		l.absent(l.there, "db-01", "db-01 ARM", "db-01 ARM image")
		l.here.sameBytes(l.t, l.here.vm("db-01"))
	}},
	{"undeployed", tried + back + undeploy, []task{deploys, migrates, comesBack, {"com.hdm.undeploy", "Cluster", "success"}}, events(2, 2, 2), func(l flow) {
		l.components(false)
		l.source("production")
		l.absent(l.there, "db-01", "db-01 ARM")
	}},
}

// task is one of HDM's, as govc lists it.
type task struct{ kind, entity, state string }

// The tasks of flows that end well.
var (
	deploys   = task{"com.hdm.deploy", "Cluster", "success"}
	migrates  = task{"com.hdm.migrate", "db-01", "success"}
	comesBack = task{"com.hdm.migrateBack", "db-01", "success"}
)

// events is how many events of each type there are.
func events(deployments, started, ended int) map[string]int {
	return map[string]int{
		"com.hdm.deployment.started": deployments, "com.hdm.deployment.ended": deployments, "com.hdm.deployment.failed": 0,
		"com.hdm.migration.started": started, "com.hdm.migration.ended": ended, "com.hdm.migration.retried": 0,
	}
}

func TestGovcSeesWhereEachFlowHasLed(t *testing.T) { // DEP-02, MIG-07, MIG-11, TBC-01, WARM-03, BACK-03, BACK-04
	client := build(t)
	for _, f := range flows {
		for _, mode := range []site.Mode{site.Direct, site.SOAP} {
			t.Run(f.name+"/"+string(mode), func(t *testing.T) {
				s, err := scenario.ParseText("flow.yaml", []byte(deployed+f.steps))
				require.NoError(t, err)
				looked := false
				r, err := run.One(context.Background(), s, run.Options{Transport: mode, Finished: func(w *site.World) {
					looked = true
					l := flow{t, w, serve(t, client, w.OnPremises.VCenter), serve(t, client, w.Cloud.VCenter)}
					f.stands(l)
					assert.Equal(t, f.tasks, l.here.ofHDM())
					for _, kind := range slices.Sorted(maps.Keys(f.events)) {
						on := "/DC/vm/db-01"
						if strings.HasPrefix(kind, "com.hdm.deployment") {
							on = "/DC/host/Cluster"
						}
						got := l.here.do("events", "-type", kind, on)
						assert.Len(t, slices.Collect(strings.Lines(got)), f.events[kind], "%s: %s", kind, got)
					}
				}})
				require.NoError(t, err)
				assert.Equal(t, record.Passed, r.Verdict, "%v", r.Violations)
				assert.True(t, looked)
			})
		}
	}
}

// flow is a world at the end of a flow, and govc at both its vCenters.
type flow struct {
	t           *testing.T
	w           *site.World
	here, there govc
}

// components asserts that every component VM is there, on and marked as what it
// is, with each served datastore mounted; or none.
func (l flow) components(there bool) {
	mode, err := deployment.Parse("standard")
	require.NoError(l.t, err)
	plan, err := deployment.Plan(mode)
	require.NoError(l.t, err)
	seen := 0
	for _, v := range plan {
		at := map[vsphere.Site]govc{vsphere.OnPremises: l.here, vsphere.Cloud: l.there}[v.Site]
		switch {
		case v.Kind == component.Appliance:
			continue
		case !there:
			l.absent(at, v.Name)
			continue
		}
		seen++
		vm := at.vm(v.Name)
		assert.Equal(l.t, "poweredOn", vm.Runtime.PowerState, v.Name)
		marks := map[string]string{}
		for _, c := range vm.Config.ExtraConfig {
			marks[c.Key] = c.Value
		}
		for key, value := range mode.Marks(v) {
			assert.Equal(l.t, value, marks[key], "%s of %s", key, v.Name)
		}
		if v.Kind == component.CloudCacheVM {
			assert.Contains(l.t, at.do("datastore.info", v.Name), v.Name)
		}
	}
	assert.Equal(l.t, there, seen > 0)
	if !there {
		assert.NotContains(l.t, l.there.do("find", "/DC/datastore"), "HDM_Cloud_Cache")
	}
}

// source asserts how the VM stands on premises: off.
func (l flow) source(pool string, snapshots ...string) {
	vm := l.here.vm("db-01")
	assert.Equal(l.t, "poweredOff", vm.Runtime.PowerState)
	assert.Equal(l.t, pool, l.here.name(vm.ResourcePool))
	var got []string
	for _, s := range vm.Snapshot.RootSnapshotList {
		got = append(got, s.Name)
	}
	assert.Equal(l.t, snapshots, got)
}

// computes asserts that the compute VM runs in the cloud, on the cloud cache, and
// nothing else of the VM is there.
func (l flow) computes() {
	l.absent(l.there, "db-01", "db-01 ARM image")
	l.runs(l.there.vm("db-01 ARM"), "[HDM_Cloud_Cache")
}

// runs asserts that a VM in the cloud is on, on networks for those on premises
// with the same addresses, and that its disks are on a datastore.
func (l flow) runs(vm machine, store string) {
	assert.Equal(l.t, "poweredOn", vm.Runtime.PowerState)
	assert.Equal(l.t, []string{"Cloud Net", "Cloud Backend"}, vm.networks())
	assert.Equal(l.t, l.here.vm("db-01").macs(), vm.macs())
	disks := 0
	for _, d := range vm.Config.Hardware.Device {
		if fileName.MatchString(d.Backing.FileName) {
			disks++
			assert.True(l.t, strings.HasPrefix(d.Backing.FileName, store), d.Backing.FileName)
		}
	}
	assert.Equal(l.t, 2, disks)
}

func (l flow) absent(at govc, names ...string) {
	for _, name := range names {
		assert.Empty(l.t, at.vms(name), name)
	}
}

// powerOff is a person who turns off a VM in the cloud.
func (l flow) powerOff(name string) {
	_, err := l.w.Cloud.Power(name, false)
	require.NoError(l.t, err)
	require.NoError(l.t, kernel.NewDriver(l.w.Kernel, 0, kernel.Limits{}).Run(l.w.Kernel.Now()+time.Minute, nil))
}

// ofHDM are HDM's tasks in the order in which they began.
func (g govc) ofHDM() (tasks []task) {
	var out struct {
		Tasks []struct {
			State, DescriptionID, EntityName string
			QueueTime                        time.Time
		}
	}
	require.NoError(g.t, json.Unmarshal([]byte(g.do("tasks", "-n", "500", "-json")), &out))
	slices.SortStableFunc(out.Tasks, func(p, q struct {
		State, DescriptionID, EntityName string
		QueueTime                        time.Time
	}) int {
		return p.QueueTime.Compare(q.QueueTime)
	})
	for _, t := range out.Tasks {
		if strings.HasPrefix(t.DescriptionID, "com.hdm.") {
			tasks = append(tasks, task{t.DescriptionID, t.EntityName, t.State})
		}
	}
	return tasks
}
