package oracle_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hdm-project/hdm/harness/oracle"
)

const (
	busUp = "1s bus.set-up appliance outcome=done\n"
	asked = "2s sqs.sent hdm_command_queue.fifo message=c-1 bytes=99 type=SourceCloneRequest request=r-1\n"
	began = "3s order.answered appliance request=r-1 vm=db-01 outcome=accepted migration=m-0001\n"
	ended = "9s migration m-0001 vm=db-01 from=running to=completed\n"
	taken = "4s sqs.deleted hdm_command_queue.fifo message=c-1\n"
	final = "9s sqs.sent hdm_response_queue.fifo message=p-9 bytes=9 type=SourceCloneResponse request=r-1 response=s/2 final=true migration=m-0001 state=completed percent=100\n"
)

// repeat tells the end of r-1 again.
const repeat = "9s sqs.sent hdm_response_queue.fifo message=p-11 bytes=9 type=SourceCloneResponse request=r-1 response=again/1 final=true repeat=true migration=m-0001 state=completed percent=100\n"

// at is a status of r-1 that is not its end.
func at(response, percent, state string) string {
	return "5s sqs.sent hdm_response_queue.fifo message=p-" + response + " bytes=9 type=SourceCloneResponse request=r-1 response=" + response +
		" migration=m-0001 state=" + state + " percent=" + percent + "\n"
}

