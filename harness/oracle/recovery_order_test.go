package oracle_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hdm-project/hdm/harness/oracle"
)

const (
	probing   = "1m recovery appliance number=1 phase=probing failed=HDM_Cloud_Cache-0=vm-down\n"
	repairing = "2m recovery appliance number=1 phase=repairing failed=HDM_Cloud_Cache-0=vm-down affected=db-01\n"
	returning = "3m recovery appliance number=1 phase=returning failed=HDM_Cloud_Cache-0=vm-down+repaired affected=db-01\n"
	healthy   = "9m recovery appliance number=1 phase=healthy\n"
	ordered   = "4m migration m-0009 vm=db-01 type=recover from= to=queued\n"
	isBack    = "5m migration m-0009 vm=db-01 type=recover from=running to=completed\n"
)

func TestRecoveryOrder(t *testing.T) {
	running := as("tbc", moves("m-0001", "db-01", toRunning...))
	const (
		fails    = "migration m-0001 vm=db-01 type=tbc from=running to=failed\n"
		accepted = "order.answered appliance request=r vm=web-01 outcome=accepted migration=m-0010\n"
		refused  = "order.answered appliance request=r vm=web-01 outcome=refused migration=\n"
		whole    = probing + repairing + returning + ordered + isBack + healthy
	)
	check(t, func() oracle.Oracle { return oracle.NewRecoveryOrder() }, []history{
		{name: "from the failure to the end", events: whole},
		{name: "a migration that is affected fails once all is repaired", events: running + probing + repairing + returning + "3m " + fails + ordered + isBack + healthy},
		{name: "it fails while a probe goes on and nobody is known to be affected", events: running + probing + "1m " + fails},
		{name: "it fails before that", events: running + probing + repairing + "2m " + fails, broken: "the migration of db-01, which the failure affects, fails while HDM is repairing", evidence: []uint64{5, 6}},
		{name: "a person cancels it", events: running + probing + repairing + "2m migration m-0001 vm=db-01 type=tbc from=running to=undoing reason=cancelled\n"},
		{name: "an order is accepted before", events: "0s " + accepted + whole},
		{name: "an order is accepted afterwards", events: whole + "9m " + accepted},
		{name: "an order is refused meanwhile", events: probing + "1m " + refused + repairing},
		{name: "an order is accepted while it probes", events: probing + "1m " + accepted, broken: "an order of web-01 is accepted while HDM is probing", evidence: []uint64{1, 2}},
		{name: "an order is accepted while VMs come back", events: probing + repairing + returning + "3m " + accepted + ordered + isBack, broken: "is accepted while HDM is returning", evidence: []uint64{3, 4}},
		{name: "healthy before the repair", events: "0s component.down HDM_Cloud_Cache-0 site=cloud boot=1\n" + probing + repairing + healthy, broken: "HDM is healthy again, and HDM_Cloud_Cache-0=vm-down is not repaired", evidence: []uint64{1, 3, 4}},
		{name: "the last of a repair is its end", events: probing + repairing + "8m component.up HDM_Cloud_Cache-0 site=cloud kind=x boot=2 services=Cloud·Cache\n" + healthy},
		{name: "the VM is back when HDM is healthy, told after that", events: probing + repairing + returning + ordered + healthy + "9m migration m-0009 vm=db-01 type=recover from=running to=completed\n10m step 4 what=x\n"},
		{name: "a repair that nobody probed for", events: repairing, broken: "the repair begins, and nothing was probed", evidence: []uint64{1}},
		{name: "a repair of what says itself that it began anew", events: "2m recovery appliance number=1 phase=repairing failed=HDM_Cloud_Cache-0=rebooted\n"},
		{name: "an iofilter daemon that restarted, of which nothing is repaired", events: "2m recovery appliance number=1 phase=returning failed=host-1/IO·Filter=filter-restarted+repaired affected=db-01\n"},
		{name: "a transient outage ends", events: "1m recovery appliance number=1 phase=probing failed=link=link-down\n3m recovery appliance number=1 phase=healthy\n"},
		{name: "a VM is ordered back before the repair ends", events: probing + repairing + "2m migration m-0009 vm=db-01 type=recover from= to=queued\n", broken: "db-01 is to be brought back while HDM is repairing", evidence: []uint64{2, 3}},
		{name: "a VM comes back that was not said to be affected", events: probing + repairing + returning + "4m migration m-0009 vm=web-01 type=recover from= to=queued\n", broken: "web-01 is to be brought back, and the failure was not said to affect it", evidence: []uint64{3, 4}},
		{name: "VMs are to come back before all is repaired", events: probing + repairing + "3m recovery appliance number=1 phase=returning failed=HDM_Cloud_Cache-0=vm-down affected=db-01\n", broken: "VMs are to come back, and HDM_Cloud_Cache-0=vm-down is not repaired", evidence: []uint64{3}},
		{name: "healthy before the last VM is back", events: probing + repairing + returning + ordered + healthy, broken: "HDM is healthy again, and db-01 is not back yet", evidence: []uint64{4, 5}},
		{name: "VMs come back at once, although everything runs", events: "3m recovery appliance number=1 phase=returning failed=HDM_Cloud_Cache-0/Cloud_Cache=damaged+repaired\n"},
		{name: "a jump from healthy to returning", events: "3m recovery appliance number=1 phase=returning\n", broken: "the recovery goes from healthy to returning; from there only probing", evidence: []uint64{1}},
		{name: "a reset that ends in a recovery", events: probing + "5m recovery appliance number=1 phase=resetting\n9m recovery appliance number=1 phase=repairing\n", broken: "the recovery goes from resetting to repairing; from there only healthy is declared", evidence: []uint64{2, 3}},
		{name: "what cannot be recovered from is healthy by itself", events: probing + "5m recovery appliance number=1 phase=unrecoverable\n9m recovery appliance number=1 phase=healthy\n", broken: "the recovery goes from unrecoverable to healthy; from there only resetting", evidence: []uint64{2, 3}},
		{name: "a reset", events: probing + "5m recovery appliance number=1 phase=unrecoverable failed=x=crashed\n6m recovery appliance number=1 phase=resetting failed=x=crashed\n9m recovery appliance number=1 phase=healthy\n"},
	})
	assert.Equal(t, []string{"REC-12"}, tested(t, oracle.NewRecoveryOrder(), whole))
	assert.Empty(t, tested(t, oracle.NewRecoveryOrder(), probing+repairing))
}

