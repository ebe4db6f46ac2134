package family

import (
	"time"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/outcome"
)

// The component VMs of a standard deployment, and what else there is in a world.
const (
	cacheVM   = "HDM_Cloud_Cache-0"
	cloudVM   = "HDM_Cloud_Manager-0"
	managerVM = "HDM_OnPrem_Manager-0"
	homeVM    = "HDM_OnPrem_ESXi_Manager-0"

	hereHost, thereHost   = "host-1", "cloud-host-1"
	hereStore, thereStore = "ds-01", "cloud-ds-01"
)

// parts is which service stands for a role, and where it runs.
var parts = map[string]faults.ComponentService{
	outcome.CacheService:   {VM: cacheVM, Service: component.CloudCache},
	outcome.HomeService:    {VM: homeVM, Service: component.PremIOManager},
	outcome.GatewayService: {VM: cloudVM, Service: component.CloudGateway},
	outcome.ManagerService: {VM: cloudVM, Service: component.CloudIOManager},
	outcome.SyncService:    {VM: cloudVM, Service: component.CloudSyncD},
}

// fault is one that stands for a case at a place.
func fault(c outcome.Case, at outcome.Place, when faults.Trigger) faults.Fault {
	f := faults.Fault{Trigger: when}
	for _, fill := range []func(*faults.Fault, outcome.Case, outcome.Place) bool{ofAppliance, ofWAN, ofCalls, ofMessages, ofComponents, ofStorage, ofOthers} {
		if fill(&f, c, at) {
			return f
		}
	}
	panic("family: no fault stands for " + c.String())
}

func span(d time.Duration) faults.Span         { return faults.Span(d) }
func duration(d time.Duration) faults.Duration { return faults.Duration(d) }

func ofAppliance(f *faults.Fault, c outcome.Case, _ outcome.Place) bool {
	switch c.Kind {
	case "appliance-restart":
		f.ApplianceRestart = &faults.ApplianceRestart{CrashPoint: faults.CrashPoint(c.Of)}
	case "journal-full":
		f.JournalFull = &faults.JournalFull{For: span(time.Minute)}
	case "journal-lost":
		f.JournalLost = &faults.JournalLost{For: span(time.Minute)}
	case "clock-step":
		f.ClockStep = &faults.ClockStep{By: duration(time.Hour)}
		if c.Of == "back" {
			f.ClockStep.By = -f.ClockStep.By
		}
	default:
		return false
	}
	return true
}

// outages are spans on each side of five minutes, and for ever.
var outages = map[string]faults.Span{
	outcome.Short: span(299 * time.Second), outcome.Edge: span(5 * time.Minute), outcome.Long: span(time.Hour), outcome.ForEver: faults.Ever,
}

func ofWAN(f *faults.Fault, c outcome.Case, _ outcome.Place) bool {
	switch c.Kind {
	case "wan-down":
		f.WANDown = &faults.WANDown{For: outages[c.Of]}
	case "wan-slow":
		f.WANSlow = &faults.WANSlow{For: span(10 * time.Minute), Percent: 25, Latency: duration(200 * time.Millisecond)}
	case "wan-lossy":
		f.WANLossy = &faults.WANLossy{For: span(10 * time.Minute), Loss: 0.05}
	case "wan-flapping":
		f.WANFlapping = &faults.WANFlapping{For: duration(10 * time.Minute), Down: duration(20 * time.Second), Up: duration(40 * time.Second)}
	case "internet-down":
		f.InternetDown = &faults.InternetDown{For: span(time.Minute)}
	default:
		return false
	}
	return true
}

func siteOf(of string) vsphere.Site {
	if of == outcome.InCloud {
		return vsphere.Cloud
	}
	return vsphere.OnPremises
}

func ofCalls(f *faults.Fault, c outcome.Case, at outcome.Place) bool {
	// Every effect begins by looking at what it is about, where it acts.
	calls := faults.Calls{Site: where(at), Method: "RetrievePropertiesEx", Count: 1}
	if at.Step == "" { // HDM only looks whether its vCenters are there
		calls.Method = "RetrieveServiceContent"
	}
	if c.Of == outcome.Beyond {
		calls.Count = 4
	}
	switch c.Kind {
	case "call-error":
		f.CallError = &faults.CallError{Calls: calls, Fault: "SystemError"}
	case "call-hang":
		f.CallHang = &faults.CallHang{Calls: calls}
	case "call-lost":
		f.CallLost = &faults.CallLost{Calls: calls}
	case "call-late":
		f.CallLate = &faults.CallLate{Calls: calls, By: duration(3 * time.Minute)}
	case "vcenter-restart":
		f.VCenterRestart = &faults.VCenterRestart{Site: siteOf(c.Of)}
		if c.Of == outcome.Long {
			f.VCenterRestart = &faults.VCenterRestart{Site: vsphere.Cloud, For: span(20 * time.Minute)}
		}
	case "session-expiry":
		f.SessionExpiry = &faults.SessionExpiry{Site: siteOf(c.Of)}
	default:
		return false
	}
	return true
}

