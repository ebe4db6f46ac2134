// Package cache is a stub until the real one is merged.
package cache

// Rule is a stub.
type Rule struct {
	Percent int
	Floor   int64
}

// Quota is a stub.
func Quota(r Rule, provisioned, workingSet int64) int64 {
	if workingSet > 0 {
		return max(r.Floor, workingSet)
	}
	return max(r.Floor, provisioned/100*int64(r.Percent))
}
