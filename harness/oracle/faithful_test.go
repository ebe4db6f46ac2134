package oracle_test

import (
	"testing"

	"github.com/hdm-project/hdm/harness/oracle"
)

func TestFaithful(t *testing.T) {
	const (
		deployed = "0s deployment appliance phase=deployed mode=standard·standalone vms=4\n"
		bound    = "0s binding.bound b-1 vm=HDM_Cloud_Cache-0 source=on-premises/db-01 quota=1\n"
		crashed  = "1m fault.began 1 kind=component-crash target=x case=component-crash:·cache\n"
		reboot   = "1m fault.began 1 kind=appliance-restart target=x case=appliance-restart\n"
		outage   = "1m fault.began 1 kind=wan-down target=x case=wan-down:·short\n"
		recover  = "5m migration m-0009 vm=db-01 type=recover from= to=queued\n5m vm.pool on-premises/db-01 pool=HDM_RECOVERY_SUCCESS\n5m migration m-0009 vm=db-01 type=recover from=running to=completed\n"
		hurt     = "6m vm.pool on-premises/db-01 pool=HDM_RECOVERY_FAILED\n"
		fails    = "5m migration m-0001 vm=db-01 type=cold from=undoing to=failed\n"
		stuck    = "5m recovery appliance number=1 phase=unrecoverable\n"
		up       = "3m appliance.up appliance epoch=2\n"
		wrote    = "3m journal.write appliance records=1 cause=boot\n"
		binds    = "3m migration m-0001 vm=db-01 type=warm from=running to=running step=cloud-cache\n"
		undone   = "5m migration m-0001 vm=db-01 type=warm from=running to=undoing\n5m migration m-0001 vm=db-01 type=warm from=undoing to=failed\n"
	)
	cloning := as("warm", moves("m-0001", "db-01", "checking", "queued", "running", "running:linked-clone"))
	cold := moves("m-0001", "db-01", "checking", "queued", "running", "running:bulk-transfer")
	check(t, func() oracle.Oracle { return oracle.NewFaithful(oracle.Documented()) }, []history{
		{name: "a VM on the cloud cache comes back after its cache crashed", events: deployed + as("tbc", moves("m-0001", "db-01", toCompleted...)) + bound + crashed + recover},
		{name: "it stays", events: deployed + bound + crashed, broken: "after component-crash: cache at bound it stays in the cloud; documented is that it comes back", evidence: []uint64{3}},
		{name: "it comes back not to boot", events: deployed + bound + crashed + recover + hurt, broken: "it comes back not to boot; documented is that it comes back", evidence: []uint64{3, 6}},
		{name: "it comes back after an outage that was short", events: deployed + bound + outage + recover, broken: "after wan-down: short at bound it comes back; documented is that it stays in the cloud", evidence: []uint64{3, 6}},
		{name: "it was let go of by then", events: deployed + bound + "0s binding.released b-1\n" + crashed},
		{name: "a cold migration goes on", events: deployed + cold + crashed + "5m migration m-0001 vm=db-01 type=cold from=running to=completed\n"},
		{name: "a cold migration fails", events: deployed + cold + crashed + "4m migration m-0001 vm=db-01 type=cold from=running to=undoing step=bulk-transfer\n" + fails, broken: "after component-crash: cache at cold bulk-transfer it is undone; documented is that it goes on", evidence: []uint64{6, 8}},
		{name: "a person cancels it", events: deployed + cold + crashed + "4m migration m-0001 vm=db-01 type=cold from=running to=undoing step=bulk-transfer\n5m migration m-0001 vm=db-01 type=cold from=undoing to=cancelled\n"},
		{name: "a person did something to it", events: deployed + cold + crashed + "3m step 2 what=power vm=on-premises/db-01\n4m migration m-0001 vm=db-01 type=cold from=running to=undoing\n" + fails},
		{name: "something else went wrong, too", events: deployed + cold + crashed + "2m fault.began 2 kind=wan-down target=x case=wan-down:·long\n4m migration m-0001 vm=db-01 type=cold from=running to=undoing\n" + fails},
		{name: "it was being taken back when it broke", events: deployed + moves("m-0001", "db-01", "checking", "queued", "running", "undoing") + crashed + fails},
		{name: "HDM needs a reset after a crash", events: deployed + crashed + stuck, broken: "after component-crash: cache HDM needs a reset", evidence: []uint64{2}},
		{name: "a person forces a reset after a crash", events: deployed + bound + crashed + "5m recovery appliance number=1 phase=resetting reset=vms-off\n"},
		{name: "HDM offers one after an outage that was short", events: deployed + outage + "5m recovery appliance number=1 phase=resetting offered=x reset=vms-off\n", broken: "after wan-down: short HDM needs a reset", evidence: []uint64{2}},
		{name: "HDM needs one after the daemon on a host restarted", events: deployed + "1m fault.began 1 kind=iofilter-restart target=x case=iofilter-restart\n" + stuck},
		{name: "a warm migration fails while the appliance restarts and its compute VM is made", events: deployed + as("warm", moves("m-0001", "db-01", "checking", "queued", "running", "running:compute-vm")) + reboot + "5m migration m-0001 vm=db-01 type=warm from=running to=undoing\n5m migration m-0001 vm=db-01 type=warm from=undoing to=failed\n"},
		{name: "its compute VM was about to be made, as only the journal knew", events: deployed + cloning + reboot + up + binds + wrote + undone},
		{name: "its compute VM was not about to be made by then", events: deployed + cloning + reboot + up + wrote + binds + undone, broken: "after appliance-restart at warm linked-clone it is undone; documented is that it goes on", evidence: []uint64{6, 11}},
		{name: "nor is what a later boot tells what the journal knew", events: deployed + cloning + reboot + up + wrote + up + binds + wrote + undone, broken: "after appliance-restart at warm linked-clone", evidence: []uint64{6, 13}},
		{name: "nor what a boot tells after another failure", events: deployed + cloning + "1m fault.began 1 kind=message-lost target=x case=message-lost\n" + up + binds + wrote + undone, broken: "after message-lost at warm linked-clone", evidence: []uint64{6, 11}},
		{name: "a migration fails after what is nothing to it", events: deployed + as("tbc", moves("m-0001", "db-01", "checking", "queued", "running", "running:snapshot")) + "1m fault.began 1 kind=guest-never target=x case=guest-never\n5m migration m-0001 vm=db-01 type=tbc from=running to=undoing\n5m migration m-0001 vm=db-01 type=tbc from=undoing to=failed\n", broken: "after guest-never at tbc snapshot it is undone; nothing is documented to follow there", evidence: []uint64{6, 8}},
		{name: "it fails while its data are transferred", events: deployed + as("warm", moves("m-0001", "db-01", "checking", "queued", "running", "running:bulk-transfer")) + reboot + "5m migration m-0001 vm=db-01 type=warm from=running to=undoing\n5m migration m-0001 vm=db-01 type=warm from=undoing to=failed\n", broken: "after appliance-restart at warm bulk-transfer", evidence: []uint64{6, 8}},
	})
}
