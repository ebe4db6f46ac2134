package migration

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hdm-project/hdm/core/cache"
	"github.com/hdm-project/hdm/core/vsphere"
)

// MigratePool is the resource pool on premises that holds what has been
// migrated.
const MigratePool = "_HDM_MIGRATEPOOL"

// The resource pools on premises of VMs that were brought back after a failure
// (REC-05): those that are likely to boot, and those whose data is not to be
// relied on.
const (
	RecoverySuccessPool = "HDM_RECOVERY_SUCCESS"
	RecoveryFailedPool  = "HDM_RECOVERY_FAILED"
)

// Sites is what Assess looks at.
type Sites struct {
	OnPremises, Cloud []vsphere.VM
	PremisesPools     []vsphere.Pool
	PremisesClusters  []vsphere.Cluster
	Resources         vsphere.Resources // of the cloud
	Reserved          []Reservation
	Cache             cache.Rule
}

// Assess makes an order exact against both sites, or says everything that
// stands against it, so that it can all be mended at once. It is pure.
func Assess(o Order, s Sites) (Plan, []Reason) {
	vm, reason := find(o.VM, s.OnPremises)
	if reason != nil {
		return Plan{}, []Reason{*reason}
	}
	a := &assessment{order: o, sites: s, vm: vm}
	a.source()
	a.clashes()
	plan := Plan{Source: vm.Ref, Name: vm.Name, BIOSUUID: vm.BIOSUUID, WasOn: vm.Power == vsphere.On, HomePool: vm.Pool}
	plan.Cluster = a.home()
	for _, d := range vm.Disks {
		plan.Bytes += room(d)
	}
	if o.Type != Cold {
		a.cloudCache()
		plan.Machine = machineOf(vm)
		plan.Quota = cache.Quota(s.Cache, provisioned(vm), 0)
	}
	if o.Type == TBC {
		plan.Bytes = 0 // the data stays
	}
	plan.NICs, plan.Networks = a.nics()
	to := a.place(plan.Bytes, plan.Networks)
	plan.Pool, plan.Host, plan.Datastore = to.pool, to.host, to.datastore
	if len(a.against) > 0 {
		return Plan{}, a.against
	}
	return plan, nil
}

// Offered is a VM of the inventory, and why it cannot be migrated; nothing if it
// can, as far as the premises tell.
type Offered struct {
	VM      vsphere.VM
	Reasons []Reason
}

// Offer is the inventory as users see it: every VM but HDM's own, each with all
// that stands against its migration (SQS-03, A-22). It is pure.
func Offer(vms []vsphere.VM, pools []vsphere.Pool) []Offered {
	named := map[string]int{}
	for _, vm := range vms {
		named[vm.Name]++
	}
	var all []Offered
	for _, vm := range vms {
		if own(vm) {
			continue
		}
		a := &assessment{sites: Sites{PremisesPools: pools}, vm: vm}
		a.source()
		if named[vm.Name] > 1 {
			a.against = append(a.against, ambiguous(vm.Name, named[vm.Name]))
		}
		all = append(all, Offered{vm, a.against})
	}
	return all
}

// own says whether a VM is one of HDM's, which are known by their names.
func own(vm vsphere.VM) bool { return strings.Contains(strings.ToLower(vm.Name), "hdm") }

func ambiguous(name string, n int) Reason {
	return Reason{CodeAmbiguous, fmt.Sprintf("%d VMs on premises are named %q", n, name), "give each a name of its own"}
}

type assessment struct {
	order   Order
	sites   Sites
	vm      vsphere.VM
	against []Reason
}

func (a *assessment) refuse(code, fix, format string, args ...any) {
	a.against = append(a.against, *reason(code, fix, format, args...))
}

func find(name string, vms []vsphere.VM) (vsphere.VM, *Reason) {
	var found []vsphere.VM
	for _, vm := range vms {
		if vm.Name == name {
			found = append(found, vm)
		}
	}
	switch len(found) {
	case 0:
		return vsphere.VM{}, &Reason{CodeUnknownVM, fmt.Sprintf("no VM %q on premises", name), "list the inventory and give the name as it stands there"}
	case 1:
		return found[0], nil
	}
	several := ambiguous(name, len(found))
	return vsphere.VM{}, &several
}

