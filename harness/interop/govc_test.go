//go:build check

package interop

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/vcenter"
)

const migrated = `
title: A migration for a foreign client to look at
world:
  on-premises:
    vms:
      - name: db-01
        disks: [{capacity: 8 MB, used: 6 MB}, {capacity: 4 MB, used: 1 MB}]
  guests:
    workload: {kind: random, rate: 4, span: 512 KB}
steps:
  - {at: 2m, migrate: {vm: db-01, type: cold, target: {networks: {VM Network: Cloud Net}, adapter: e1000e}}}
expect:
  - {vm: db-01, migration: completed}
`

func TestGovcFindsWhatAMigrationLeavesAndDownloadsTheSameBytes(t *testing.T) {
	s, err := scenario.ParseText("interop.yaml", []byte(migrated))
	require.NoError(t, err)
	client := build(t)
	for _, mode := range []site.Mode{site.Direct, site.SOAP} {
		t.Run(string(mode), func(t *testing.T) {
			looked := false
			r, err := run.One(context.Background(), s, run.Options{Transport: mode, Finished: func(w *site.World) {
				looked = true
				look(t, client, w)
			}})
			require.NoError(t, err)
			assert.Equal(t, record.Passed, r.Verdict, "%v", r.Violations)
			assert.True(t, looked)
		})
	}
}

func look(t *testing.T, client string, w *site.World) {
	here, there := serve(t, client, w.OnPremises.VCenter), serve(t, client, w.Cloud.VCenter)

	source, copied := here.vm("db-01"), there.vm("db-01")
	assert.Equal(t, "poweredOff", source.Runtime.PowerState)
	assert.Equal(t, "_HDM_MIGRATEPOOL", here.name(source.ResourcePool))
	require.Len(t, source.Snapshot.RootSnapshotList, 1)
	assert.Regexp(t, `^_hdm\d+$`, source.Snapshot.RootSnapshotList[0].Name)
	assert.Equal(t, []string{"VM Network"}, source.networks())

	assert.Equal(t, "poweredOn", copied.Runtime.PowerState)
	assert.Equal(t, []string{"Cloud Net"}, copied.networks())
	assert.Regexp(t, `ethernet-0\s+VirtualE1000e\s+Cloud Net`, there.do("device.ls", "-vm", "db-01"))
	assert.Equal(t, source.macs(), copied.macs())
	assert.Empty(t, copied.Snapshot.RootSnapshotList)

	here.finished(t, "com.hdm.migrate", "VirtualMachine.createSnapshot", "VirtualMachine.exportVm")
	there.finished(t, "ResourcePool.importVApp", "VirtualMachine.powerOnVM")

	// A running VM's disks are locked, as on ESXi.
	_, err := w.Cloud.Power("db-01", false)
	require.NoError(t, err)
	require.NoError(t, kernel.NewDriver(w.Kernel, 0, kernel.Limits{}).Run(w.Kernel.Now()+time.Minute, nil))
	assert.Equal(t, "poweredOff", there.vm("db-01").Runtime.PowerState)
	here.sameBytes(t, source)
	there.sameBytes(t, copied)
}

// bin is where the tests build their programs, each once.
var bin string

func TestMain(m *testing.M) {
	var err error
	if bin, err = os.MkdirTemp("", "hdm-interop-"); err != nil {
		panic(err)
	}
	code := m.Run()
	if err := os.RemoveAll(bin); err != nil {
		panic(err)
	}
	os.Exit(code)
}

var builtGovc = sync.OnceValues(func() ([]byte, error) {
	return exec.Command("go", "-C", "govc", "build", "-o", filepath.Join(bin, "govc"), ".").CombinedOutput()
})

// build makes govc from source: see govc/main.go.
func build(t *testing.T) string {
	out, err := builtGovc()
	require.NoError(t, err, "%s", out)
	return filepath.Join(bin, "govc")
}

// govc is the client, bound to one vCenter.
type govc struct {
	t    *testing.T
	path string
	env  []string
	vc   *vcenter.VCenter
}

