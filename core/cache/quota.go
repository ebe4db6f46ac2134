package cache

// Rule is a deployment mode's rule for quotas (clauses CACHE-02, CACHE-03).
type Rule struct {
	Percent int   // of what the VM's disks have as capacity
	Floor   int64 // bytes
}

// Quota is the cache that a VM gets, in bytes, a whole number of blocks: its
// working set if that was measured (0: it was not; clause CACHE-01), else a
// share of what its disks have as capacity; never less than the floor.
func Quota(r Rule, provisioned, workingSet int64) int64 {
	size := workingSet
	if size == 0 {
		// Divided first: the product of a large capacity could overflow.
		size = provisioned/100*int64(r.Percent) + provisioned%100*int64(r.Percent)/100
	}
	size = max(size, r.Floor)
	return (size + BlockSize - 1) / BlockSize * BlockSize
}
