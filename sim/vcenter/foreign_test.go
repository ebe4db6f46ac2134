package vcenter_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/pbm"
	pbmtypes "github.com/vmware/govmomi/pbm/types"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/vcenter"
)

// porter lets everybody in, one at a time, and keeps what changed something.
type porter struct {
	mu      sync.Mutex
	looks   int
	changes []vcenter.ForeignCall
	closed  error
}

func (p *porter) Look(_ context.Context, fn func()) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.looks++
	if p.closed == nil {
		fn()
	}
	return p.closed
}

func (p *porter) Change(_ context.Context, c vcenter.ForeignCall, fn func()) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed == nil {
		p.changes = append(p.changes, c)
		fn()
	}
	return p.closed
}

func (p *porter) methods() (all []string) {
	for _, c := range p.changes {
		all = append(all, c.Method)
	}
	return all
}

// guarded is a vCenter behind a porter. Its tasks take no time.
type guarded struct {
	*env
	porter *porter
	server *vcenter.Server
}

func guard(t *testing.T) *guarded {
	g := &guarded{env: build(t, vsphere.OnPremises, vcenter.Timing{}), porter: new(porter)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	g.server, err = g.vc.ServeForeign(listener, g.porter)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, g.server.Close()) })
	return g
}

func (g *guarded) login() *govmomi.Client {
	c := soap.NewClient(g.server.URL, true)
	vim, err := vim25.NewClient(g.Context(), c)
	require.NoError(g, err)
	all := &govmomi.Client{Client: vim, SessionManager: session.NewManager(vim)}
	require.NoError(g, all.Login(g.Context(), g.server.URL.User))
	return all
}

func TestReadsOfForeignClientsAreTakenForReads(t *testing.T) {
	g := guard(t)
	vm := g.add(db("db-01"))
	c := g.login()
	here := object.NewVirtualMachine(c.Client, vm.Reference())
	_, err := here.PowerState(t.Context())
	require.NoError(t, err)
	_, err = object.NewSearchIndex(c.Client).FindByInventoryPath(t.Context(), "/DC/vm/db-01")
	require.NoError(t, err)
	require.NoError(t, property.Wait(t.Context(), property.DefaultCollector(c.Client), vm.Reference(), []string{"name"}, func([]types.PropertyChange) bool { return true }))
	require.NoError(t, c.Logout(t.Context()))
	assert.Empty(t, g.porter.methods())
	assert.Positive(t, g.porter.looks)
}

func TestAViewAndTheSessionsCanBeReadInOneCall(t *testing.T) { // as govc object.save does
	over(t, func(e *env) {
		e.add(db("db-01"))
		content := e.c.ServiceContent
		v, err := view.NewManager(e.c).CreateContainerView(ctx, content.RootFolder, []string{"VirtualMachine"}, true)
		require.NoError(e, err)
		spec := func(ref types.ManagedObjectReference, property string) types.PropertyFilterSpec {
			return types.PropertyFilterSpec{
				PropSet:   []types.PropertySpec{{Type: ref.Type, PathSet: []string{property}}},
				ObjectSet: []types.ObjectSpec{{Obj: ref}},
			}
		}
		got, err := methods.RetrieveProperties(ctx, e.c, &types.RetrieveProperties{This: content.PropertyCollector, SpecSet: []types.PropertyFilterSpec{
			spec(*content.SessionManager, "sessionList"), spec(v.Reference(), "view"),
		}})
		require.NoError(e, err)
		assert.Len(e, got.Returnval, 2)
	})
}

// waits lets a client wait for the next update of db-01's name, and says how that
// ended.
func (g *guarded) waits(ctx context.Context, c *govmomi.Client) <-chan error {
	g.Helper()
	collector := property.DefaultCollector(c.Client)
	_, err := collector.CreateFilter(ctx, types.CreateFilter{Spec: types.PropertyFilterSpec{
		PropSet:   []types.PropertySpec{{Type: "VirtualMachine", PathSet: []string{"name"}}},
		ObjectSet: []types.ObjectSpec{{Obj: g.truth("db-01").Ref}},
	}})
	require.NoError(g, err)
	now, err := methods.WaitForUpdatesEx(ctx, c.Client, &types.WaitForUpdatesEx{This: collector.Reference()})
	require.NoError(g, err)
	ended := make(chan error)
	go func() {
		_, err := methods.WaitForUpdatesEx(ctx, c.Client, &types.WaitForUpdatesEx{This: collector.Reference(), Version: now.Returnval.Version})
		ended <- err
	}()
	return ended
}