func TestLiveness(t *testing.T) {
	check(t, func() oracle.Oracle { return oracle.NewLiveness() }, []history{
		{name: "nothing failed"},
		{name: "it recovered", events: probing + repairing + returning + healthy},
		{name: "it recovers for ever", events: probing + repairing, broken: "nothing goes on any more, HDM is still repairing, and it has offered no reset", evidence: []uint64{2}},
		{name: "it recovers for ever, and says that a reset helps", events: probing + "20m recovery appliance number=1 phase=repairing offered=degraded\n"},
		{name: "it cannot recover, and offers a reset", events: probing + "20m recovery appliance number=1 phase=unrecoverable offered=fatal\n"},
		{name: "it cannot recover, and offers none", events: probing + "20m recovery appliance number=1 phase=unrecoverable\n", broken: "HDM cannot recover, and has offered no reset", evidence: []uint64{2}},
		{name: "a reset waits for a person", events: probing + "20m recovery appliance number=1 phase=resetting reset=vms-off\n"},
	})
}

func TestDetection(t *testing.T) {
	const (
		crashed = "recovery appliance number=1 phase=probing failed=HDM_Cloud_Cache-0/Cloud·Cache=\n"
		anew    = "10m1s service.up HDM_Cloud_Cache-0 service=Cloud·Cache epoch=2 by=supervisor\n"
		epoch   = "10m11s recovery appliance number=1 phase=probing failed=HDM_Cloud_Cache-0/Cloud·Cache=restarted\n"
		second  = "12m5s recovery appliance number=1 phase=probing failed=HDM_Cloud_Cache-0/Cloud·Cache=;HDM_Cloud_Manager-0/Cloud·SyncD=\n"
		syncd   = "12m service.down HDM_Cloud_Manager-0 service=Cloud·SyncD how=crash\n"
	)
	check(t, func() oracle.Oracle { return oracle.NewDetection(oracle.Documented()) }, []history{
		{name: "after two minutes", events: deployedUp + crash + "12m " + crashed},
		{name: "counted from the last heartbeat, which was a while before", events: deployedUp + crash + "11m51s " + crashed},
		{name: "silent from before the deployment ended", events: deployedUp + "9m deployment appliance phase=deploying mode=standard·standalone vms=4\n" + crash + "11m deployment appliance phase=deployed mode=standard·standalone vms=4\n12m " + crashed},
		{name: "sooner after an appliance restart", events: deployedUp + crash + "10m1s appliance.down appliance\n11m appliance.up appliance epoch=2\n12m " + crashed, broken: "it is marked failed () after a silence of 1m0s", evidence: []uint64{6, 9}},
		{name: "its component VM went down, too, a while after it", events: deployedUp + crash + "10m30s component.down HDM_Cloud_Cache-0 site=cloud boot=1\n12m " + crashed},
		{name: "sooner after its component VM went down, which took it down", events: deployedUp + "10m component.down HDM_Cloud_Cache-0 site=cloud boot=1\n11m " + crashed, broken: "it is marked failed () after a silence of 1m0s", evidence: []uint64{6, 7}},
		{name: "sooner", events: deployedUp + crash + "11m30s " + crashed, broken: "it is marked failed () after a silence of 1m30s", evidence: []uint64{6, 7}},
		{name: "it began anew, and is marked when it is heard", events: deployedUp + crash + anew + epoch},
		{name: "it never was down", events: deployedUp + "12m " + crashed, broken: "and has not been down since HDM was healthy", evidence: []uint64{2, 6}},
		{name: "another one is found to be down by the probes", events: deployedUp + crash + syncd + second},
		{name: "another one is marked that runs", events: deployedUp + crash + "12m " + crashed + second, broken: "and has not been down since HDM was healthy", evidence: []uint64{3, 8}},
		{name: "what is on its way from the cloud is lost", events: deployedUp + "10m link.down wan direction=both\n12m " + crashed},
	})
	assert.Equal(t, []string{"HLT-01"}, tested(t, oracle.NewDetection(oracle.Documented()), deployedUp+crash+"12m "+crashed))
	assert.Empty(t, tested(t, oracle.NewDetection(oracle.Documented()), deployedUp+crash+anew+epoch))
}
