package oracle_test

import (
	"strings"
	"testing"

	"github.com/hdm-project/hdm/harness/oracle"
)

const (
	// deployedUp is an appliance that is up and has deployed HDM, which is Ready.
	deployedUp = "0s appliance.up appliance epoch=1\n" +
		"0s component.up HDM_Cloud_Cache-0 site=cloud kind=cloud-cache boot=1 services=Cloud·Cache,·IO·Interceptor\n" +
		"0s component.up HDM_Cloud_Manager-0 site=cloud kind=cloud-manager boot=1 services=Cloud·Message·Gateway,·Cloud·IO·Manager,·Cloud·SyncD\n" +
		"0s deployment appliance phase=deployed mode=standard·standalone vms=4\n" + ready0
	ready0 = "0s health appliance status=Ready details=All·the·components·are·deployed·and·up.\n"
	// crash is the cache's crash, at ten minutes.
	crash    = "10m service.down HDM_Cloud_Cache-0 service=Cloud·Cache how=crash\n"
	notReady = "health appliance status=Not·Ready details=Services·not·ready·or·down·Cloud·Cache components=HDM_Cloud_Cache-0/Cloud·Cache=Poor\n"
)

func TestToldTheTruthOfWhatIsDown(t *testing.T) {
	const (
		tick    = " heartbeat appliance status=Ready details=All·the·components·are·deployed·and·up.\n"
		restart = "11m service.up HDM_Cloud_Cache-0 service=Cloud·Cache epoch=2 by=supervisor\n"
		wanDown = "10m link.down wan direction=both\n"
		wanUp   = "13m30s link.up wan direction=both\n"
		reboot  = "10m component.down HDM_Cloud_Cache-0 site=cloud boot=1\n"
		names   = "12m10s health appliance status=Not·Ready details=HDM·infrastructure·VM·rebooted·or·faulted·['HDM_Cloud_Cache-0']\n"
		other   = "12m10s health appliance status=Not·Ready details=Services·not·ready·or·down·Cloud·SyncD\n"
		filter  = "10m host.filter on-premises/esx-1 state=down epoch=1\n"
	)
	check(t, func() oracle.Oracle { return oracle.NewToldTheTruth(oracle.Documented()) }, []history{
		{name: "everything is up", events: deployedUp + "30m" + tick},
		{name: "a service is down, and shown after two minutes", events: deployedUp + crash + "12m10s " + notReady + "20m fault.began 9 kind=x target=y\n"},
		{name: "a service is down, and HDM is Ready", events: deployedUp + crash + "12m31s" + tick, broken: "it has been down for 2m31s, and HDM says that it is Ready", evidence: []uint64{5, 6}},
		{name: "it is down for less than that", events: deployedUp + crash + restart + "12m31s" + tick},
		{name: "it is down, and another one is shown", events: deployedUp + crash + other + "13m fault.began 9 kind=x target=y\n", broken: "is not shown as that: Services not ready or down Cloud SyncD", evidence: []uint64{6, 7}},
		{name: "a component VM is down, and shown", events: deployedUp + reboot + names + "13m fault.began 9 kind=x target=y\n"},
		{name: "a component VM is down, and HDM is Ready", events: deployedUp + reboot + "13m" + tick, broken: "it has been down for 3m0s, and HDM says that it is Ready", evidence: []uint64{5, 6}},
		{name: "the appliance boots, and hears everything anew", events: deployedUp + crash + "11m appliance.down appliance how=power-off\n13m appliance.up appliance epoch=2\n13m health appliance status=Ready details=All·the·components·are·deployed·and·up.\n15m" + tick},
		{name: "it has been up for long enough by then", events: deployedUp + crash + "11m appliance.down appliance how=power-off\n13m appliance.up appliance epoch=2\n13m health appliance status=Ready details=All·the·components·are·deployed·and·up.\n16m" + tick, broken: "it has been down for 6m0s", evidence: []uint64{6, 9}},
		{name: "HDM is not deployed any more", events: deployedUp + crash + "11m deployment appliance phase=undeploying mode=standard·standalone\n13m" + tick},
		{name: "a part of the cloud fails while nothing of it is heard", events: deployedUp + wanDown + crash + "12m5s health appliance status=Not·Ready details=Services·not·ready·or·down·Cloud·vCenter\n13m fault.began 9 kind=x target=y\n"},
		{name: "and is shown once it can be", events: deployedUp + wanDown + crash + "12m5s health appliance status=Not·Ready details=Services·not·ready·or·down·Cloud·vCenter\n" + wanUp + "15m20s " + notReady + "17m fault.began 9 kind=x target=y\n"},
		{name: "and is not", events: deployedUp + wanDown + crash + "12m5s health appliance status=Not·Ready details=Services·not·ready·or·down·Cloud·vCenter\n" + wanUp + "17m fault.began 9 kind=x target=y\n", broken: "is not shown as that", evidence: []uint64{7, 8}},
		{name: "the daemon on a host is down, and HDM is Ready", events: deployedUp + filter + "13m" + tick, broken: "it has been down for 3m0s", evidence: []uint64{5, 6}},
		{name: "the daemon on a host is down, and shown", events: deployedUp + filter + "12m5s health appliance status=Not·Ready details=Services·not·ready·or·down·IO·Filter components=esx-1/IO·Filter=Poor\n13m fault.began 9 kind=x target=y\n"},
	})
}