func serve(t *testing.T, client string, vc *vcenter.VCenter) govc {
	server, err := vc.Serve()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, server.CA, 0o600))
	return govc{t: t, path: client, vc: vc, env: []string{
		"GOVC_URL=" + server.URL.String(), "GOVC_TLS_CA_CERTS=" + ca, "GOVC_PERSIST_SESSION=false", "HOME=" + t.TempDir(),
	}}
}

func (g govc) do(args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, g.path, args...)
	cmd.Env = g.env
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	require.NoError(g.t, cmd.Run(), "govc %s: %s", strings.Join(args, " "), errs.String())
	return out.String()
}

// machine is what govc prints of a VM, as far as it matters here.
type machine struct {
	Runtime      struct{ PowerState string }
	ResourcePool struct{ Type, Value string }
	Snapshot     struct{ RootSnapshotList []struct{ Name string } }
	Config       struct {
		ExtraConfig []struct{ Key, Value string }
		Hardware    struct {
			Device []struct {
				MacAddress string
				Backing    struct{ DeviceName, FileName string }
			}
		}
	}
}

func (g govc) vm(name string) machine {
	all := g.vms(name)
	require.Len(g.t, all, 1, name)
	return all[0]
}

// vms are those of a name, which may be none.
func (g govc) vms(name string) []machine {
	var out struct{ VirtualMachines []machine }
	require.NoError(g.t, json.Unmarshal([]byte(g.do("vm.info", "-json", name)), &out))
	return out.VirtualMachines
}

func (g govc) name(r struct{ Type, Value string }) string {
	return strings.TrimSpace(g.do("object.collect", "-s", r.Type+":"+r.Value, "name"))
}

func (m machine) networks() (names []string) {
	for _, d := range m.Config.Hardware.Device {
		if d.MacAddress != "" {
			names = append(names, d.Backing.DeviceName)
		}
	}
	return names
}

func (m machine) macs() (macs []string) {
	for _, d := range m.Config.Hardware.Device {
		if d.MacAddress != "" {
			macs = append(macs, d.MacAddress)
		}
	}
	return macs
}

// finished asserts that a successful task of each kind is among those that govc
// lists, and none that failed.
func (g govc) finished(t *testing.T, kinds ...string) {
	var out struct {
		Tasks []struct{ State, DescriptionID string }
	}
	require.NoError(t, json.Unmarshal([]byte(g.do("tasks", "-json")), &out))
	for _, kind := range kinds {
		found := false
		for _, task := range out.Tasks {
			found = found || task.State == "success" && strings.Contains(task.DescriptionID, kind)
		}
		assert.True(t, found, "no finished task %s among %v", kind, out.Tasks)
	}
	for _, task := range out.Tasks {
		assert.Equal(t, "success", task.State, task.DescriptionID)
	}
}

var fileName = regexp.MustCompile(`^\[(.*)\] (.*)\.vmdk$`)

// sameBytes downloads the VM's disks and compares each with the world's own.
func (g govc) sameBytes(t *testing.T, m machine) {
	truth, ok := g.vc.VM("db-01")
	require.True(t, ok)
	n := 0
	for _, d := range m.Config.Hardware.Device {
		at := fileName.FindStringSubmatch(d.Backing.FileName)
		if at == nil {
			continue
		}
		local := filepath.Join(t.TempDir(), "disk")
		g.do("datastore.download", "-ds", at[1], at[2]+"-flat.vmdk", local)
		got, err := os.ReadFile(local)
		require.NoError(t, err)
		real := truth.Disks[n].Disk
		want, err := io.ReadAll(io.NewSectionReader(real, 0, real.Capacity()))
		require.NoError(t, err)
		assert.Equal(t, len(want), len(got))
		assert.True(t, string(want) == string(got), "disk %d differs", n)
		assert.NotEmpty(t, strings.Trim(string(got), "\x00"), "nothing was ever written to disk %d", n)
		n++
	}
	assert.Equal(t, 2, n, "disks")
}
