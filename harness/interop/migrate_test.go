//go:build check

package interop

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/interop/foreign"
)

// lasting is a world whose migration people have time to meddle with.
const lasting = `
title: A migration that lasts, for people to meddle with
world:
  on-premises:
    vms:
      - name: db-01
        disks: [{capacity: 64 MB, used: 40 MB}]
      - name: web-01
        disks: [{capacity: 8 MB, used: 2 MB}]
  guests:
    stop-time: 4m
    workload: {kind: random, rate: 4, span: 512 KB}
  links:
    wan: {latency: 20ms, bandwidth: 1 Mbit/s, loss: 0.001}
steps: []
`

// told is what a client of the message bus printed, and how it ended.
type told struct {
	code  int
	lines []string
}

// order runs a client of the message bus. heard, if not nil, is called with each
// line as it comes; the client goes on meanwhile.
func (s *serving) order(heard func(line string), name string, args ...string) told {
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(append(foreign.Env(), s.env...),
		"PATH="+filepath.Dir(foreign.Tool(s.t, "aws"))+":"+os.Getenv("PATH"), "NODE_NO_WARNINGS=1",
		"HDM_SQS_URL="+s.info.SQS.URL, "HDM_COMMANDS="+s.info.SQS.Commands, "HDM_RESPONSES="+s.info.SQS.Responses, "HDM_BUS_TOKEN="+s.info.SQS.Token,
	)
	out, err := cmd.StdoutPipe()
	require.NoError(s.t, err)
	cmd.Stderr = cmd.Stdout
	require.NoError(s.t, cmd.Start())
	var got told
	for in := bufio.NewScanner(out); in.Scan(); {
		got.lines = append(got.lines, in.Text())
		if heard != nil {
			heard(in.Text())
		}
	}
	_ = cmd.Wait() // its exit code says it
	require.NoError(s.t, ctx.Err(), "%s did not end: %v", name, got.lines)
	got.code = cmd.ProcessState.ExitCode()
	s.t.Logf("%s: exit code %d\n%s", filepath.Base(name), got.code, strings.Join(got.lines, "\n"))
	return got
}

// completed asserts that the client saw all that there was to see.
func (c told) completed(t *testing.T, vm string, pages string) {
	all := strings.Join(c.lines, "\n")
	require.Equal(t, 0, c.code)
	assert.Contains(t, all, "HDM is Ready: All the components are deployed and up.")
	assert.Contains(t, all, "page 1 of "+pages)
	assert.Contains(t, all, "page "+pages+" of "+pages)
	assert.Regexp(t, "  "+vm+` poweredOn migratable=[tT]rue`, all)
	assert.Regexp(t, `m-0001 `+vm+` running \d+% Bulk transfer`, all)
	assert.Equal(t, "m-0001 "+vm+" completed 100%", strings.TrimSpace(c.lines[len(c.lines)-1]))
}

func (c told) refused(t *testing.T, vm string) {
	assert.Equal(t, 1, c.code)
	assert.Contains(t, c.lines[len(c.lines)-1], `no VM "`+vm+`" on premises`)
}

// bothShow asserts what both vCenters show of a migration. The VM may have another
// name on premises by now.
func bothShow(here, there govc, vm, now, network string) {
	t := here.t
	here.ended(vm, now)
	source, copied := here.vm(now), there.vm(vm)
	assert.Equal(t, "poweredOff", source.Runtime.PowerState)
	assert.Equal(t, "_HDM_MIGRATEPOOL", here.name(source.ResourcePool))
	require.Len(t, source.Snapshot.RootSnapshotList, 1)
	assert.Equal(t, "_hdm1", source.Snapshot.RootSnapshotList[0].Name)
	assert.Equal(t, "poweredOn", copied.Runtime.PowerState)
	assert.Equal(t, []string{network}, copied.networks())
	assert.Equal(t, []string{"VM Network"}, source.networks())
	assert.Equal(t, source.macs(), copied.macs())
	here.finished(t, "com.hdm.migrate", "VirtualMachine.createSnapshot", "VirtualMachine.exportVm")
	there.finished(t, "ResourcePool.importVApp", "VirtualMachine.powerOnVM")
	assert.Contains(t, here.do("events", "-type", "com.hdm.migration.started", "/DC/vm/"+now), "HDM cold migration m-0001 began")
}