func TestToldTheTruthOfWhatIsUp(t *testing.T) {
	const (
		up      = "14m service.up HDM_Cloud_Cache-0 service=Cloud·Cache epoch=2 by=repair\n"
		repairs = "12m10s recovery appliance number=1 phase=repairing failed=HDM_Cloud_Cache-0/Cloud·Cache=crashed\n"
		ended   = "20m recovery appliance number=1 phase=healthy\n"
		ready   = "20m health appliance status=Ready details=All·the·components·are·deployed·and·up.\n"
		later   = " fault.began 9 kind=x target=y\n"
	)
	check(t, func() oracle.Oracle { return oracle.NewToldTheTruth(oracle.Documented()) }, []history{
		{name: "it recovers, and is Ready", events: deployedUp + crash + "12m10s " + notReady + repairs + up + ended + ready + "1h" + later},
		{name: "it is not Ready while VMs come back", events: deployedUp + crash + "12m10s " + notReady + repairs + up + "1h" + later},
		{name: "it recovers, and is not Ready", events: deployedUp + crash + "12m10s " + notReady + repairs + up + ended + "24m" + later, broken: "everything has been up and recovered for 4m0s, and HDM says: Services not ready or down Cloud Cache", evidence: []uint64{7}},
		{name: "it blames what never failed", events: deployedUp + "10m " + notReady, broken: "it is shown as Poor, and has not failed", evidence: []uint64{6}},
		{name: "it has not heard of it yet, and boots", events: deployedUp + "10m appliance.up appliance epoch=2\n10m1s " + notReady},
		{name: "the texts are the guide's", events: deployedUp + "10m health appliance status=Not·Ready details=Something·is·wrong\n", broken: "which are not the guide's words", evidence: []uint64{6}},
		{name: "the heartbeat says what is shown", events: deployedUp + crash + "12m10s " + notReady + "12m20s heartbeat appliance status=Not·Ready details=Services·not·ready·or·down·Cloud·Cache\n"},
		{name: "it was on its way", events: deployedUp + crash + "12m10s " + notReady + "12m12s heartbeat appliance status=Ready details=All·the·components·are·deployed·and·up.\n"},
		{name: "the heartbeat says something else", events: deployedUp + crash + "12m10s " + notReady + "12m20s heartbeat appliance status=Not·Ready details=Services·not·ready·or·down·Cloud·SyncD\n", broken: `its heartbeat says "Services not ready or down Cloud SyncD", and it shows "Services not ready or down Cloud Cache"`, evidence: []uint64{7, 8}},
	})
}

func TestToldTheTruthInTwoLogs(t *testing.T) {
	note := func(typ, text string) string {
		return "9m note appliance number=1 type=" + typ + " text=" + strings.ReplaceAll(text, " ", "·") + "\n"
	}
	event := func(typ, text string) string {
		return "9m vcenter.event on-premises type=" + typ + " text=" + strings.ReplaceAll(text, " ", "·") + "\n"
	}
	const (
		failed = "com.hdm.component.failed"
		reboot = "com.hdm.component.reboot"
		fatal  = "com.hdm.failure.unrecoverable"
		lost   = "Fatal Unrecoverable failure detected in HDM component: Cloud Cache"
		probes = "9m recovery appliance number=1 phase=probing failed=HDM_Cloud_Cache-0=rebooted\n"
	)
	check(t, func() oracle.Oracle { return oracle.NewToldTheTruth(oracle.Documented()) }, []history{
		{name: "it is in both", events: note(failed, "Cloud Cache crashed") + event(failed, "Cloud Cache crashed")},
		{name: "it is posted twice, for nobody knew whether it was", events: note(failed, "Cloud Cache crashed") + event(failed, "Cloud Cache crashed") + event(failed, "Cloud Cache crashed")},
		{name: "it is not in vCenter", events: note(failed, "Cloud Cache crashed"), broken: "and no event in vCenter says so", evidence: []uint64{1}},
		{name: "it says something else in vCenter", events: note(failed, "Cloud Cache crashed") + event(failed, "Cloud Cache crashed") + event(failed, "Cloud Cache hung"), broken: `an event in vCenter says "Cloud Cache hung" (com.hdm.component.failed), and HDM's own log does not`, evidence: []uint64{3}},
		{name: "an event that is about no failure", events: event("com.hdm.migration.began", "m-0001")},
		{name: "a reboot is noted", events: probes + note(reboot, "Docker reboot: HDM_Cloud_Cache-0") + event(reboot, "Docker reboot: HDM_Cloud_Cache-0")},
		{name: "a reboot is not noted", events: probes, broken: "noted no com.hdm.component.reboot", evidence: []uint64{1}},
		{name: "a reboot is noted in other words", events: probes + note(reboot, "Rebooted: HDM_Cloud_Cache-0") + event(reboot, "Rebooted: HDM_Cloud_Cache-0"), broken: "noted no com.hdm.component.reboot", evidence: []uint64{1}},
		{name: "failures that meet are not noted", events: "9m recovery appliance number=1 phase=repairing multiple=true\n", broken: "noted no com.hdm.failure.multiple", evidence: []uint64{1}},
		{name: "what is not recovered from is noted", events: "9m recovery appliance number=1 phase=unrecoverable fatal=x\n" + note(fatal, lost) + event(fatal, lost)},
		{name: "and is not", events: "9m recovery appliance number=1 phase=unrecoverable fatal=x\n" + note(fatal, "It is over") + event(fatal, "It is over"), broken: "noted no com.hdm.failure.unrecoverable", evidence: []uint64{1}},
	})
}