func TestMessageBus(t *testing.T) {
	const (
		unreadable = "2s sqs.sent hdm_command_queue.fifo message=c-2 bytes=9 unreadable=true\n"
		buried     = "3s sqs.sent hdm_command_queue_dead_letter.fifo message=c-3 bytes=9 unreadable=true\n"
		refused    = "3s sqs.sent hdm_response_queue.fifo message=p-2 bytes=9 type=ErrorResponse request= response=e/2 final=true code=unreadable field= about=c-2\n"
		gone       = "4s sqs.deleted hdm_command_queue.fifo message=c-2\n"
		inventory  = "2s sqs.sent hdm_command_queue.fifo message=c-4 bytes=9 type=SourceInventoryRequest request=i-1\n"
		firstPage  = "3s sqs.sent hdm_response_queue.fifo message=p-4 bytes=9 type=SourceInventoryResponse request=i-1 response=i/1 page=1 pages=2\n"
		lastPage   = "3s sqs.sent hdm_response_queue.fifo message=p-5 bytes=9 type=SourceInventoryResponse request=i-1 response=i/2 final=true page=2 pages=2\n"
		listGone   = "4s sqs.deleted hdm_command_queue.fifo message=c-4\n"

		unreadable2   = "2s sqs.sent hdm_command_queue.fifo message=c-5 bytes=9 unreadable=true\n"
		refused2      = "3s sqs.sent hdm_response_queue.fifo message=p-6 bytes=9 type=ErrorResponse request= response=e/5 final=true code=unreadable field= about=c-5\n"
		gone2         = "4s sqs.deleted hdm_command_queue.fifo message=c-5\n"
		stranger      = "11s sqs.sent hdm_command_queue.fifo message=c-6 bytes=99 type=SourceCloneRequest request=r-1 token=wrong\n"
		strangerGone  = "13s sqs.deleted hdm_command_queue.fifo message=c-6\n"
		strangerLists = "11s sqs.sent hdm_command_queue.fifo message=c-7 bytes=99 type=SourceInventoryRequest request=i-1 token=wrong\n"
		copied        = "2s sqs.stored hdm_command_queue.fifo message=c-1\n"
		copied2       = "2s sqs.stored hdm_command_queue.fifo message=c-2\n"
	)
	letter := func(of string) string {
		return "3s sqs.sent hdm_command_queue_dead_letter.fifo message=d-" + of + " bytes=9 unreadable=true of=" + of + "\n"
	}
	check(t, func() oracle.Oracle { return oracle.NewMessageBus(oracle.Documented()) }, []history{
		{name: "an order and its end", events: busUp + asked + began + taken + at("s/1", "9", "running") + ended + final},
		{name: "its end, twice by the same name", events: busUp + asked + began + taken + ended + final + final},
		{name: "its end, again to who asks again", events: busUp + asked + began + taken + ended + final + repeat},
		{name: "an end that was never told, again", events: busUp + asked + began + taken + ended + repeat + final, broken: "an end was told again that was never told", evidence: []uint64{6}},
		{name: "an unreadable message is buried and answered", events: busUp + unreadable + buried + refused + gone},
		{name: "an inventory", events: busUp + inventory + firstPage + lastPage + listGone},
		{name: "nobody is there to answer", events: asked},
		{name: "deleted before it was written down", events: busUp + asked + taken + began + ended + final, broken: "deleted before it was answered", evidence: []uint64{2, 3}},
		{name: "an inventory deleted before its last page", events: busUp + inventory + firstPage + listGone + lastPage, broken: "deleted before it was answered", evidence: []uint64{2, 4}},
		{name: "an unreadable message is not buried", events: busUp + unreadable + refused + gone, broken: "without going to the dead-letter queue", evidence: []uint64{2, 4}},
		{name: "an unreadable message is not answered", events: busUp + unreadable + buried + gone, broken: "deleted before it was answered", evidence: []uint64{2, 4}},
		{name: "it is left in the queue", events: busUp + asked, broken: "still in the command queue", evidence: []uint64{2}},
		{name: "its end is never told", events: busUp + asked + began + taken + at("s/1", "9", "running") + ended, broken: "no final response tells its end", evidence: []uint64{2}},
		{name: "it is not over: it waits for a person", events: busUp + asked + began + taken + at("s/1", "9", "waiting") + "9s migration m-0001 vm=db-01 from=running to=waiting\n"},
		{name: "it went on from there, and its end is never told", events: busUp + asked + began + taken + at("s/1", "9", "waiting") + "7s migration m-0001 vm=db-01 from=running to=waiting\n8s migration m-0001 vm=db-01 from=waiting to=running\n" + ended, broken: "no final response tells its end", evidence: []uint64{2}},
		{name: "it was refused, and nobody is told", events: busUp + asked + "3s order.answered appliance request=r-1 vm=db-01 outcome=refused\n" + taken, broken: "no final response tells its end", evidence: []uint64{2}},
		{name: "two unreadable messages, each buried", events: busUp + unreadable + unreadable2 + letter("c-2") + letter("c-5") + refused + refused2 + gone + gone2},
		{name: "one unreadable message buried twice, another never", events: busUp + unreadable + unreadable2 + letter("c-2") + letter("c-2") + refused + refused2 + gone + gone2, broken: "without going to the dead-letter queue", evidence: []uint64{3, 9}},
		{name: "two unreadable messages, one dead letter without a name", events: busUp + unreadable + unreadable2 + buried + refused + refused2 + gone + gone2, broken: "without going to the dead-letter queue", evidence: []uint64{3, 8}},
		{name: "a stranger's order under the name of another", events: busUp + asked + began + taken + ended + final + stranger + "12s sqs.sent hdm_response_queue.fifo message=p-3 bytes=9 type=ErrorResponse request= response=e/3 final=true code=token field= about=c-6\n" + strangerGone},
		{name: "a stranger's order under the name of another, not answered", events: busUp + asked + began + taken + ended + final + stranger + strangerGone, broken: "deleted before it was answered", evidence: []uint64{7, 8}},
		{name: "a stranger's inventory under the name of another, not answered", events: busUp + inventory + lastPage + listGone + strangerLists + "13s sqs.deleted hdm_command_queue.fifo message=c-7\n", broken: "deleted before it was answered", evidence: []uint64{5, 6}},
		{name: "both copies are deleted", events: busUp + asked + copied + began + taken + taken + ended + final},
		{name: "a copy is left in the queue", events: busUp + asked + copied + began + taken + ended + final, broken: "still in the command queue", evidence: []uint64{2}},
		{name: "a copy is deleted too early", events: busUp + asked + copied + taken + began + taken + ended + final, broken: "deleted before it was answered", evidence: []uint64{2, 4}},
		{name: "one dead letter stands for both copies of a message", events: busUp + unreadable + copied2 + buried + refused + gone + "5s sqs.deleted hdm_command_queue.fifo message=c-2\n"},
		{name: "two ends", events: busUp + asked + began + taken + ended + final + "9s sqs.sent hdm_response_queue.fifo message=p-8 bytes=9 type=SourceCloneResponse request=r-1 response=s/3 final=true migration=m-0001 state=completed percent=100\n", broken: "follows on the final one", evidence: []uint64{6, 7}},
		{name: "progress falls", events: busUp + asked + began + taken + at("s/1", "50", "running") + at("s/2a", "49", "running") + ended + final, broken: "49% after 50%", evidence: []uint64{5, 6}},
		{name: "an untrue end", events: busUp + asked + began + taken + final, broken: `its migration is `, evidence: []uint64{5}},
		{name: "a retry told as a failure", events: busUp + asked + began + taken + at("s/1", "9", "failed") + ended + final, broken: "not as its end", evidence: []uint64{5}},
	})
}

