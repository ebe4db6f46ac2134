package site

import (
	"fmt"
	"slices"
	"strings"
)

// pools checks resource pools, which are written as paths below the cluster's
// root pool: a pool in another comes after it.
func (c *checker) pools(path string, list []string) map[string]bool {
	seen := map[string]bool{}
	for i, pool := range list {
		at := fmt.Sprintf("%s.pools[%d]", path, i)
		parts := strings.Split(pool, "/")
		for _, name := range parts {
			c.name(at, name)
		}
		parent := strings.Join(parts[:len(parts)-1], "/")
		switch {
		case seen[pool]:
			c.fail(at, "give it another name", "%q is there twice", pool)
		case parts[0] == clusterName:
			c.fail(at, "give it another name", "%q is what the cluster is called", clusterName)
		case len(parts) > MaxPoolDepth:
			c.fail(at, fmt.Sprintf("nest at most %d", MaxPoolDepth), "%d pools are nested", len(parts))
		case parent != "" && !seen[parent]:
			c.fail(at, "list the outer pool first", "there is no %q before it", parent)
		}
		seen[pool] = true
	}
	return seen
}

// KnownToolsStatus says whether a VM can have that toolsVersionStatus2.
func KnownToolsStatus(status string) bool { return slices.Contains(statuses, status) }
