//go:build check

package interop

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/loopback"
	"github.com/hdm-project/hdm/harness/recording"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
)

const meddled = `
title: A served migration for a foreign client to meddle with
world:
  on-premises:
    vms:
      - name: db-01
        disks: [{capacity: 8 MB, used: 6 MB}]
      - name: web-01
        disks: [{capacity: 8 MB, used: 2 MB}]
  guests:
    workload: {kind: random, rate: 4, span: 512 KB}
steps:
  - {at: 2m, migrate: {vm: db-01, type: cold, target: {networks: {VM Network: Cloud Net}}}}
`

// person is govc with nothing but what the first line of a served world tells.
type person struct {
	t    *testing.T
	path string
	env  []string
}

func (p person) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.path, args...)
	cmd.Env = p.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (p person) do(args ...string) string {
	out, err := p.try(args...)
	require.NoError(p.t, err, "govc %s: %s", strings.Join(args, " "), out)
	return out
}

func TestGovcMeddlesWithAServedWorldAndItReplays(t *testing.T) {
	client := build(t)
	s, err := scenario.ParseServed("served.yaml", []byte(meddled))
	require.NoError(t, err)
	world, err := loopback.Open(loopback.Config{Scenario: s, Speed: 60, Folder: t.TempDir()})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error)
	go func() { ended <- world.Run(ctx) }()
	info := world.Info()
	at := func(v loopback.VCenter) person {
		return person{t, client, []string{
			"GOVC_URL=" + v.URL, "GOVC_USERNAME=" + v.User, "GOVC_PASSWORD=" + v.Password,
			"GOVC_TLS_CA_CERTS=" + info.CA.File, "GOVC_PERSIST_SESSION=false", "HOME=" + t.TempDir(),
		}}
	}
	here, there := at(info.OnPremises), at(info.Cloud)

	assert.Contains(t, here.do("about"), "VMware vCenter")
	assert.Contains(t, there.do("about"), "VMware vCenter")
	assert.Contains(t, here.do("vm.info", "db-01"), "poweredOn")
	here.do("vm.power", "-reset", "web-01")
	here.do("vm.change", "-vm", "web-01", "-name", "web-02")
	here.do("snapshot.create", "-m=false", "-vm", "web-02", "before")
	assert.Contains(t, here.do("snapshot.tree", "-vm", "web-02"), "before")
	here.do("snapshot.remove", "-vm", "web-02", "before")
	here.do("folder.create", "/DC/vm/archive")
	here.do("object.mv", "/DC/vm/web-02", "/DC/vm/archive")
	here.do("pool.create", "*/Resources/elsewhere")
	here.do("vm.power", "-off", "-force", "web-02")
	here.do("vm.markastemplate", "web-02")
	assert.Contains(t, here.do("events"), "powered on")
	assert.Contains(t, here.do("tasks"), "web-0")
	saved := filepath.Join(t.TempDir(), "saved")
	here.do("object.save", "-d", saved)
	files, err := os.ReadDir(saved)
	require.NoError(t, err)
	assert.NotEmpty(t, files)
	out, err := here.try("vm.unregister", "db-01")
	require.Error(t, err)
	assert.Contains(t, out, "not simulated", "what is missing is refused clearly")

	stop()
	require.NoError(t, <-ended)
	r, byPeople, err := world.Close()
	require.NoError(t, err)
	t.Log(byPeople)
	assert.Equal(t, record.Passed, r.Verdict, "%v %s", r.Violations, r.Error)
	rec, err := recording.Read(info.Recording)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, len(rec.Steps), 10)
	again, err := loopback.Replay(context.Background(), info.Recording, rec, 0, nil)
	require.NoError(t, err)
	assert.Nil(t, again.Differs)
	assert.True(t, again.Whole)
}
