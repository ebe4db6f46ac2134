//go:build check

package interop

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/protocol"
	"github.com/hdm-project/hdm/harness/interop/foreign"
)

func TestTheCommandsThatServePrintsWorkAsPrinted(t *testing.T) {
	client, s := build(t), hdm(t).serve("tiny")
	shell := func(command string) string {
		cmd := exec.Command("/bin/sh", "-c", command)
		cmd.Dir = s.folder
		cmd.Env = append(foreign.Env(), "PATH="+filepath.Dir(client)+":"+filepath.Dir(foreign.Tool(t, "aws"))+":"+os.Getenv("PATH"), "HOME="+t.TempDir())
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s%s", command, out)
		return string(out)
	}
	assert.Regexp(t, `Name: +vm-1\n`, shell(s.tries[0]))
	assert.Contains(t, shell(s.tries[1]), `"MessageId"`)
	var got struct{ Messages []struct{ Body string } }
	require.NoError(t, json.Unmarshal([]byte(shell(s.tries[2])), &got))
	require.NotEmpty(t, got.Messages)
	for _, m := range got.Messages {
		r, err := protocol.DecodeResponse([]byte(m.Body))
		require.NoError(t, err)
		t.Logf("%T: %s", r, m.Body)
	}
	assert.Empty(t, s.end())
}

// known writes the first line of a served world to a file, as its reader would.
func (s *serving) known() (file string) {
	file = filepath.Join(s.t.TempDir(), "bus.json")
	require.NoError(s.t, os.WriteFile(file, []byte(s.first), 0o600))
	return file
}

func TestOurClientMigratesAVMOfAServedWorld(t *testing.T) {
	client, s := build(t), hdm(t).serve("tiny", "--speed", "60")
	bus := s.known()
	code, out, errs := s.run("client", "inventory", "--bus", bus, "--page-size", "2")
	assert.Equal(t, 0, code, errs)
	assert.Regexp(t, `(?m)^vm-4 .* yes$`, out)
	t.Log(out)

	code, out, errs = s.run("client", "clone", "vm-1", "--bus", bus, "--network", "VM Network=Cloud Net")
	require.Equal(t, 0, code, errs)
	assert.Contains(t, out, "m-0001 vm-1 completed 100%")
	t.Log(out, errs)
	here, there := s.clients(client)
	bothShow(here, there, "vm-1", "vm-1", "Cloud Net")

	code, _, errs = s.run("client", "clone", "vm-2", "--bus", bus)
	assert.Equal(t, 1, code, errs)
	assert.Contains(t, errs, `which the order does not map`)
	code, out, errs = s.run("client", "watch", "--bus", bus, "--for", "3s")
	require.Equal(t, 0, code, errs)
	assert.Contains(t, out, "heartbeat Ready All the components are deployed and up.")
	assert.Empty(t, s.end())
}

func TestAServedWorldThatGovcSavedRunsAndIsServedAgain(t *testing.T) {
	client, p := build(t), hdm(t)
	s := p.serve("tiny", "--speed", "60")
	here, _ := s.clients(client)
	here.do("object.save", "-d", filepath.Join(p.folder, "saved"))
	assert.Empty(t, s.end())

	code, out, errs := p.run("run", "--inventory", "saved")
	assert.Equal(t, 0, code, "%s%s", out, errs)
	assert.Contains(t, out, "1 passed, 0 failed")
	assert.Contains(t, errs, "inventory: 4 VMs")
	t.Log(out, errs)

	again := p.serve("--inventory", "saved", "--speed", "60")
	bus := again.known()
	code, out, errs = p.run("client", "clone", "vm-1", "--bus", bus, "--network", "VM Network=Cloud VM Network")
	require.Equal(t, 0, code, errs)
	assert.Contains(t, out, "completed 100%")
	here, there := again.clients(client)
	bothShow(here, there, "vm-1", "vm-1", "Cloud VM Network")
	assert.Empty(t, again.end())
}
