package faults

import (
	"slices"

	"github.com/hdm-project/hdm/core/vsphere"
)

// Method is a method of the vSphere API that HDM calls.
type Method struct {
	Name  string
	Sites []vsphere.Site // where it calls it
}

var (
	premises  = []vsphere.Site{vsphere.OnPremises}
	cloud     = []vsphere.Site{vsphere.Cloud}
	bothSites = []vsphere.Site{vsphere.OnPremises, vsphere.Cloud}
)

// methods is every method that core/vsphere calls, sorted by name. A fault in
// another one could never act.
var methods = []Method{
	{"CancelTask", bothSites},
	{"CloneVM_Task", premises},
	{"CreateDescriptor", premises},
	{"CreateImportSpec", cloud},
	{"CreateNasDatastore", cloud},
	{"CreateResourcePool", premises},
	{"CreateSnapshot_Task", premises},
	{"CreateTask", premises},
	{"CreateVM_Task", bothSites},
	{"Destroy_Task", bothSites},
	{"ExportVm", premises},
	{"FindExtension", premises},
	{"HttpNfcLeaseAbort", bothSites},
	{"HttpNfcLeaseComplete", bothSites},
	{"HttpNfcLeaseGetManifest", bothSites},
	{"HttpNfcLeaseProgress", bothSites},
	{"HttpNfcLeaseSetManifestChecksumType", bothSites},
	{"ImportVApp", cloud},
	{"InstallIoFilter_Task", premises},
	{"Login", bothSites},
	{"Logout", bothSites},
	{"MoveIntoResourcePool", premises},
	{"PostEvent", premises},
	{"PowerOffVM_Task", bothSites},
	{"PowerOnVM_Task", bothSites},
	{"QueryConfigOption", bothSites},
	{"QueryEvents", premises},
	{"QueryIoFilterInfo", premises},
	{"RebootGuest", cloud},
	{"ReconfigVM_Task", bothSites},
	{"RegisterExtension", premises},
	{"RemoveDatastore", cloud},
	{"RemoveSnapshot_Task", premises},
	{"Rename_Task", cloud},
	{"ResetVM_Task", bothSites},
	{"RestartService", premises},
	{"RetrievePropertiesEx", bothSites},
	{"RetrieveServiceContent", bothSites},
	{"RevertToSnapshot_Task", premises},
	{"SetTaskDescription", premises},
	{"SetTaskState", premises},
	{"ShutdownGuest", bothSites},
	{"TerminateSession", bothSites},
	{"UpdateExtension", premises},
	{"UpdateProgress", premises},
}

// MethodNames are the names of the methods that HDM calls, sorted.
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
