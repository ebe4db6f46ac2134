package oracle

import (
	"slices"
	"strings"

	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// kept are how many migrate-time snapshots recoveries have left to people, by VM:
// the guide has them delete each (REC-06), or leave it and the VM in its recovery
// pool (REC-07).
type kept map[string]int

func (k kept) hear(e *kernel.Event) {
	switch {
	case e.Kind == event.Migration && e.Attr("type") == typeRecover && e.Attr("to") == stateCompleted:
		k[e.Attr("vm")]++
	case e.Kind == event.Step && e.Attr("what") == stepRecover:
		k[byHand(e)] = 0
	}
}

// without are the snapshots of a VM less those that were left to people: the
// oldest.
func (k kept) without(vm string, snapshots []string, prefix string) []string {
	left := k[vm]
	return slices.DeleteFunc(slices.Clone(snapshots), func(name string) bool {
		theirs := left > 0 && strings.HasPrefix(name, prefix)
		if theirs {
			left--
		}
		return theirs
	})
}
