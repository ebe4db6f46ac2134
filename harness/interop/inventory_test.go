//go:build check

package interop

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/sim/inventory"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/site"
)

// loadSaved saves a site's vCenter with govc and loads what it wrote.
func loadSaved(t *testing.T, client string, s site.Site) site.Site {
	k := kernel.New(1)
	defer k.Close()
	w, err := site.Build(k, site.Description{OnPremises: s}, site.Options{})
	require.NoError(t, err)
	defer func() { assert.NoError(t, w.Close()) }()
	folder := filepath.Join(t.TempDir(), "saved")
	serve(t, client, w.OnPremises.VCenter).do("object.save", "-d", folder)
	root, err := os.OpenRoot(folder)
	require.NoError(t, err)
	defer root.Close()
	back, losses, err := inventory.Load(root.FS())
	require.NoError(t, err)
	for _, l := range losses {
		assert.Equal(t, "objects of a kind that a site has none of", l.What, "%v", l)
	}
	return back
}

func TestWhatGovcSavesOfASiteIsThatSiteAgain(t *testing.T) {
	client := build(t)
	want := site.Site{Pools: []string{"gold", "gold/db"}, FromFacts: &site.FromFacts{Count: 661}}
	d, err := site.Description{OnPremises: want}.Expand()
	require.NoError(t, err)

	once := loadSaved(t, client, want)
	assert.Len(t, once.VMs, len(d.OnPremises.VMs))
	assert.Equal(t, want.Pools, once.Pools)
	byName := map[string]site.VM{}
	for _, v := range once.VMs {
		byName[v.Name] = v
	}
	for _, v := range d.OnPremises.VMs {
		got := byName[v.Name]
		assert.Equal(t, []any{v.UUID, v.Guest, v.Host, v.Snapshots, v.NICs, len(v.Disks), v.Power, v.Tools}, []any{got.UUID, got.Guest, got.Host, got.Snapshots, got.NICs, len(got.Disks), got.Power, got.Tools}, v.Name)
	}
	assert.Equal(t, once, loadSaved(t, client, once), "saving what was loaded, and loading it, changes nothing more")
}
