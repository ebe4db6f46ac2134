//go:build check

package vmdk_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/sim/disk"
)

// TestQemuReadsTheSameDisk needs qemu-img, which `make check` installs: a
// reader of VMDKs that this project has not written.
func TestQemuReadsTheSameDisk(t *testing.T) {
	qemu, err := exec.LookPath("qemu-img")
	if err != nil {
		t.Fatal("no qemu-img here: install qemu-utils")
	}
	three := disk.New("three-tables", 70*mib)
	r := rand.New(rand.NewPCG(3, 3))
	for range 60 {
		write(t, three, r, r.Int64N(70*mib-9000), 9000)
	}
	for _, d := range []*disk.Disk{sample(t), three, disk.New("empty", 10*mib)} {
		t.Run(d.ID(), func(t *testing.T) {
			dir := t.TempDir()
			file, raw := filepath.Join(dir, "disk.vmdk"), filepath.Join(dir, "disk.raw")
			require.NoError(t, os.WriteFile(file, encode(t, d), 0o600))

			out, err := exec.Command(qemu, "info", "--output=json", file).CombinedOutput()
			require.NoError(t, err, "%s", out)
			var info struct {
				Size     int64  `json:"virtual-size"`
				Format   string `json:"format"`
				Specific struct {
					Data struct {
						CreateType string `json:"create-type"`
					} `json:"data"`
				} `json:"format-specific"`
			}
			require.NoError(t, json.Unmarshal(out, &info))
			require.Equal(t, d.Capacity(), info.Size)
			require.Equal(t, "vmdk", info.Format)
			require.Equal(t, "streamOptimized", info.Specific.Data.CreateType)

			out, err = exec.Command(qemu, "check", file).CombinedOutput()
			require.NoError(t, err, "%s", out)
			out, err = exec.Command(qemu, "convert", "-f", "vmdk", "-O", "raw", file, raw).CombinedOutput()
			require.NoError(t, err, "%s", out)
			got, err := os.ReadFile(raw)
			require.NoError(t, err)
			want := make([]byte, d.Capacity())
			_, err = d.ReadAt(want, 0)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got))
		})
	}
}
