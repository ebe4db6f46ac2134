package inventory_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vim25/xml"

	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/vcenter"
)

// build makes a world with that site on premises, and ends it with the test.
func build(t testing.TB, s site.Site) *site.World {
	t.Helper()
	k := kernel.New(1)
	w, err := site.Build(k, site.Description{OnPremises: s}, site.Options{})
	require.NoError(t, err)
	t.Cleanup(func() {
		k.Close()
		require.NoError(t, w.Close())
	})
	return w
}

// save is what `govc object.save` writes of a vCenter, in memory: its files are
// compared with govc's own by the check build of harness/interop.
func save(t testing.TB, vc *vcenter.VCenter) fstest.MapFS {
	t.Helper()
	ctx := context.Background()
	client, err := vim25.NewClient(ctx, vc.Direct("saver"))
	require.NoError(t, err)
	user := vc.Credentials()
	password, _ := user.Password()
	_, err = methods.Login(ctx, client, &types.Login{This: *client.ServiceContent.SessionManager, UserName: user.Username(), Password: password})
	require.NoError(t, err)
	return saved(t, client)
}

func saved(t testing.TB, client *vim25.Client) fstest.MapFS {
	t.Helper()
	ctx := context.Background()
	v, err := view.NewManager(client).CreateContainerView(ctx, client.ServiceContent.RootFolder, nil, true)
	require.NoError(t, err)
	refs, err := v.Find(ctx, []string{"ManagedEntity"}, property.Match{})
	require.NoError(t, err)
	var content []types.ObjectContent
	require.NoError(t, property.DefaultCollector(client).Retrieve(ctx, append(refs, client.ServiceContent.RootFolder), nil, &content))
	folder := fstest.MapFS{}
	for i, c := range content {
		c.MissingSet = nil
		var text bytes.Buffer
		e := xml.NewEncoder(&text)
		e.Indent("", "  ")
		require.NoError(t, e.Encode(c))
		folder[fmt.Sprintf("%04d-%s.xml", i, c.Obj.Encode())] = &fstest.MapFile{Data: text.Bytes()}
	}
	return folder
}
