package transfer_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/runtime"
	"github.com/hdm-project/hdm/core/transfer"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/vcenter"
)

// wallClock lets a vCenter live in real time.
type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }
func (wallClock) After(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}

// served is a vCenter as a real one is met: over TLS, in real time.
func served(t *testing.T, s vsphere.Site) (*vcenter.VCenter, *vsphere.Client) {
	t.Helper()
	vc, err := vcenter.New(vcenter.Config{Site: s, Clock: wallClock{}})
	require.NoError(t, err)
	t.Cleanup(vc.Close)
	_, err = vc.AddCluster("Cluster")
	require.NoError(t, err)
	_, err = vc.AddHost("Cluster", "host-1")
	require.NoError(t, err)
	_, err = vc.AddDatastore("store", 1<<40, 1<<40)
	require.NoError(t, err)
	server, err := vc.Serve()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	trust, err := vsphere.TrustPEM(server.CA)
	require.NoError(t, err)
	return vc, vsphere.NewClient(runtime.NewLive(), vsphere.Endpoint{
		Site: s, URL: server.URL, User: vc.Credentials(), HTTP: vsphere.NewTransport(trust, 30*time.Second),
	})
}

func TestTheSameCodeMovesAVMInRealTimeOverTLS(t *testing.T) {
	from, here := served(t, vsphere.OnPremises)
	to, there := served(t, vsphere.Cloud)
	source, err := from.AddVM(vcenter.VMSpec{
		Name: "db-01", Disks: []vcenter.DiskSpec{{Capacity: 64 << 20, Used: 1 << 20}}, NICs: []vcenter.NICSpec{{}},
	})
	require.NoError(t, err)
	vm, _ := from.VM("db-01")
	_, err = vm.Disks[0].Disk.WriteAt([]byte("written by a guest"), 12345)
	require.NoError(t, err)

	ctx := context.Background()
	a, err := here.Open(ctx)
	require.NoError(t, err)
	defer a.Close(ctx)
	b, err := there.Open(ctx)
	require.NoError(t, err)
	defer b.Close(ctx)
	r, err := b.Resources(ctx)
	require.NoError(t, err)
	ref := vsphere.Ref(source.String())
	_, err = a.EnsureSnapshot(ctx, ref, "hdm/m-1", "_hdm")
	require.NoError(t, err)
	result, err := transfer.Bulk(ctx, runtime.NewLive(), a, b, transfer.Spec{
		Source: ref, Name: "db-01", Mark: "hdm/m-1", Pool: r.Pools[0].Ref, Datastore: "store",
		Networks: map[string]string{"VM Network": "VM Network"},
	}, func(vsphere.Progress) {})
	require.NoError(t, err)
	require.NoError(t, b.PowerOn(ctx, result.Copy))

	vm, _ = from.VM("db-01")
	copied, ok := to.VM("db-01")
	require.True(t, ok)
	assert.Equal(t, vsphere.On, copied.Power)
	same, block := vm.Disks[0].Disk.Equal(copied.Disks[0].Disk)
	assert.True(t, same, "the disks differ at block %d", block)
}

func TestAVCenterWithoutATrustedCertificateIsRefused(t *testing.T) {
	vc, err := vcenter.New(vcenter.Config{Site: vsphere.Cloud, Clock: wallClock{}})
	require.NoError(t, err)
	defer vc.Close()
	server, err := vc.Serve()
	require.NoError(t, err)
	defer server.Close()
	client := vsphere.NewClient(runtime.NewLive(), vsphere.Endpoint{Site: vsphere.Cloud, URL: server.URL, User: vc.Credentials()})
	_, err = client.Open(context.Background())
	assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err), "%v", err)
	assert.ErrorContains(t, err, "trust the vCenter's certificate")
	_, err = vsphere.TrustPEM([]byte("no certificate"))
	assert.Error(t, err)
}
