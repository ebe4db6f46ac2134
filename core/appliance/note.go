package appliance

import "time"

// Note is one event in HDM's own log. It is durable before it is posted in the
// on-premises vCenter, where it has the same type and text (HLT-06).
type Note struct {
	Number int       `json:"number"` // from 1
	At     time.Time `json:"at"`
	Type   string    `json:"type"` // of the event in vCenter: com.hdm...
	Text   string    `json:"text"`
}

// The types of the events about failures and what HDM does about them, in the
// order of a recovery.
const (
	EventComponentFailed   = "com.hdm.component.failed"      // "Cloud Message Gateway from HDM_Cloud_Manager-0 crashed"
	EventDockerReboot      = "com.hdm.component.reboot"      // "Docker reboot: HDM_Cloud_Manager-0 ..." (CVM-02)
	EventHostRestarted     = "com.hdm.host.restarted"        // the ESXi host, or its iofilter daemon (ESX-01)
	EventLinkDown          = "com.hdm.link.down"             // silence of the cloud, found to be the link's
	EventLinkUp            = "com.hdm.link.up"               // it answers again
	EventOutage            = "com.hdm.link.outage"           // the outage is permanent by now (WAN-02)
	EventMultipleFailures  = "com.hdm.failure.multiple"      // REC-09
	EventRepairStarted     = "com.hdm.repair.started"        // names what is affected
	EventComponentRepaired = "com.hdm.component.repaired"    // "... repaired successfully"
	EventRecovered         = "com.hdm.vm.recovered"          // a VM is back: its pool, and its last flush
	EventRecoveryEnded     = "com.hdm.recovery.ended"        // HDM is Ready again
	EventFatal             = "com.hdm.failure.unrecoverable" // RST-04, verbatim
	EventFlushLate         = "com.hdm.flush.late"            // POL-08
	EventResetOffered      = "com.hdm.reset.offered"
	EventResetStarted      = "com.hdm.reset.started"
	EventResetWaits        = "com.hdm.reset.waits" // for which step (RST-02)
	EventResetEnded        = "com.hdm.reset.ended"
)
