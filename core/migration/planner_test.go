package migration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func fleet(states ...State) Fleet {
	var f Fleet
	for i, s := range states {
		f = append(f, Migration{ID: id(i + 1), Number: i + 1, State: s, Order: Order{VM: fmt.Sprintf("vm-%d", i+1), Type: Cold}})
	}
	return f
}

func TestAtMostEightRunAndTheOldestIsNext(t *testing.T) { // COLD-02
	eight := []State{Running, Running, Running, Running, Running, Running, Undoing, Running}
	_, ok := DefaultKnobs.Next(fleet(append(eight, Queued)...), 0)
	assert.False(t, ok, "a ninth")
	id, ok := DefaultKnobs.Next(fleet(append(eight[1:], Queued, Queued)...), 0)
	assert.True(t, ok)
	assert.Equal(t, ID("m-0008"), id)
	_, ok = DefaultKnobs.Next(fleet(Running, Checking, Queued), 0)
	assert.False(t, ok, "one that is not checked yet keeps its place")
}

func TestRoomThatOthersMayStillTakeIsReserved(t *testing.T) {
	f := fleet(Running, Running, Running, Queued)
	for i := range f {
		f[i].Plan = Plan{Datastore: "ds", Bytes: 10}
	}
	f[1].Copy = "VirtualMachine:vm-9" // has its data there already
	assert.Equal(t, []Reservation{{"ds", 20}}, Reserved(f, ""))
	assert.Equal(t, []Reservation{{"ds", 10}}, Reserved(f, "m-0001"))
}

func TestAnOrderForAVMThatIsBeingMigratedIsTurnedDown(t *testing.T) { // MIG-14
	f := fleet(Running)
	codes := func(o Order) (all []string) {
		for _, r := range DefaultKnobs.Admit(o, f) {
			all = append(all, r.Code)
		}
		return all
	}
	assert.Equal(t, []string{CodeBusy}, codes(Order{VM: "vm-1", Type: Cold}))
	assert.Empty(t, codes(Order{VM: "vm-2", Type: Cold}))
	assert.Equal(t, []string{CodeType}, codes(Order{VM: "vm-2", Type: "lukewarm"}))
	k := DefaultKnobs
	k.Queue = 1
	assert.Equal(t, CodeQueueFull, k.Admit(Order{VM: "vm-2", Type: Cold}, f)[0].Code)
}

func TestChecksAreBoundedAndTheOldestIsNext(t *testing.T) {
	f := fleet(Checking, Checking, Checking)
	f[0].Effect = "m-0001/1/check"
	k := DefaultKnobs
	k.Checks = 2
	next, ok := k.NextCheck(f)
	assert.True(t, ok)
	assert.Equal(t, ID("m-0002"), next)
	f[1].Effect = "m-0002/1/check"
	_, ok = k.NextCheck(f)
	assert.False(t, ok, "a third")
}

func TestAnOrderOfAbsurdSizeIsTurnedDown(t *testing.T) {
	assert.Empty(t, TooLarge(Order{VM: "db-01", Target: Target{Networks: []Mapping{{"a", "b"}}}}))
	assert.Len(t, TooLarge(Order{VM: strings.Repeat("x", MaxName+1)}), 1)
	assert.Len(t, TooLarge(Order{Target: Target{Networks: make([]Mapping, MaxMappings+1)}}), 1)
}