func TestAForeignClientThatGoesAwayWhileItWaitsForUpdatesIsLetGo(t *testing.T) {
	g := guard(t)
	g.add(db("db-01"))
	ctx, cancel := context.WithCancel(t.Context())
	waits := g.waits(ctx, g.login())
	stacks := make([]byte, 1<<20)
	waiting := func() bool { return bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte(".serveWait(")) }
	for i := 0; !waiting(); i++ {
		require.Less(t, i, 10_000_000, "it never waited")
		runtime.Gosched()
	}
	cancel()
	require.Error(t, <-waits)
	for i := 0; waiting(); i++ {
		require.Less(t, i, 1_000_000, "somebody still waits for updates")
		runtime.Gosched()
	}
}

func TestWhatIsNoReadIsAChangeAndCanBeDoneAgain(t *testing.T) {
	g := guard(t)
	vm := g.add(db("db-01"))
	c := g.login()
	here := object.NewVirtualMachine(c.Client, vm.Reference())
	_, err := here.PowerOn(t.Context())
	require.NoError(t, err)
	_, err = here.Rename(t.Context(), "db-02")
	require.NoError(t, err)
	require.NoError(t, c.Logout(t.Context()))
	assert.Equal(t, []string{"PowerOnVM_Task", "Rename_Task", "Logout"}, g.porter.methods())
	for _, call := range g.porter.changes {
		assert.Equal(t, 1, call.Session)
		assert.NotContains(t, call.Body, "password")
	}

	twin := build(t, vsphere.OnPremises, vcenter.Timing{})
	twin.c = twin.direct("test")
	twin.add(db("db-01"))
	repeater := twin.vc.Repeater()
	for _, call := range g.porter.changes {
		require.NoError(t, repeater.Do(call))
	}
	assert.Equal(t, g.told("vm."), twin.told("vm."))
	assert.Equal(t, vsphere.On, twin.truth("db-02").Power)
}

func TestWhoHasNoSessionChangesNothing(t *testing.T) {
	g := guard(t)
	vm := g.add(db("db-01"))
	c := soap.NewClient(g.server.URL, true)
	vim, err := vim25.NewClient(t.Context(), c)
	require.NoError(t, err)
	_, err = object.NewVirtualMachine(vim, vm.Reference()).PowerOn(t.Context())
	require.Error(t, err)
	assert.Empty(t, g.porter.methods())
}

func TestAForeignCallThatIsNotLetInIsToldSo(t *testing.T) {
	g := guard(t)
	g.porter.closed = errors.New("the world has ended")
	client, err := g.server.HTTPClient()
	require.NoError(t, err)
	answer, err := client.Post(strings.Replace(g.server.URL.Redacted(), "administrator%40vsphere.local:xxxxx@", "", 1), "text/xml",
		strings.NewReader(`<Envelope><Body><CurrentTime xmlns="urn:vim25"><_this type="ServiceInstance">ServiceInstance</_this></CurrentTime></Body></Envelope>`))
	require.NoError(t, err)
	defer answer.Body.Close()
	assert.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
}

func TestABodyOfAForeignClientThatIsTooLargeIsRefused(t *testing.T) {
	g := guard(t)
	client, err := g.server.HTTPClient()
	require.NoError(t, err)
	base := "https://" + g.server.URL.Host
	for path, size := range map[string]int{"/sdk": 5 << 20, "/nfc/lease-000001/disk-0.vmdk": 129 << 20} {
		answer, err := client.Post(base+path, "text/xml", bytes.NewReader(make([]byte, size)))
		require.NoError(t, err)
		answer.Body.Close()
		assert.Equal(t, http.StatusRequestEntityTooLarge, answer.StatusCode, path)
	}
	assert.Empty(t, g.porter.methods())
}

