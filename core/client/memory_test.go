package client

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hdm-project/hdm/core/protocol"
)

func TestTheNewestNamesAreRememberedAndNoMore(t *testing.T) {
	m := newMemory(3)
	for i := range 7 {
		assert.Equal(t, 1, m.add(fmt.Sprint(i)))
		assert.Equal(t, 2, m.add(fmt.Sprint(i)), "again takes no more room")
	}
	for i := range 7 {
		assert.Equal(t, i >= 4, m.knows(fmt.Sprint(i)), i)
	}
	assert.Len(t, m.known, 3)
	assert.Len(t, m.order, 3)
}

// page is one of a reading, with one VM of that name.
func page(reading string, n, of int, vm string) *protocol.InventoryResponse {
	p := &protocol.InventoryResponse{Reading: reading, Page: n, Pages: of, VMs: []protocol.VM{{Name: vm}}}
	p.RequestID = "r"
	return p
}

func TestPagesOfDifferentReadingsAreNotMixed(t *testing.T) {
	g := Gather{Request: "r"}
	other := page("a", 1, 1, "of another request")
	other.RequestID = "s"
	for _, p := range []*protocol.InventoryResponse{
		other, page("a", 2, 2, "a2"), page("b", 1, 2, "b1"), page("a", 2, 2, "a2 again"), page("b", 2, 2, "b2"), page("a", 1, 2, "a1"),
	} {
		assert.NoError(t, g.Hear(p))
	}
	assert.True(t, g.Complete())
	vms := g.VMs()
	if assert.Len(t, vms, 2) {
		assert.Equal(t, []string{"b1", "b2"}, []string{vms[0].Name, vms[1].Name}, "the first that was complete")
	}
}

func TestNoMoreThanAFewReadingsArePutTogetherAtOnce(t *testing.T) {
	g := Gather{Request: "r"}
	for i := range 3 * mostReadings {
		_ = g.Hear(page(fmt.Sprint(i), 1, 2, "x"))
	}
	assert.Len(t, g.readings, mostReadings)
	assert.False(t, g.Complete())
	assert.Nil(t, g.VMs())
}

func TestAnEarlierStatusThatComesAfterTheFinalOneChangesNothing(t *testing.T) {
	f := Follow{Request: "r"}
	final := &protocol.CloneResponse{State: "completed", Final: true}
	late := &protocol.CloneResponse{State: "running"}
	final.RequestID, late.RequestID = "r", "r"
	assert.NoError(t, f.Hear(final))
	assert.NoError(t, f.Hear(late))
	assert.Same(t, final, f.Last)
	assert.True(t, f.Complete())
}

func TestAStatusDoesNotGoBack(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	status := func(percent int32, sent time.Time, step string) *protocol.CloneResponse {
		r := &protocol.CloneResponse{State: "running", Percent: percent, Step: step}
		r.RequestID, r.Sent = "r", sent
		return r
	}
	f := Follow{Request: "r"}
	for _, s := range []*protocol.CloneResponse{
		status(40, noon, "copy"),
		status(30, noon.Add(-time.Minute), "late: less was done"),
		status(40, noon.Add(-time.Second), "late: it was sent before"),
	} {
		assert.NoError(t, f.Hear(s))
		assert.Equal(t, "copy", f.Last.Step)
	}
	for _, s := range []*protocol.CloneResponse{
		status(40, noon, "of the same moment"),
		status(40, noon.Add(time.Second), "later"),
		status(50, noon.Add(-time.Hour), "after the clock was set back"),
	} {
		assert.NoError(t, f.Hear(s))
		assert.Same(t, s, f.Last)
	}
}