// source is what the VM itself must meet. A cold migration needs neither
// prepare nor the storage policy, and almost any guest will do.
func (a *assessment) source() {
	vm := a.vm
	for _, rule := range []struct {
		broken          bool
		code, what, fix string
	}{
		{own(vm), CodeOwnVM, `its name contains "hdm", as HDM's own VMs do`, "rename the VM"},
		{strings.Contains(vm.Name, ".."), CodeName, `its name contains ".."`, "rename the VM"},
		{a.migrated(), CodeMigrated, "it is in " + MigratePool + ": it has been migrated", "migrate it back, or move it to its own pool to use it on premises again"},
		{vm.Template, CodeTemplate, "it is a template", "convert it to a VM"},
		{vm.Connection != "connected", CodeDisconnected, "vCenter has no connection to it (" + vm.Connection + ")", "reconnect its host"},
		{vm.Power == vsphere.Suspended, CodeSuspended, "it is suspended", "power it on or off"},
		{len(vm.Disks) == 0, CodeNoDisk, "it has no disk to transfer", "create it anew in the cloud"},
		{vm.Passthrough, CodePassthrough, "it has a passthrough device", "remove the device"},
		{vm.Encrypted, CodeEncrypted, "it is encrypted: its export would not be readable", "decrypt it"},
		{vm.VTPM, CodeVTPM, "it has a virtual TPM, which an OVF cannot carry", "remove the virtual TPM"},
		{vm.FaultTolerant, CodeFT, "it runs under fault tolerance", "turn fault tolerance off"},
		{vm.CDROMs > MaxCDROMs, CodeCDROMs, fmt.Sprintf("it has %d CD/DVD devices, more than %d", vm.CDROMs, MaxCDROMs), "remove devices"},
	} {
		if rule.broken {
			a.refuse(rule.code, rule.fix, "%s: %s", vm.Name, rule.what)
		}
	}
	for _, d := range vm.Disks {
		switch {
		case d.Raw:
			a.refuse(CodeRaw, "convert it to a virtual disk", "%s: %s is a raw device mapping", vm.Name, d.Label)
		case d.Shared:
			a.refuse(CodeShared, "detach it from the other VMs and end the sharing", "%s: %s is shared with other VMs", vm.Name, d.Label)
		case d.Independent:
			a.refuse(CodeIndependent, "make it dependent, so that snapshots hold it", "%s: %s is independent: the migrate-time snapshot would not hold it", vm.Name, d.Label)
		}
	}
}

func (a *assessment) migrated() bool {
	i := slices.IndexFunc(a.sites.PremisesPools, func(p vsphere.Pool) bool { return p.Ref == a.vm.Pool })
	return i >= 0 && a.sites.PremisesPools[i].Name == MigratePool
}

// names that the VM will have in the cloud.
func (a *assessment) names() []string {
	if a.order.Type == Cold {
		return []string{a.vm.Name}
	}
	return []string{a.vm.Name, ComputeName(a.vm.Name), ImageName(a.vm.Name)}
}

// home is the name of the cluster that the VM is in on premises.
func (a *assessment) home() string {
	for _, p := range a.sites.PremisesPools {
		for _, c := range a.sites.PremisesClusters {
			if p.Ref == a.vm.Pool && c.Ref == p.Cluster {
				return c.Name
			}
		}
	}
	return ""
}

// clashes with what is in the cloud already.
func (a *assessment) clashes() {
	macs := map[string]bool{}
	for _, n := range a.vm.NICs {
		macs[strings.ToLower(n.MAC)] = n.MAC != ""
	}
	for _, other := range a.sites.Cloud {
		for _, name := range a.names() {
			if other.Name == name {
				a.refuse(CodeNameClash, "rename one of the two", "%s: the cloud has a VM named %q", a.vm.Name, name)
			}
		}
		if a.vm.BIOSUUID != "" && strings.EqualFold(other.BIOSUUID, a.vm.BIOSUUID) {
			a.refuse(CodeUUIDClash, "give one of the two a new UUID", "%s: its UUID %s is that of %s in the cloud", a.vm.Name, a.vm.BIOSUUID, other.Name)
		}
		for _, n := range other.NICs {
			if macs[strings.ToLower(n.MAC)] {
				a.refuse(CodeMACClash, "give one of the two a new MAC address", "%s: its MAC address %s is that of %s in the cloud", a.vm.Name, n.MAC, other.Name)
			}
		}
	}
}

// nics maps each adapter's network (MIG-06) and gives it the adapter type of
// the order (COLD-03). Used are the mappings that this takes: others of the order
// say nothing about this VM, and nobody looks whether their networks exist.
func (a *assessment) nics() (nics []NIC, used []Mapping) {
	offered := a.sites.Resources.Adapters
	adapter := cmp.Or(a.order.Target.Adapter, DefaultAdapter)
	if len(a.vm.NICs) > 0 && !slices.Contains(offered, adapter) {
		a.refuse(CodeAdapter, "choose one of "+strings.Join(offered, ", "), "the cloud does not offer the adapter type %q", adapter)
	}
	for _, n := range a.vm.NICs {
		i := slices.IndexFunc(a.order.Target.Networks, func(m Mapping) bool { return m.From == n.Network })
		if i < 0 {
			a.refuse(CodeUnmapped, "map the network", "%s: %s is on network %q, which the order does not map", a.vm.Name, n.Label, n.Network)
			continue
		}
		m := a.order.Target.Networks[i]
		if !a.knowsNetwork(m) {
			continue
		}
		if !slices.Contains(used, m) {
			used = append(used, m)
		}
		nics = append(nics, NIC{Key: n.Key, MAC: n.MAC, Network: m.To, Adapter: adapter})
	}
	return nics, used
}

// knowsNetwork refuses a mapping to a network that is not there, or is there
// several times.
func (a *assessment) knowsNetwork(m Mapping) bool {
	r := a.sites.Resources
	switch {
	case slices.Contains(r.AmbiguousNetworks, m.To):
		a.refuse(CodeAmbiguousNetwork, "give them names that differ", "the cloud has several networks %q, to which %q is mapped", m.To, m.From)
		return false
	case !slices.Contains(r.Networks, m.To):
		a.refuse(CodeNoNetwork, "map it to one of "+strings.Join(r.Networks, ", "), "the cloud has no network %q, to which %q is mapped", m.To, m.From)
		return false
	}
	return true
}

// room is what a disk takes in the cloud, where it is imported thin.
func room(d vsphere.Disk) int64 {
	if d.Used > 0 {
		return min(d.Used, d.Capacity)
	}
	return d.Capacity
}

func gib(bytes int64) string { return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30)) }