func TestHeartbeats(t *testing.T) {
	const (
		ready    = " heartbeat appliance status=Ready details=All·the·components·are·deployed·and·up.\n"
		cloud    = " heartbeat appliance status=Not·Ready details=Services·not·ready·or·down·Cloud·vCenter\n"
		premises = " heartbeat appliance status=Not·Ready details=Services·not·ready·or·down·On·Prem·vCenter\n"
		booting  = " heartbeat appliance status=Not·Ready details=Services·not·ready·or·down·Appliance\n"
		silent   = "1s link.down internet direction=both\n" // heartbeats may be missing
		cut      = "1m link.down wan direction=both\n"
		back     = "2m link.up wan direction=both\n"
	)
	end := func(at time.Duration) *oracle.Truth { return &oracle.Truth{At: at} }
	check(t, func() oracle.Oracle { return oracle.NewHeartbeats(oracle.Documented()) }, []history{
		{name: "one every half a minute", events: busUp + "2s" + ready + "32s" + ready + "62s" + ready, truth: end(70 * time.Second)},
		{name: "none while it is down", events: busUp + "2s" + ready + "9s appliance.down appliance how=power-off\n3m appliance.up appliance epoch=2\n3m1s bus.set-up appliance outcome=done\n3m1s" + ready, truth: end(3*time.Minute + 2*time.Second)},
		{name: "one that was on its way", events: busUp + "2s" + ready + "32s appliance.down appliance how=power-off\n33s" + ready, truth: end(34 * time.Second)},
		{name: "silence where the Internet is down", events: busUp + "2s" + ready + "3s link.down internet direction=both\n9m" + ready, truth: end(9 * time.Minute)},
		{name: "Not Ready while the cloud is away", events: busUp + cut + "65s" + cloud + "2m10s" + cloud + back, truth: end(2*time.Minute + 11*time.Second)},
		{name: "silence without a queue to be heard in", events: busUp + "2s" + ready + "3s sqs.queue hdm_response_queue.fifo what=deleted\n9m sqs.queue hdm_response_queue.fifo what=created\n9m30s" + ready, truth: end(9*time.Minute + 31*time.Second)},
		{name: "one of a dead appliance", events: busUp + "9s appliance.down appliance how=power-off\n30s" + ready, truth: end(31 * time.Second), broken: "after it had gone down", evidence: []uint64{2, 3}},
		{name: "silence in between", events: busUp + "2s" + ready + "70s" + ready, truth: end(71 * time.Second), broken: "no heartbeat for 1m8s", evidence: []uint64{2, 3}},
		{name: "silence until the end", events: busUp + "2s" + ready, truth: end(2 * time.Minute), broken: "no heartbeat for 1m58s", evidence: []uint64{2}},
		{name: "words of its own", events: busUp + "2s heartbeat appliance status=Ready details=fine\n", truth: end(3 * time.Second), broken: "not the guide's words", evidence: []uint64{2}},
		{name: "Ready while the cloud is away", events: busUp + cut + "61s" + ready + "2m" + ready + "3m" + ready + "4m5s" + ready, truth: end(4*time.Minute + 6*time.Second), broken: "the cloud has been out of reach for 3m5s", evidence: []uint64{2, 6}},
		{name: "Not Ready for a cloud that is there", events: busUp + "1s link.down internet direction=both\n" + cut + "61s" + cloud + back + "3m" + cloud + "4m1s" + cloud + "5m2s" + cloud, truth: end(5*time.Minute + 3*time.Second), broken: "which has been in reach for 3m2s", evidence: []uint64{5, 8}},
		{name: "silence soon after the Internet is back", events: busUp + "2s" + ready + "3s link.down internet direction=both\n4s link.up internet direction=both\n3m" + ready, truth: end(3 * time.Minute)},
		{name: "silence long after the Internet is back", events: busUp + "2s" + ready + "3s link.down internet direction=both\n4s link.up internet direction=both\n1h" + ready, truth: end(time.Hour), broken: "no heartbeat for 59m58s", evidence: []uint64{2, 5}},
		{name: "silence while one direction of two is down", events: busUp + "2s" + ready + "3s link.down internet direction=both\n4s link.up internet direction=to-cloud\n1h" + ready, truth: end(time.Hour)},
		{name: "silence before the Internet goes down", events: busUp + "2s" + ready + "9m link.down internet direction=to-cloud\n", truth: end(time.Hour), broken: "no heartbeat for 8m58s", evidence: []uint64{2, 3}},
		{name: "silence while a fault of the bus acts", events: busUp + "2s" + ready + "3s fault.began 1 kind=message-lost\n9m" + ready + "9m fault.ended 1 kind=message-lost\n9m30s" + ready, truth: end(9*time.Minute + 31*time.Second)},
		{name: "silence long after a fault of the bus", events: busUp + "2s" + ready + "3s fault.began 1 kind=queue-unavailable\n4s fault.ended 1 kind=queue-unavailable\n9m" + ready, truth: end(9 * time.Minute), broken: "no heartbeat for 8m58s", evidence: []uint64{2, 5}},
		{name: "silence before a fault of the bus", events: busUp + "2s" + ready + "9m fault.began 1 kind=message-lost\n", truth: end(time.Hour), broken: "no heartbeat for 8m58s", evidence: []uint64{2, 3}},
		{name: "a fault of calls does not silence it", events: busUp + "2s" + ready + "3s fault.began 1 kind=call-hang\n9m" + ready, truth: end(9 * time.Minute), broken: "no heartbeat for 8m58s", evidence: []uint64{2, 4}},
		{name: "Not Ready for the premises during trouble with calls, and soon after", events: busUp + "2s fault.began 1 kind=call-error\n2s" + premises + "32s" + premises + "33s fault.ended 1 kind=call-error\n62s" + premises, truth: end(63 * time.Second)},
		{name: "Not Ready for the premises while their vCenter restarts, and soon after", events: busUp + "2s fault.began 1 kind=vcenter-restart target=on-premises·vCenter\n32s" + premises + "33s fault.ended 1 kind=vcenter-restart\n62s" + premises, truth: end(63 * time.Second)},
		{name: "Not Ready for the premises while the cloud's vCenter restarts", events: busUp + "2s fault.began 1 kind=vcenter-restart target=cloud·vCenter\n32s" + premises, truth: end(33 * time.Second), broken: "the premises are out of reach", evidence: []uint64{3}},
		{name: "Not Ready for the cloud while its vCenter restarts", events: busUp + silent + "2s fault.began 1 kind=vcenter-restart target=cloud·vCenter\n9m" + cloud, truth: end(9 * time.Minute)},
		{name: "Not Ready for the cloud while the vCenter on premises restarts", events: busUp + silent + "2s fault.began 1 kind=vcenter-restart target=on-premises·vCenter\n9m" + cloud, truth: end(9 * time.Minute), broken: "the cloud is out of reach", evidence: []uint64{4}},
		{name: "Not Ready for the premises, where nothing is wrong", events: busUp + "2s" + premises + "32s" + ready, truth: end(33 * time.Second), broken: "the premises are out of reach", evidence: []uint64{2}},
		{name: "Not Ready for the premises, and the WAN is down", events: busUp + "2s link.down wan direction=both\n2s" + premises, truth: end(33 * time.Second), broken: "the premises are out of reach", evidence: []uint64{3}},
		{name: "Not Ready for the premises long after trouble with calls", events: busUp + silent + "2s fault.began 1 kind=call-error\n3s fault.ended 1 kind=call-error\n184s" + premises, truth: end(185 * time.Second), broken: "the premises are out of reach", evidence: []uint64{5}},
		{name: "booting", events: "1s appliance.up appliance epoch=1\n" + busUp + silent + "2s" + booting + "4m" + booting, truth: end(4*time.Minute + time.Second)},
		{name: "booting where the cloud is away", events: "1s appliance.up appliance epoch=1\n" + busUp + silent + "2s link.down wan direction=both\n9m" + booting, truth: end(9 * time.Minute)},
		{name: "booting during trouble with calls", events: "1s appliance.up appliance epoch=1\n" + busUp + silent + "2s fault.began 1 kind=call-hang\n9m" + booting, truth: end(9 * time.Minute)},
		{name: "booting for ever", events: "1s appliance.up appliance epoch=1\n" + busUp + silent + "2s" + booting + "302s" + booting, truth: end(303 * time.Second), broken: "it is booting, for 5m1s", evidence: []uint64{1, 5}},
		{name: "booting long after trouble with calls", events: "1s appliance.up appliance epoch=1\n" + busUp + silent + "2s fault.began 1 kind=call-hang\n10s fault.ended 1 kind=call-hang\n491s" + booting, truth: end(492 * time.Second), broken: "it is booting, for 5m1s", evidence: []uint64{1, 6}},
	})
}

func TestOraclesOfTheBusTestNothingInARunWithoutOne(t *testing.T) {
	for _, o := range []oracle.Oracle{oracle.NewMessageBus(oracle.Documented()), oracle.NewHeartbeats(oracle.Documented())} {
		assert.Empty(t, judge(t, o, "1s appliance.up appliance epoch=1\n", &oracle.Truth{At: time.Hour}))
		assert.Empty(t, o.Tested())
	}
}
