package inventory_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/sim/inventory"
	"github.com/hdm-project/hdm/sim/site"
)

func folderOf(files ...string) fstest.MapFS {
	folder := fstest.MapFS{}
	for i, f := range files {
		folder[string(rune('a'+i))+".xml"] = &fstest.MapFile{Data: []byte(f)}
	}
	return folder
}

func TestABadFolderIsRefusedWithItsPlaceAndWhatToDo(t *testing.T) {
	deep := strings.Repeat("<a>", inventory.MaxDepth+1)
	for name, c := range map[string]struct {
		folder fstest.MapFS
		says   string
	}{
		"empty":            {fstest.MapFS{}, "holds no XML file; save the inventory again"},
		"no XML":           {folderOf("hello"), "a.xml:1: it ends too early"},
		"cut off":          {folderOf("<ObjectContent>\n<obj type=\"Network\">n"), "a.xml:2: it ends too early"},
		"other XML":        {folderOf("<html></html>"), "it does not begin with <ObjectContent>"},
		"nobody":           {folderOf("<ObjectContent></ObjectContent>"), "<obj type=...> is missing"},
		"crossed":          {folderOf("<ObjectContent>\n<a><b></a></b></ObjectContent>"), "a.xml:2: it is broken XML: element <b> is closed by </a>"},
		"deep":             {folderOf("<ObjectContent>" + deep), "nested more than 64 deep"},
		"many elements":    {folderOf("<ObjectContent>" + strings.Repeat("<a/>", inventory.MaxNodes+1)), "more than 400000 elements"},
		"entities":         {folderOf(`<!DOCTYPE x [<!ENTITY a "aaa">]><ObjectContent>&a;</ObjectContent>`), "a.xml:1"},
		"no number":        {folderOf(strings.Replace(small[0], "<numCPU>2<", "<numCPU>two<", 1)), `numCPU is "two", which is no whole number`},
		"twice":            {folderOf(small[1], small[1]), "it is HostSystem:h, and so is a.xml"},
		"nothing to build": {folderOf(small[4]), "none of its 1 files is a VM or a host"},
		"huge":             {fstest.MapFS{"a.xml": {Data: make([]byte, inventory.MaxFile+1)}}, "a.xml: it has 33554433 bytes"},
		"no file":          {fstest.MapFS{"a.xml": {Mode: os.ModeNamedPipe}}, "a.xml: it is no regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := inventory.Load(c.folder)
			assert.ErrorContains(t, err, c.says)
		})
	}
}

func TestLinksThatGoRoundOrOutOfTheFolderAreRefused(t *testing.T) {
	for name, to := range map[string]string{"round": "a.xml", "out": "/etc/hostname"} {
		dir := t.TempDir()
		require.NoError(t, os.Symlink(to, filepath.Join(dir, "a.xml")))
		root, err := os.OpenRoot(dir)
		require.NoError(t, err)
		_, _, err = inventory.Load(root.FS())
		assert.ErrorContains(t, err, "a.xml: it cannot be read", name)
		require.NoError(t, root.Close())
	}
}

func TestWhatRefersToMissingObjectsIsTakenAndListed(t *testing.T) {
	twin := strings.Replace(small[0], ">vm-1<", ">vm-2<", 1)
	s, losses, err := inventory.Load(folderOf(small[0], twin))
	require.NoError(t, err)
	require.NoError(t, site.Description{OnPremises: s}.Validate())
	require.Len(t, s.VMs, 2)
	assert.Equal(t, []string{"db", "db (2)"}, []string{s.VMs[0].Name, s.VMs[1].Name})
	assert.NotEqual(t, s.VMs[0].NICs[0].MAC, s.VMs[1].NICs[0].MAC)
	said := map[string]bool{}
	for _, l := range losses {
		said[l.What] = true
	}
	for _, want := range []string{
		"the folder has no host", "its host is not among those of the site", "name: another has it too",
		"MAC address: another adapter has it too, or it is none", "UUID: another VM has it too, or it is none",
		"capacity: it is not in the folder", "network of an adapter is not in the folder", "controller of a disk",
	} {
		assert.True(t, said[want], "%s: not among %v", want, said)
	}
}
