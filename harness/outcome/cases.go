package outcome

import "strings"

// Case is a kind of fault, and what of it makes a difference to what follows.
type Case struct {
	Kind string // its name in faults
	Of   string // "" if nothing makes a difference
}

func (c Case) String() string {
	if c.Of == "" {
		return c.Kind
	}
	return c.Kind + ": " + c.Of
}

// What of a fault makes a difference.
const (
	// Parts of HDM, by what VMs need them for.
	CacheService   = "cache"   // Cloud Cache, IO Interceptor: the VMs whose cloud cache is there
	HomeService    = "home"    // On Prem IO Manager, On Prem ESXi Manager: those whose disks it serves
	GatewayService = "gateway" // Cloud or On Prem Message Gateway: all, once no pair is left
	ManagerService = "manager" // Cloud IO Manager: all, once none is left
	SyncService    = "sync"    // Cloud SyncD, On Prem SyncD: bulk transfers
	// Sites.
	OnPremises = "on premises"
	InCloud    = "cloud"
	// How long something lasts: heartbeats are missed after two minutes, an outage is
	// permanent from five on.
	Short   = "short"    // less than that
	Long    = "long"     // not less
	ForEver = "for ever" // and nobody mends it
	Edge    = "about"    // so close to it that either may follow
	// Calls that fail as often as a step is tried, or in a way after which it is not.
	Beyond = "beyond the tries"
)

// services say which role a service has.
var services = map[string]string{
	"Cloud Cache": CacheService, "IO Interceptor": CacheService,
	"On Prem IO Manager": HomeService, "On Prem ESXi Manager": HomeService,
	"Cloud Message Gateway": GatewayService, "On Prem Message Gateway": GatewayService,
	"Cloud IO Manager": ManagerService, "Cloud SyncD": SyncService, "On Prem SyncD": SyncService,
}

// Role is what VMs need the service of that name for; "" if for nothing.
func Role(service string) string { return services[service] }

// vms say by their names which component VMs hold what.
var vms = []struct{ stem, role string }{
	{"HDM_Cloud_Cache-", CacheService}, {"HDM_OnPrem_ESXi_Manager-", HomeService},
	{"HDM_Cloud_Manager-", GatewayService}, {"HDM_OnPrem_Manager-", GatewayService},
}

// RoleOfVM is what VMs need the component VM of that name for; "" if it is none.
func RoleOfVM(name string) string {
	for _, v := range vms {
		if strings.HasPrefix(name, v.stem) {
			return v.role
		}
	}
	return ""
}

// variants are the kinds that the table tells apart further, in the order of
// faults.Names.
var variants = map[string][]string{
	"appliance-restart":   {"", "before-write", "written-not-synced", "synced-before-effect", "applied-before-completion"},
	"clock-step":          {"forward", "back"},
	"wan-down":            {Short, Edge, Long, ForEver},
	"call-error":          {"", Beyond},
	"call-hang":           {"", Beyond},
	"call-lost":           {"", Beyond},
	"call-late":           {"", Beyond},
	"vcenter-restart":     {OnPremises, InCloud, Long},
	"session-expiry":      {OnPremises, InCloud},
	"component-crash":     {CacheService, HomeService, GatewayService, ManagerService, SyncService},
	"component-hang":      {Short, Edge, CacheService, HomeService, GatewayService, ManagerService, SyncService},
	"component-restart":   {CacheService, HomeService, GatewayService, ManagerService, SyncService},
	"component-kill":      {CacheService, HomeService, GatewayService, ManagerService, SyncService},
	"component-vm-reboot": {CacheService, HomeService, GatewayService},
	"device-error":        {CacheService, HomeService},
	"host-restart":        {OnPremises, InCloud},
	"host-disconnect":     {OnPremises, InCloud},
	"datastore-full":      {OnPremises, InCloud},
	"datastore-error":     {OnPremises, InCloud},
}

// Variants are the cases of a kind of fault.
func Variants(kind string) []Case {
	of, told := variants[kind]
	if !told {
		return []Case{{Kind: kind}}
	}
	var all []Case
	for _, v := range of {
		all = append(all, Case{kind, v})
	}
	return all
}
