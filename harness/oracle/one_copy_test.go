package oracle_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/harness/oracle"
)

func TestOneCopy(t *testing.T) {
	const startHere = "0s guest.started db-01 site=on-premises vm=db-01\n"
	const stopHere = "5s guest.stopped db-01 site=on-premises vm=db-01 how=shutdown\n"
	const startThere = "9s guest.started db-01 site=cloud vm=db-01\n"
	guests := guestsOf(t, "db-01")
	both := &oracle.Truth{Guests: guests, VMs: []oracle.VM{vm(vsphere.OnPremises, "vm-1", "db-01", true), vm(vsphere.Cloud, "vm-9", "db-01", true)}}
	one := &oracle.Truth{Guests: guests, VMs: []oracle.VM{vm(vsphere.OnPremises, "vm-1", "db-01", false), vm(vsphere.Cloud, "vm-9", "db-01", true)}}
	check(t, func() oracle.Oracle { return oracle.NewOneCopy() }, []history{
		{name: "stops here, then starts there", events: startHere + stopHere + startThere, truth: one},
		{name: "starts there while it runs here", events: startHere + startThere, broken: "started on cloud/db-01 while it ran on on-premises/db-01", evidence: []uint64{1, 2}},
		{name: "starts here again while it runs there", events: startHere + stopHere + startThere + startHere, broken: "started on on-premises/db-01 while it ran on cloud/db-01", evidence: []uint64{3, 4}},
		{name: "two guests run at two places", events: startHere + "1s guest.started web-01 site=cloud vm=web-01\n"},
		{
			name: "the source is powered on while the import of it is on, though no guest is up",
			events: "0s lease.opened cloud/db-01 lease=l1 mode=import\n1s vm.power cloud/db-01 state=on\n" +
				"2s vm.power on-premises/db-01 state=on\n",
			broken: "powered on while its other copy is on", evidence: []uint64{2, 3},
		},
		{
			name:   "the compute VM is on while the source is",
			events: "0s vm.created cloud/db-01·ARM pool=p\n1s vm.power on-premises/db-01 state=on\n2s vm.power cloud/db-01·ARM state=on\n",
			broken: "powered on while its other copy is on: on-premises/db-01 and cloud/db-01 ARM", evidence: []uint64{2, 3},
		},
		{
			name: "the image is on while the compute VM is, under the name of the VM",
			events: "0s vm.created cloud/db-01·ARM pool=p\n1s lease.opened cloud/db-01·ARM·image lease=l1 mode=import\n2s vm.power cloud/db-01·ARM state=on\n" +
				"3s vm.renamed cloud/db-01·ARM·image name=db-01\n4s vm.power cloud/db-01 state=on\n",
			broken: "powered on while its other copy is on: cloud/db-01 ARM and cloud/db-01", evidence: []uint64{3, 5},
		},
		{
			name: "the compute VM is off when the image is powered on",
			events: "0s vm.created cloud/db-01·ARM pool=p\n1s lease.opened cloud/db-01·ARM·image lease=l1 mode=import\n2s vm.power cloud/db-01·ARM state=on\n" +
				"3s vm.power cloud/db-01·ARM state=off\n3s vm.renamed cloud/db-01·ARM·image name=db-01\n4s vm.power cloud/db-01 state=on\n",
		},
		{
			name:   "the clone is powered on beside the source",
			events: "0s vm.created on-premises/db-01_hdm_clone pool=p\n1s vm.power on-premises/db-01 state=on\n2s vm.power on-premises/db-01_hdm_clone state=on\n",
			broken: "powered on while its other copy is on", evidence: []uint64{2, 3},
		},
		{name: "it waits in the cloud", events: startHere + as("warm", moves("m-0001", "db-01", toRunning...)) + stopHere + strings.ReplaceAll(startThere, "vm=db-01", "vm=db-01·ARM") + waiting("m-0001", "stop"), truth: &oracle.Truth{Guests: guests}},
		{name: "it is brought back, and stays off", events: startHere + as("back", moves("m-0002", "db-01", toRunning...)) + stopHere + "9s migration m-0002 vm=db-01 type=back from=running to=completed\n", truth: &oracle.Truth{Guests: guests}},
		{name: "to bring it back fails, and it runs nowhere", events: startHere + as("back", moves("m-0002", "db-01", toRunning...)) + stopHere + "9s migration m-0002 vm=db-01 type=back from=undoing to=failed\n", truth: &oracle.Truth{Guests: guests}, broken: "m-0002 stopped it at 5s and is over, and it runs nowhere", evidence: []uint64{5, 6}},
		{name: "to bring it back fails, and it says that its cloud cache may be gone", events: startHere + as("back", moves("m-0002", "db-01", toRunning...)) + stopHere + "9s migration m-0002 vm=db-01 type=back from=running to=failed left=release\n", truth: &oracle.Truth{Guests: guests}},
		{name: "a stranger in the cloud has the same name", events: "1s vm.power cloud/db-01 state=on\n2s vm.power on-premises/db-01 state=on\n"},
		{name: "the import is off when the source is powered on", events: "0s lease.opened cloud/db-01 lease=l1 mode=import\n1s vm.power cloud/db-01 state=on\n2s vm.power cloud/db-01 state=off\n3s vm.power on-premises/db-01 state=on\n"},
		{name: "a person renames it while it runs", events: startHere + "1s vm.renamed on-premises/db-01 name=db-02\n5s guest.stopped db-01 site=on-premises vm=db-02 how=shutdown\n" + startThere},
		{
			name:   "a person renames it, and it starts there while it runs here",
			events: startHere + "1s vm.renamed on-premises/db-01 name=db-02\n" + startThere,
			broken: "started on cloud/db-01 while it ran on on-premises/db-02", evidence: []uint64{1, 3},
		},
		{name: "both vCenters say on at the end", truth: both, broken: "both powered on"},
		{name: "a failed migration does not start it again", events: startHere + moves("m-0001", "db-01", toRunning...) + stopHere + "8s migration m-0001 vm=db-01 from=running to=undoing\n9s migration m-0001 vm=db-01 from=undoing to=failed\n", truth: &oracle.Truth{Guests: guests}, broken: "m-0001 stopped it at 5s and is over, and it runs nowhere", evidence: []uint64{5, 7}},
		{name: "a failed migration says that it could not start it again", events: startHere + moves("m-0001", "db-01", toRunning...) + stopHere + "9s migration m-0001 vm=db-01 from=undoing to=failed left=restart·source\n", truth: &oracle.Truth{Guests: guests}},
		{name: "a failed migration says that it left something else", events: startHere + moves("m-0001", "db-01", toRunning...) + stopHere + "9s migration m-0001 vm=db-01 from=undoing to=failed left=remove·snapshot\n", truth: &oracle.Truth{Guests: guests}, broken: "it runs nowhere", evidence: []uint64{5, 6}},
		{name: "a failed migration starts it again", events: startHere + moves("m-0001", "db-01", toRunning...) + stopHere + "8s migration m-0001 vm=db-01 from=running to=undoing\n9s guest.started db-01 site=on-premises vm=db-01\n9s migration m-0001 vm=db-01 from=undoing to=failed\n", truth: &oracle.Truth{Guests: guests}},
		{name: "a person stops it while it is migrated", events: startHere + moves("m-0001", "db-01", toRunning...) + "3s step 1 what=power vm=on-premises/db-01\n" + stopHere + "9s migration m-0001 vm=db-01 from=running to=completed\n", truth: &oracle.Truth{Guests: guests}},
		{name: "it was off before, and nothing stopped it", events: moves("m-0001", "db-01", toFailed...), truth: &oracle.Truth{Guests: guests}},
	})
}

