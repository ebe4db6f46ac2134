package oracle

import (
	"slices"
	"strings"
)

// leftovers is what a migration that is over lists as not put back, separated by
// commas; "" if it lists nothing. A step is tried a fixed number of times
// (SYS-02), and so is putting it back: after that a person has to look,
// and can only if told of it. So what is listed is accepted, and nothing besides.
type leftovers string

// What can be left.
const (
	leftPower    = "restart source"
	leftSnapshot = "remove snapshot"
	leftPool     = "return to pool"
	leftCopy     = "destroy copy"
	leftAll      = "confirm off" // the copy may run: then nothing else may be put back (MIG-13)
)

func (l leftovers) has(what string) bool {
	listed := strings.Split(string(l), ", ")
	return slices.Contains(listed, what) || slices.Contains(listed, leftAll)
}
