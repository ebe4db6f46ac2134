package oracle

import (
	"strconv"
	"strings"
)

// modeLimits is how much may go on at once in a mode, beside cold migrations.
type modeLimits struct {
	warm int // warm and try-before-commit migrations; as many may come back
	vms  int // on the cloud cache
}

// byClass are the documented limits (DEP-03): standalone, and by how much they
// grow with the hosts of a cluster. They are written down here once more.
var byClass = map[string]struct {
	standalone modeLimits
	vmsPerHost bool // else a cluster has twice as many
}{
	"appliance only": {},
	"lite":           {modeLimits{2, 10}, false},
	"standard":       {modeLimits{4, 20}, true},
	"performance":    {modeLimits{8, 25}, true},
}

// limitsOf are those of a mode as the trace names it: "standard standalone",
// "lite cluster 3", "appliance only". False: it is none.
func limitsOf(mode string) (modeLimits, bool) {
	for class, c := range byClass { //hdm:order-safe at most one fits
		rest, fits := strings.CutPrefix(mode, class)
		if !fits {
			continue
		}
		hosts := 1
		times, cluster := strings.CutPrefix(strings.TrimSpace(rest), "cluster ")
		if cluster {
			n, err := strconv.Atoi(times)
			if err != nil {
				return modeLimits{}, false
			}
			hosts = n
		}
		l := modeLimits{c.standalone.warm * hosts, c.standalone.vms}
		switch {
		case c.vmsPerHost:
			l.vms *= hosts
		case cluster:
			l.vms *= 2
		}
		return l, true
	}
	return modeLimits{}, false
}