func TestOneCopyIsTestedByAGuestThatAMigrationStoppedAndThatRunsAgain(t *testing.T) {
	const (
		startHere  = "0s guest.started db-01 site=on-premises vm=db-01\n"
		stopHere   = "5s guest.stopped db-01 site=on-premises vm=db-01 how=shutdown\n"
		startThere = "9s guest.started db-01 site=cloud vm=db-01\n"
		byHand     = "6s step 1 what=power vm=on-premises/db-01\n"
	)
	begins := moves("m-0001", "db-01", toRunning...)
	for _, h := range []struct {
		name, history string
		tests         []string
	}{
		{"it runs where it ran", startHere, nil},
		{"it is restarted and nobody migrates it", startHere + stopHere + startHere, nil},
		{"it is started elsewhere and nobody migrates it", startHere + stopHere + startThere, nil},
		{"it is stopped", startHere + begins + stopHere, nil},
		{"it is stopped, and a person starts it", startHere + begins + stopHere + byHand + startHere, nil},
		{"it is stopped and put back", startHere + begins + stopHere + startHere, []string{"MIG-13"}},
		{"it is stopped and starts in the cloud", startHere + begins + stopHere + startThere, []string{"MIG-13"}},
	} {
		t.Run(h.name, func(t *testing.T) {
			assert.Equal(t, h.tests, tested(t, oracle.NewOneCopy(), h.history))
		})
	}
}