func TestStoragePoliciesAndMountsOfForeignClientsAreChangesToo(t *testing.T) {
	g := guard(t)
	vm := g.add(db("db-01"))
	c := g.login()
	policies, err := pbm.NewClient(t.Context(), c.Client)
	require.NoError(t, err)
	id, err := policies.CreateProfile(t.Context(), pbmtypes.PbmCapabilityProfileCreateSpec{
		Name: "HDM Analyzer Profile", Category: "REQUIREMENT", ResourceType: pbmtypes.PbmProfileResourceType{ResourceType: "STORAGE"},
		Constraints: &pbmtypes.PbmCapabilitySubProfileConstraints{},
	})
	require.NoError(t, err)
	here := object.NewVirtualMachine(c.Client, vm.Reference())
	devices, err := here.Device(t.Context())
	require.NoError(t, err)
	var spec types.VirtualMachineConfigSpec
	for _, d := range devices.SelectByType((*types.VirtualDisk)(nil)) {
		spec.DeviceChange = append(spec.DeviceChange, &types.VirtualDeviceConfigSpec{
			Operation: types.VirtualDeviceConfigSpecOperationEdit, Device: d,
			Profile: []types.BaseVirtualMachineProfileSpec{&types.VirtualMachineDefinedProfileSpec{ProfileId: id.UniqueId}},
		})
	}
	_, err = here.Reconfigure(t.Context(), spec)
	require.NoError(t, err)
	host, err := object.NewSearchIndex(c.Client).FindByInventoryPath(t.Context(), "/DC/host/C0/esx-1")
	require.NoError(t, err)
	stores, err := host.(*object.HostSystem).ConfigManager().DatastoreSystem(t.Context())
	require.NoError(t, err)
	_, err = stores.CreateNasDatastore(t.Context(), types.HostNasVolumeSpec{RemoteHost: "cache", RemotePath: "/x", LocalPath: "x", AccessMode: "readWrite"})
	require.NoError(t, err)
	_, err = stores.CreateLocalDatastore(t.Context(), "l", "/tmp")
	require.Error(t, err, "it would be a folder of the machine that we run on")
	assert.Equal(t, []string{"PbmCreate", "ReconfigVM_Task", "CreateNasDatastore", "CreateLocalDatastore"}, g.porter.methods())

	twin := build(t, vsphere.OnPremises, vcenter.Timing{})
	twin.add(db("db-01"))
	repeater := twin.vc.Repeater()
	for _, call := range g.porter.changes {
		require.NoError(t, repeater.Do(call))
	}
	twin.serve()
	assert.Equal(t, g.profiles(c.Client, vm.Reference()), twin.profiles(twin.c, vm.Reference()))
	assert.Equal(t, []string{id.UniqueId, id.UniqueId}, twin.profiles(twin.c, vm.Reference()))
	_, err = twin.vc.DatastoreFree("x")
	require.NoError(t, err, "it is mounted there, too")
}

// profiles are the storage policies of a VM's two disks, by id.
func (e *env) profiles(c *vim25.Client, vm types.ManagedObjectReference) (ids []string) {
	e.Helper()
	policies, err := pbm.NewClient(ctx, c)
	require.NoError(e, err)
	disks := e.truth("db-01").Disks
	var of []pbmtypes.PbmServerObjectRef
	for _, d := range disks {
		of = append(of, pbmtypes.PbmServerObjectRef{ObjectType: "virtualDiskId", Key: fmt.Sprintf("%s:%d", vm.Value, d.Key)})
	}
	res, err := policies.QueryAssociatedProfiles(ctx, of)
	require.NoError(e, err)
	for _, r := range res {
		require.Len(e, r.ProfileId, 1)
		ids = append(ids, r.ProfileId[0].UniqueId)
	}
	return ids
}

func TestWhoHasNoSessionMakesNoStoragePolicy(t *testing.T) {
	g := guard(t)
	vim, err := vim25.NewClient(t.Context(), soap.NewClient(g.server.URL, true))
	require.NoError(t, err)
	policies, err := pbm.NewClient(t.Context(), vim)
	require.NoError(t, err)
	_, err = policies.CreateProfile(t.Context(), pbmtypes.PbmCapabilityProfileCreateSpec{
		Name: "x", ResourceType: pbmtypes.PbmProfileResourceType{ResourceType: "STORAGE"}, Constraints: &pbmtypes.PbmCapabilitySubProfileConstraints{},
	})
	require.Error(t, err)
	assert.Empty(t, g.porter.methods())

	policies.Cookie = func() *soap.HeaderElement { return &soap.HeaderElement{Value: "made up"} }
	_, err = policies.QueryProfile(t.Context(), pbmtypes.PbmProfileResourceType{ResourceType: "STORAGE"}, "")
	require.Error(t, err)

	c := g.login()
	through := c.NewServiceClient("/pbm", "vim25")
	_, err = methods.PowerOnVM_Task(t.Context(), through, &types.PowerOnVM_Task{This: types.ManagedObjectReference{Type: "VirtualMachine", Value: "vm-1"}})
	require.ErrorContains(t, err, "400", "that is not the way to VMs")
	assert.Empty(t, g.porter.methods())
}