// ended looks until vCenter shows the end, which HDM says there last.
func (g govc) ended(vm, now string) {
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	for {
		if strings.Contains(g.do("events", "-type", "com.hdm.migration.ended", "/DC/vm/"+now), vm+": migration m-0001 completed") {
			return
		}
		require.NoError(g.t, ctx.Err(), "vCenter does not show the end of the migration")
	}
}

func TestAWSCLIAloneMigratesAVM(t *testing.T) {
	client, s := build(t), hdm(t).serve("tiny", "--speed", "4")
	s.order(nil, "/bin/sh", "testdata/migrate.sh", "vm-1", "VM Network", "Cloud Net").completed(t, "vm-1", "2")
	here, there := s.clients(client)
	bothShow(here, there, "vm-1", "vm-1", "Cloud Net")
	s.order(nil, "/bin/sh", "testdata/migrate.sh", "vm-9", "VM Network", "Cloud Net").refused(t, "vm-9")
	assert.Empty(t, s.end())
}

func TestTheJavaScriptSDKAloneMigratesAVM(t *testing.T) {
	folder := t.TempDir()
	text, err := os.ReadFile("testdata/migrate.mjs")
	require.NoError(t, err)
	script := filepath.Join(folder, "migrate.mjs")
	require.NoError(t, os.WriteFile(script, text, 0o600))
	require.NoError(t, os.Symlink(filepath.Join(foreign.NPM(t, foreign.JavaScriptSDK), "node_modules"), filepath.Join(folder, "node_modules")))
	node := foreign.Tool(t, "node")

	client, s := build(t), hdm(t).serve("tiny", "--speed", "0")
	s.order(nil, node, script, "vm-1", "VM Network=Cloud Net").completed(t, "vm-1", "2")
	here, there := s.clients(client)
	bothShow(here, there, "vm-1", "vm-1", "Cloud Net")
	s.order(nil, node, script, "vm-9", "VM Network=Cloud Net").refused(t, "vm-9")
	assert.Empty(t, s.end())
}

func TestBoto3AloneMigratesAVMThatPeopleMeddleWith(t *testing.T) {
	client, p := build(t), hdm(t)
	require.NoError(t, os.WriteFile(filepath.Join(p.folder, "lasting.yaml"), []byte(lasting), 0o600))
	s := p.serve("./lasting.yaml", "--speed", "20")
	here, there := s.clients(client)
	someone := person{t, client, here.env}
	python := foreign.Python(t)

	done := map[string]bool{}
	meddle := func(line string) {
		step := map[bool]string{strings.Contains(line, "Shutting down the VM"): "stop", strings.Contains(line, "Bulk transfer"): "transfer"}[true]
		if done[step] {
			return
		}
		done[step] = true
		switch step {
		case "stop": // nothing stands in a person's way
			someone.do("vm.power", "-reset", "db-01")
			someone.do("folder.create", "/DC/vm/archive")
			someone.do("vm.change", "-vm", "db-01", "-name", "db-02")
			someone.do("object.mv", "/DC/vm/db-02", "/DC/vm/archive")
			someone.do("vm.power", "-reset", "web-01")
			someone.do("vm.change", "-vm", "web-01", "-name", "web-02")
			someone.do("object.mv", "/DC/vm/web-02", "/DC/vm/archive")
		case "transfer": // the export is the VM's task, beside which there is no other
			for _, args := range [][]string{{"vm.power", "-on", "db-02"}, {"vm.power", "-reset", "db-02"}, {"vm.change", "-vm", "db-02", "-name", "db-03"}} {
				out, err := someone.try(args...)
				assert.Error(t, err, "govc %v: %s", args, out)
				assert.Contains(t, out, "another task is already in progress")
			}
			someone.do("object.mv", "/DC/vm/archive/db-02", "/DC/vm")
			someone.do("vm.change", "-vm", "web-02", "-name", "web-03")
		}
	}
	s.order(meddle, python, "testdata/migrate.py", "db-01", "VM Network=Cloud Net").completed(t, "db-01", "1")
	assert.True(t, done["stop"] && done["transfer"], "nobody meddled")
	bothShow(here, there, "db-01", "db-02", "Cloud Net")
	assert.Equal(t, "poweredOn", here.vm("web-03").Runtime.PowerState)
	s.order(nil, python, "testdata/migrate.py", "db-01", "VM Network=Cloud Net").refused(t, "db-01")
	assert.Empty(t, s.end(), "HDM copes, and nothing is broken by whom ever")
}
