//go:build check

package interop

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// broken is a world for a foreign client to break: HDM is deployed and vm-1 runs in
// the cloud on trial. The user of HDM does what nobody can do through a vCenter: a
// reset when HDM asks for one, a restart of the appliance when the reset waits for
// it, a deployment afterwards, and a migration to see whether all works again.
const broken = `
title: Somebody at the vCenters reboots a component VM, and then a host
world: tiny
steps:
  - {at: 0s, deploy: {mode: standard}}
  - {when: {deployment: deployed}, migrate: {vm: vm-1, type: tbc, target: {networks: {VM Network: Cloud Net}}}}
  - {when: {recovery: unrecoverable, after: 1m}, reset: {}}
  - {when: {reset: appliance-restarted, after: 10s}, restart-appliance: {}}
  - {when: {reset: done, after: 1m}, deploy: {mode: standard}}
  - {when: {deployment: deployed, nth: 2}, migrate: {vm: vm-4, type: cold, target: {networks: {VM Network: Cloud Net}}}}
`

// awaits waits until an event of that type about that object says so.
func (g govc) awaits(kind, text, object string) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	for {
		if said := strings.TrimSpace(g.do("events", "-n", "1000", "-type", kind, object)); said != "" && strings.Contains(said, text) {
			return
		}
		require.NoError(g.t, ctx.Err(), "no %s that says %q", kind, text)
	}
}

// hosts are the paths of a vCenter's hosts.
func (g govc) hosts() []string {
	return strings.Fields(g.do("find", "/DC/host", "-type", "h"))
}

func TestGovcRebootsAComponentVMAndAHostAndHDMRecoversAsDocumented(t *testing.T) { // CVM-01 to -03, REC-04, REC-05, ESX-01, ESX-02, RST-02, RST-03
	client, p := build(t), hdm(t)
	require.NoError(t, os.WriteFile(filepath.Join(p.folder, "broken.yaml"), []byte(broken), 0o600))
	s := p.serve("./broken.yaml", "--speed", "600")
	here, there := s.clients(client)
	const cluster = "/DC/host/Cluster"
	here.awaits("com.hdm.migration.ended", "m-0001", "/DC/vm/vm-1")

	there.do("vm.power", "-reset", "HDM_Cloud_Cache-0")
	here.awaits("com.hdm.component.reboot", "Docker reboot", cluster)
	here.awaits("com.hdm.recovery.ended", "", cluster)
	vm := here.vm("vm-1")
	assert.Equal(t, "poweredOff", vm.Runtime.PowerState)
	assert.Equal(t, "HDM_RECOVERY_SUCCESS", here.name(vm.ResourcePool))
	require.Len(t, vm.Snapshot.RootSnapshotList, 1, "the migrate-time snapshot stays")
	assert.Empty(t, there.vms("vm-1 ARM"))
	assert.Equal(t, "poweredOn", there.vm("HDM_Cloud_Cache-0").Runtime.PowerState)

	hosts := here.hosts()
	require.NotEmpty(t, hosts)
	here.do("host.shutdown", "-f", "-r", hosts[0])
	here.awaits("com.hdm.failure.unrecoverable", "Please reset the HDM system", cluster)
	here.awaits("com.hdm.reset.waits", "", cluster)
	for _, host := range hosts {
		here.do("host.service", "-host", host, "restart", "praapa")
	}
	here.awaits("com.hdm.reset.ended", "", cluster)
	here.awaits("com.hdm.migration.ended", "completed", "/DC/vm/vm-4")
	assert.Equal(t, "poweredOn", there.vm("vm-4").Runtime.PowerState)
	assert.Equal(t, "_HDM_MIGRATEPOOL", here.name(here.vm("vm-4").ResourcePool))
	assert.Empty(t, s.end())
}
