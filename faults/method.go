package faults

import (
	"slices"

	"github.com/hdm-project/hdm/core/vsphere"
)

// Method is a method of the vSphere API that HDM calls.
type Method struct {
	Name    string
	Sites   []vsphere.Site // where it calls it
	Mutates bool           // it changes something in the vCenter
}

var (
	premises  = []vsphere.Site{vsphere.OnPremises}
	cloud     = []vsphere.Site{vsphere.Cloud}
	bothSites = []vsphere.Site{vsphere.OnPremises, vsphere.Cloud}
)

// methods is every method that core/vsphere calls. A fault in another one could
// never act.
var methods = []Method{
	{"CancelTask", bothSites, true},
	{"CloneVM_Task", premises, true},
	{"CreateDescriptor", premises, false},
	{"CreateImportSpec", cloud, false},
	{"CreateNasDatastore", cloud, true},
	{"CreateResourcePool", premises, true},
	{"CreateSnapshot_Task", premises, true},
	{"CreateTask", premises, true},
	{"CreateVM_Task", bothSites, true},
	{"Destroy_Task", bothSites, true},
	{"ExportVm", premises, true},
	{"FindExtension", premises, false},
	{"HttpNfcLeaseAbort", bothSites, true},
	{"HttpNfcLeaseComplete", bothSites, true},
	{"HttpNfcLeaseGetManifest", bothSites, false},
	{"HttpNfcLeaseProgress", bothSites, true},
	{"HttpNfcLeaseSetManifestChecksumType", bothSites, true},
	{"ImportVApp", cloud, true},
	{"InstallIoFilter_Task", premises, true},
	{"Login", bothSites, true},
	{"Logout", bothSites, true},
	{"MoveIntoResourcePool", premises, true},
	{"PostEvent", premises, true},
	{"PowerOffVM_Task", bothSites, true},
	{"PowerOnVM_Task", bothSites, true},
	{"QueryConfigOption", bothSites, false},
	{"QueryEvents", premises, false},
	{"QueryIoFilterInfo", premises, false},
	{"RebootGuest", cloud, true},
	{"ReconfigVM_Task", bothSites, true},
	{"RegisterExtension", premises, true},
	{"RemoveDatastore", cloud, true},
	{"RemoveSnapshot_Task", premises, true},
	{"Rename_Task", cloud, true},
	{"ResetVM_Task", bothSites, true},
	{"RestartService", premises, true},
	{"RetrievePropertiesEx", bothSites, false},
	{"RetrieveServiceContent", bothSites, false},
	{"RevertToSnapshot_Task", premises, true},
	{"SetTaskDescription", premises, true},
	{"SetTaskState", premises, true},
	{"ShutdownGuest", bothSites, true},
	{"TerminateSession", bothSites, true},
	{"UpdateExtension", premises, true},
	{"UpdateProgress", premises, true},
}

// Methods are the methods that HDM calls, sorted by name.
func Methods() []Method { return slices.Clone(methods) }

// MethodNames are their names, sorted.
func MethodNames() []string {
	names := make([]string, len(methods))
	for i, m := range methods {
		names[i] = m.Name
	}
	return names
}

// FindMethod finds a method by its name.
func FindMethod(name string) (Method, bool) {
	i := slices.IndexFunc(methods, func(m Method) bool { return m.Name == name })
	if i < 0 {
		return Method{}, false
	}
	return methods[i], true
}
