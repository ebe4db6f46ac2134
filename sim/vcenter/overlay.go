package vcenter

import (
	"fmt"
	"reflect"
	"runtime/debug"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// managed is a managed object.
type managed = mo.Reference

// call is embedded by everything that answers calls for an object in vcsim's
// place. vcsim finds a method by reflection, on whatever object the session's
// registry holds for the reference before its own. So for the time of one
// request we put ours there; the object in the registry stays what it is, since
// vcsim asserts its own types and a wrapper there would make it panic.
type call struct {
	Self types.ManagedObjectReference // where vcsim looks for the lock's name
	vc   *VCenter
}

func (c call) Reference() types.ManagedObjectReference { return c.Self }

// Lock does nothing. vcsim would hold the object's lock during the call, for
// the request's context; we hold the vCenter's and take objects' one at a time.
func (call) Lock() {}

// Unlock is Lock's.
func (call) Unlock() {}

// overrides says who answers for a type. What the answerer has no method for
// stays with vcsim.
var overrides = map[string]struct {
	methods map[string]bool
	make    func(call, managed) managed
}{
	"VirtualMachine": answers(func(c call, o managed) managed {
		if m := c.vc.machines[c.Self]; m != nil {
			return &vmCalls{call: c, m: m}
		}
		return nil
	}, (*vmCalls)(nil)),
	"VirtualMachineSnapshot": answers(func(c call, _ managed) managed { return &snapshotCalls{call: c} }, (*snapshotCalls)(nil)),
	"ResourcePool": answers(func(c call, o managed) managed {
		return &poolCalls{call: c, pool: o.(*simulator.ResourcePool)}
	}, (*poolCalls)(nil)),
	"Folder": answers(func(c call, o managed) managed {
		return &folderCalls{call: c, folder: o.(*simulator.Folder)}
	}, (*folderCalls)(nil)),
	"Task":            answers(func(c call, _ managed) managed { return &taskCalls{call: c} }, (*taskCalls)(nil)),
	"TaskManager":     answers(func(c call, _ managed) managed { return &taskManagerCalls{call: c} }, (*taskManagerCalls)(nil)),
	"EventManager":    answers(func(c call, _ managed) managed { return &eventCalls{call: c} }, (*eventCalls)(nil)),
	"SessionManager":  answers(func(c call, _ managed) managed { return &sessionCalls{call: c} }, (*sessionCalls)(nil)),
	"OvfManager":      answers(func(c call, o managed) managed { return &ovfCalls{call: c, ovf: o.(*simulator.OvfManager)} }, (*ovfCalls)(nil)),
	"ServiceInstance": answers(func(c call, _ managed) managed { return &serviceCalls{call: c} }, (*serviceCalls)(nil)),
	"HttpNfcLease":    answers(func(c call, o managed) managed { return &leaseCalls{call: c, lease: o.(*lease)} }, (*leaseCalls)(nil)),
	"HostSystem": answers(func(c call, _ managed) managed {
		if h := c.vc.hostOf(c.Self); h != nil {
			return &hostCalls{call: c, host: h}
		}
		return nil
	}, (*hostCalls)(nil)),
	"HostServiceSystem": answers(func(c call, o managed) managed {
		return &hostServiceCalls{call: c, services: o.(*hostServices)}
	}, (*hostServiceCalls)(nil)),
	"IoFilterManager": answers(func(c call, _ managed) managed { return &filterCalls{call: c} }, (*filterCalls)(nil)),
	"Datastore":       answers(func(c call, _ managed) managed { return &datastoreCalls{call: c} }, (*datastoreCalls)(nil)),
	"HostDatastoreSystem": answers(func(c call, o managed) managed {
		return &hostStoreCalls{call: c, system: o.(*simulator.HostDatastoreSystem)}
	}, (*hostStoreCalls)(nil)),
	"EnvironmentBrowser": answers(func(c call, _ managed) managed { return &browserCalls{call: c} }, (*browserCalls)(nil)),
}

func answers(make func(call, managed) managed, proto managed) (o struct {
	methods map[string]bool
	make    func(call, managed) managed
}) {
	o.make, o.methods = make, map[string]bool{}
	t := reflect.TypeOf(proto)
	hasFault := reflect.TypeFor[soap.HasFault]()
	for i := range t.NumMethod() {
		if m := t.Method(i); m.Type.NumOut() == 1 && m.Type.Out(0) == hasFault {
			o.methods[m.Name] = true
		}
	}
	return o
}

// goName is vcsim's name for a method: "PowerOnVM_Task" is PowerOnVMTask.
func goName(method string) string {
	if short, ok := strings.CutSuffix(method, "_Task"); ok {
		return short + "Task"
	}
	return method
}

// dispatch is called by vcsim for each request, before it looks for a method.
// mu is held, except in a request that waits for updates.
func (vc *VCenter) dispatch(ctx *simulator.Context, m *simulator.Method) (mo.Reference, types.BaseMethodFault) {
	if fault := vc.admit(ctx, m); fault != nil {
		return nil, fault
	}
	if waits(m.Name) || ctx.Session == nil {
		return nil, nil
	}
	if view := vc.sessionView(ctx, m); view != nil {
		// A client that saves an inventory asks for its view of it in the same call.
		vc.overlay(ctx, view, ownObjects(ctx, m)...)
		return nil, nil
	}
	obj := ctx.Session.Get(m.This)
	if obj == nil {
		return nil, &types.ManagedObjectNotFound{Obj: m.This}
	}
	name := goName(m.Name)
	if o, ok := overrides[m.This.Type]; ok && o.methods[name] {
		if ours := o.make(call{Self: m.This, vc: vc}, obj); ours != nil {
			vc.overlay(ctx, ours)
			return nil, nil
		}
	}
	if outside[m.This.Type] {
		return nil, notSupported(fmt.Sprintf("%s of %s is not simulated", m.Name, m.This.Type))
	}
	if strings.HasSuffix(m.Name, "_Task") || hiddenTask[m.Name] {
		return nil, notSupported(fmt.Sprintf("%s of %s is not simulated", m.Name, m.This))
	}
	return nil, nil
}

// Methods that vcsim runs as tasks although their names do not say so.
var hiddenTask = map[string]bool{"StandbyGuest": true, "DestroyChildren": true, "CreateVApp": true}

// outside are the types whose methods vcsim takes to the machine that it runs on:
// its files, and its containers. Only what we answer ourselves is answered.
var outside = setOf(`
	FileManager VirtualDiskManager HostDatastoreSystem HostStorageSystem HostCertificateManager VStorageObjectManager VcenterVStorageObjectManager
	GuestOperationsManager GuestProcessManager GuestFileManager GuestAuthManager
	ReflectManagedMethodExecuter DynamicTypeManager InternalDynamicTypeManager`)

// overlay makes the call find ours, and beside it only those others of the
// session's own objects.
func (vc *VCenter) overlay(ctx *simulator.Context, ours managed, others ...mo.Reference) {
	one := simulator.NewRegistry()
	one.Put(ours)
	for _, o := range others {
		one.Put(o)
	}
	ctx.Session.Registry = one // the Session itself is a copy made for this request
}

// waits says whether a method may block for long: it runs without mu.
func waits(method string) bool {
	switch method {
	case "WaitForUpdates", "WaitForUpdatesEx", "CancelWaitForUpdates":
		return true
	}
	return false
}

// anonymous says what may be called without a session.
func anonymous(m *simulator.Method) bool {
	switch m.Name {
	case "Login", "LoginByToken", "LoginExtensionByCertificate", "CloneSession", "RetrieveServiceContent", "RetrieveInternalContent":
		return true
	}
	for _, ref := range collected(m) {
		if ref.Type != vim25.ServiceInstance.Type && ref.Type != "SessionManager" {
			return false
		}
	}
	return len(collected(m)) > 0
}

// collected lists the objects at which a property collector is asked to start.
func collected(m *simulator.Method) []types.ManagedObjectReference {
	var specs []types.PropertyFilterSpec
	switch r := m.Body.(type) {
	case *types.RetrieveProperties:
		specs = r.SpecSet
	case *types.RetrievePropertiesEx:
		specs = r.SpecSet
	}
	var refs []types.ManagedObjectReference
	for _, s := range specs {
		for _, o := range s.ObjectSet {
			refs = append(refs, o.Obj)
		}
	}
	return refs
}

// ownObjects are those of the collected objects that only the session has.
func ownObjects(ctx *simulator.Context, m *simulator.Method) (own []mo.Reference) {
	for _, ref := range collected(m) {
		if ref.Type == "ContainerView" || ref.Type == "ListView" {
			if o := ctx.Session.Registry.Get(ref); o != nil {
				own = append(own, o)
			}
		}
	}
	return own
}

func notAuthenticated(ref types.ManagedObjectReference) types.BaseMethodFault {
	return &types.NotAuthenticated{NoPermission: types.NoPermission{Object: &ref, PrivilegeId: "System.View"}}
}

func notSupported(why string) types.BaseMethodFault {
	return explained(new(types.NotSupported), why)
}

// explained is a fault with its message: what a task or a lease failed with has
// no other place for one.
func explained(f types.BaseMethodFault, why string) types.BaseMethodFault {
	f.GetMethodFault().FaultMessage = []types.LocalizableMessage{{Key: "hdm.sim", Message: why}}
	return f
}

// guard turns a panic in a call into a fault. vcsim leaves the object's lock
// held then, which would hang the next call on it: putting the object back in
// gives it a new one.
func (vc *VCenter) guard(this types.ManagedObjectReference, fault *error) {
	r := recover()
	if r == nil {
		return
	}
	if obj := vc.reg.Get(this); obj != nil {
		vc.reg.Remove(vc.ctx(), this)
		vc.reg.Put(obj)
	}
	msg := fmt.Sprintf("the simulated vCenter panicked in a call to %s: %v\n%s", this, r, debug.Stack())
	*fault = soap.WrapSoapFault(simulator.Fault(msg, &types.SystemError{Reason: fmt.Sprint(r)}))
}

// fault is a soap fault with a message of its own, or the fault's type name.
func fault(f types.BaseMethodFault, format string, args ...any) *soap.Fault {
	return simulator.Fault(fmt.Sprintf(format, args...), f)
}

// serviceCalls: vcsim's tells the wall clock.
type serviceCalls struct{ call }

// CurrentTime is the vCenter's clock.
func (c *serviceCalls) CurrentTime(*simulator.Context, *types.CurrentTime) soap.HasFault {
	return &methods.CurrentTimeBody{Res: &types.CurrentTimeResponse{Returnval: c.vc.now()}}
}
