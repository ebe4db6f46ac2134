//go:build check

package interop

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/interop/foreign"
)

// shipped is a world in which HDM is deployed at once, and somebody brings the data
// of vm-4 to the cloud while its migration waits for that.
const shipped = `
title: HDM is deployed, and somebody brings the data of a warm migration to the cloud
world: tiny
steps:
  - {at: 0s, deploy: {mode: standard}}
  - {when: {vm: vm-4, enters: waiting, after: 1m}, ship: {vm: vm-4, takes: 10m}}
`

// guestPassword is a password that must be in no file.
const guestPassword = "Jq7-of-the-guest-vR2"

// warmWorld serves a world in which HDM is deployed. The administrator's password
// is in a file outside of its folder.
func warmWorld(t *testing.T, client string, speed string) (s *serving, here, there govc, secret string) {
	p := hdm(t)
	require.NoError(t, os.WriteFile(filepath.Join(p.folder, "shipped.yaml"), []byte(shipped), 0o600))
	secret = filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte(guestPassword+"\n"), 0o600))
	s = p.serve("./shipped.yaml", "--speed", speed)
	here, there = s.clients(client)
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	for !strings.Contains(here.do("events", "-type", "com.hdm.deployment.ended", "/DC/host/Cluster"), "HDM deploy as standard standalone") {
		require.NoError(t, ctx.Err(), "HDM is not deployed")
	}
	return s, here, there, secret
}

// keepsItself ends the world and asserts that nothing that it wrote, and nothing
// that its clients said, has the password in it.
func (s *serving) keepsItself(said ...string) {
	assert.Empty(s.t, s.end())
	files := 0
	require.NoError(s.t, filepath.WalkDir(s.folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		assert.False(s.t, bytes.Contains(text, []byte(guestPassword)), "%s has the guest's password", path)
		return err
	}))
	assert.Greater(s.t, files, 4, "the recording, the trace and the reports are among them")
	for _, text := range append(said, s.err.String(), s.printed) {
		assert.NotContains(s.t, text, guestPassword)
	}
}

// movedWarm asserts what both vCenters show of a VM that was migrated warm.
func movedWarm(here, there govc, vm string) {
	t := here.t
	here.ended(vm, vm)
	source, image := here.vm(vm), there.vm(vm)
	assert.Equal(t, "poweredOff", source.Runtime.PowerState)
	assert.Equal(t, "_HDM_MIGRATEPOOL", here.name(source.ResourcePool))
	for _, snapshot := range source.Snapshot.RootSnapshotList {
		assert.NotContains(t, snapshot.Name, "_hdm", "only what others took is left")
	}
	assert.Equal(t, "poweredOn", image.Runtime.PowerState)
	assert.Equal(t, source.macs(), image.macs())
	for _, network := range image.networks() {
		assert.Equal(t, "Cloud Net", network)
	}
	for _, gone := range []string{vm + " ARM", vm + " ARM image"} {
		assert.Empty(t, there.vms(gone), gone)
	}
	assert.Empty(t, here.vms(vm+"_hdm_clone"))
	assert.Contains(t, here.ofHDM(), task{"com.hdm.migrate", vm, "success"})
	assert.Contains(t, here.do("events", "-type", "com.hdm.migration.started", "/DC/vm/"+vm), "HDM warm migration m-0001 began")
}

func TestBoto3AloneMigratesAVMWarmOnline(t *testing.T) { // SQS-04, SQS-12
	client := build(t)
	s, here, there, secret := warmWorld(t, client, "0")
	s.env = []string{"HDM_GUEST_USER=root", "HDM_GUEST_PASSWORD_FILE=" + secret}
	got := s.order(nil, foreign.Python(t), "testdata/migrate.py", "--warm", "online", "vm-1", "VM Network=Cloud Net")
	got.completed(t, "vm-1", "2")
	assert.NotContains(t, strings.Join(got.lines, "\n"), " waiting ", "its data travels by itself")
	movedWarm(here, there, "vm-1")
	s.keepsItself(got.lines...)
}

// bring is a person's command: the first time the data is not there yet, and then
// it is once the cloud has the VM that somebody imports.
const bring = `if [ ! -e "$ASKED" ]; then : >"$ASKED"; exit 1; fi
i=0; until "$GOVC" vm.info "vm-4 ARM image" | grep -q Name:; do i=$((i + 1)); [ $i -lt 1000 ] || exit 1; done`

func TestBoto3AloneMigratesAVMWarmOffline(t *testing.T) { // SQS-05, SQS-12
	client := build(t)
	s, here, there, secret := warmWorld(t, client, "60")
	s.env = append([]string{
		"HDM_GUEST_USER=root", "HDM_GUEST_PASSWORD_FILE=" + secret, "HDM_BRING=" + bring,
		"ASKED=" + filepath.Join(t.TempDir(), "asked"), "GOVC=" + client,
	}, s.reach(s.info.Cloud)...)
	got := s.order(nil, foreign.Python(t), "testdata/migrate.py", "--warm", "offline", "vm-4", "VM Network=Cloud Net")
	all := strings.Join(got.lines, "\n")
	require.Equal(t, 0, got.code)
	assert.Contains(t, all, "m-0001 vm-4 waiting ")
	not, done := strings.Index(all, "the bulk transfer is complete: False"), strings.Index(all, "the bulk transfer is complete: True")
	assert.True(t, 0 < not && not < done, "it waits until it hears that the data is there")
	assert.Contains(t, got.lines[len(got.lines)-1], "m-0001 vm-4 completed 100%")
	movedWarm(here, there, "vm-4")
	s.keepsItself(got.lines...)
}

func TestOurClientMigratesAVMWarm(t *testing.T) { // SQS-12
	client := build(t)
	s, here, there, secret := warmWorld(t, client, "0")
	code, out, errs := s.run("client", "clone", "vm-1", "--bus", s.known(), "--network", "VM Network=Cloud Net",
		"--mode", "warm", "--bulk", "online", "--user", "root", "--password-file", secret)
	require.Equal(t, 0, code, errs)
	assert.Contains(t, out, "m-0001 vm-1 completed 100%")
	movedWarm(here, there, "vm-1")
	s.keepsItself(out, errs)
}