// where a step acts.
func where(at outcome.Place) vsphere.Site {
	for _, row := range migration.Tables[at.Type] {
		if row.Step == at.Step {
			return row.At
		}
	}
	return vsphere.OnPremises
}

func ofMessages(f *faults.Fault, c outcome.Case, _ outcome.Place) bool {
	calls := func(q faults.Queue, operation string) faults.QueueCalls {
		return faults.QueueCalls{Queue: q, Operation: operation, Nth: 1, Count: 2}
	}
	switch c.Kind {
	case "message-duplicate":
		f.MessageDuplicate = &faults.MessageDuplicate{QueueCalls: calls(faults.Responses, faults.Send)}
	case "message-reorder":
		f.MessageReorder = &faults.MessageReorder{QueueCalls: calls(faults.Responses, faults.Receive)}
	case "message-lost":
		f.MessageLost = &faults.MessageLost{QueueCalls: calls(faults.Responses, faults.Send)}
	case "message-delay":
		f.MessageDelay = &faults.MessageDelay{QueueCalls: calls(faults.Responses, faults.Send), By: duration(time.Minute)}
	case "message-late-delete":
		f.MessageLateDelete = &faults.MessageLateDelete{QueueCalls: calls(faults.Responses, faults.Delete), By: duration(time.Minute)}
	case "message-corrupt":
		f.MessageCorrupt = &faults.MessageCorrupt{QueueCalls: calls(faults.Responses, faults.Send)}
	case "queue-unavailable":
		f.QueueUnavailable = &faults.QueueUnavailable{QueueCalls: calls(faults.Responses, faults.Send)}
	case "queue-over-limit":
		f.QueueOverLimit = &faults.QueueOverLimit{QueueCalls: calls(faults.Commands, faults.Receive)}
	default:
		return false
	}
	return true
}

func ofComponents(f *faults.Fault, c outcome.Case, at outcome.Place) bool {
	part := parts[c.Of]
	switch c.Kind {
	case "component-crash":
		f.ComponentCrash = &faults.ComponentCrash{ComponentService: part}
	case "component-hang":
		f.ComponentHang = &faults.ComponentHang{ComponentService: part, For: faults.Ever}
		switch c.Of {
		case outcome.Short:
			f.ComponentHang = &faults.ComponentHang{ComponentService: parts[outcome.CacheService], For: span(time.Minute)}
		case outcome.Edge:
			f.ComponentHang = &faults.ComponentHang{ComponentService: parts[outcome.CacheService], For: span(119 * time.Second)}
		}
	case "component-restart":
		f.ComponentRestart = &faults.ComponentRestart{ComponentService: part}
	case "component-kill":
		f.ComponentKill = &faults.ComponentKill{ComponentService: part}
	case "component-vm-reboot":
		f.ComponentVMReboot = &faults.ComponentVMReboot{VM: part.VM}
	case "command-lost":
		f.CommandLost = &faults.CommandLost{ComponentCommands: faults.ComponentCommands{VM: cacheVM, Count: 1}}
	case "command-hang":
		f.CommandHang = &faults.CommandHang{ComponentCommands: faults.ComponentCommands{VM: cacheVM, Count: 1}}
	default:
		return false
	}
	return true
}

func ofStorage(f *faults.Fault, c outcome.Case, _ outcome.Place) bool {
	store := faults.Datastore{Site: siteOf(c.Of), Datastore: hereStore}
	if c.Of == outcome.InCloud {
		store.Datastore = thereStore
	}
	switch c.Kind {
	case "device-error":
		use := faults.CacheDevice
		if c.Of == outcome.HomeService {
			use = faults.SystemDevice
		}
		f.DeviceError = &faults.DeviceError{VM: parts[c.Of].VM, Use: use, Op: faults.Write, Error: faults.EIO}
	case "flush-torn":
		f.FlushTorn = &faults.FlushTorn{VM: subject}
	case "flush-fails":
		f.FlushFails = &faults.FlushFails{VM: subject}
	case "datastore-full":
		f.DatastoreFull = &faults.DatastoreFull{Datastore: store, For: span(10 * time.Minute)}
	case "datastore-error":
		f.DatastoreError = &faults.DatastoreError{Datastore: store, Op: faults.Write, For: span(10 * time.Minute)}
	case "storage-corrupt":
		f.StorageCorrupt = &faults.StorageCorrupt{Site: vsphere.OnPremises, VM: subject}
	default:
		return false
	}
	return true
}

func ofOthers(f *faults.Fault, c outcome.Case, _ outcome.Place) bool {
	host := faults.Host{Site: siteOf(c.Of), Host: hereHost}
	if c.Of == outcome.InCloud {
		host.Host = thereHost
	}
	switch c.Kind {
	case "host-restart":
		f.HostRestart = &faults.HostRestart{Host: host}
	case "host-disconnect":
		f.HostDisconnect = &faults.HostDisconnect{Host: host, For: span(3 * time.Minute)}
	case "iofilter-restart":
		f.IOFilterRestart = &faults.IOFilterRestart{Host: hereHost}
	case "guest-late":
		f.GuestLate = &faults.GuestLate{VM: subject}
	case "guest-never":
		f.GuestNever = &faults.GuestNever{VM: subject}
	default:
		return false
	}
	return true
}
