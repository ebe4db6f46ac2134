package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// savedVM and savedHost are files of a folder that govc saved, cut down to what a
// site takes of them.
const (
	savedVM   = `<ObjectContent><obj type="VirtualMachine">vm-1</obj><propSet><name>name</name><val>db-01</val></propSet><propSet><name>parent</name><val type="Folder">group-v9</val></propSet><propSet><name>runtime</name><val><powerState>poweredOn</powerState><host type="HostSystem">host-1</host></val></propSet><propSet><name>config</name><val><annotation>mind the cat</annotation><hardware><numCPU>2</numCPU><memoryMB>512</memoryMB><device xsi:type="ParaVirtualSCSIController"><key>1000</key></device><device xsi:type="VirtualDisk"><key>2000</key><backing><fileName>[ds] db-01/db-01.vmdk</fileName></backing><controllerKey>1000</controllerKey><capacityInBytes>4194304</capacityInBytes></device><device xsi:type="VirtualVmxnet3"><backing><deviceName>Front</deviceName></backing></device></hardware></val></propSet></ObjectContent>`
	savedHost = `<ObjectContent><obj type="HostSystem">host-1</obj><propSet><name>name</name><val>esx-1</val></propSet><propSet><name>runtime</name><val><connectionState>connected</connectionState></val></propSet></ObjectContent>`
)

func saveInventory(t *testing.T) {
	t.Helper()
	require.NoError(t, os.Mkdir("saved", 0o755))
	require.NoError(t, os.WriteFile("saved/0001-VirtualMachine-vm-1.xml", []byte(savedVM), 0o644))
	require.NoError(t, os.WriteFile("saved/0002-HostSystem-host-1.xml", []byte(savedHost), 0o644))
}

func TestAnInventoryIsMigratedAndItsLossesAreToldOnStderr(t *testing.T) {
	inFolder(t)
	saveInventory(t)
	r := call(t, t.Context(), "", "run", "--inventory", "saved")
	assert.Equal(t, exitHeld, r.code, r.err)
	assert.Contains(t, r.stdout, "1 passed, 0 failed")
	assert.Contains(t, r.err, "inventory: 1 VMs, 1 hosts, 1 datastores, 1 networks, 0 pools")
	assert.Regexp(t, `VM "db-01" +annotation +-> left out`, r.err)
}

func TestAScenarioRunsOnTheInventoryAndItsKeptFailureHoldsTheWholeWorld(t *testing.T) {
	inFolder(t)
	saveInventory(t)
	require.NoError(t, os.WriteFile("mine.yaml", []byte("title: It says wrong\nworld: {cloud: {networks: [Far]}}\nsteps:\n"+
		"  - {at: 1m, migrate: {vm: db-01, type: cold}}\nexpect:\n  - {vm: db-01, migration: completed}\n"), 0o644))
	r := call(t, t.Context(), "", "run", "--inventory", "saved", "mine.yaml")
	require.Equal(t, exitBroken, r.code, r.err)
	require.NoError(t, os.RemoveAll("saved"))
	found, err := filepath.Glob("out/*/mine.failure.yaml")
	require.NoError(t, err)
	require.Len(t, found, 1)
	kept := found[0]
	text, err := os.ReadFile(kept)
	require.NoError(t, err)
	assert.Contains(t, string(text), "esx-1")
	assert.Contains(t, string(text), "Far")
	assert.Equal(t, exitBroken, call(t, t.Context(), "", "replay", kept).code)
}

func TestABadInventoryIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	for _, c := range []struct{ folder, says string }{
		{"", "--inventory is empty"}, {"nowhere", "there is no such folder"}, {"file", "it is no folder"}, {"empty", "it holds no XML file"},
	} {
		r := hdm(t, "", "run", "--inventory", c.folder)
		assert.Equal(t, exitUsage, r.code)
		assert.Contains(t, r.err, c.says)
		assert.NoDirExists(t, "out")
	}
}
