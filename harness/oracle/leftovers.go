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
	leftClone    = "remove clone"
	leftBinding  = "release"
)

// settles are what keeps everything else from being put back: the VM may run in
// the cloud, or what it wrote there is not on premises (MIG-13).
var settles = []string{"confirm off", "stop compute", "bring home", "await boot", "power off compute"}

// alike are what is left of the same kind.
var alike = map[string][]string{
	leftCopy: {"destroy copy", "destroy compute", "destroy image"}, leftBinding: {"release", "discard"},
}

func (l leftovers) has(what string) bool {
	for _, listed := range strings.Split(string(l), ", ") {
		if listed == what || slices.Contains(alike[what], listed) || slices.Contains(settles, listed) {
			return true
		}
	}
	return false
}

// all says whether everything may be left.
func (l leftovers) all() bool {
	return slices.ContainsFunc(strings.Split(string(l), ", "), func(listed string) bool { return slices.Contains(settles, listed) })
}
