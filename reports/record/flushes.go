package record

import "time"

// Flushes are what a run's flushes to the premises carried, and what a failure
// could have lost between them: the flush interval is the RTO and RPO of VMs
// that run in the cloud.
type Flushes struct {
	Interval time.Duration `json:"interval_ns"` // from one flush to the next, as it was set
	Workload string        `json:"workload"`    // of the guests, in words: kind, rate, share of writes, where its popular blocks come from
	Applied  int           `json:"applied"`     // flushes, of all VMs
	Bytes    int64         `json:"bytes"`       // that those carried: blocks, without what a frame adds
	WANBytes int64         `json:"wan_bytes"`   // all that crossed the WAN in the run, both ways
	Absorbed int64         `json:"absorbed"`    // bytes that guests wrote and the cloud cache acknowledged
	Longest  time.Duration `json:"longest_ns"`  // flush, from its cut until it was applied
	VMs      []FlushedVM   `json:"vms"`         // in the order in which they came up in the cloud; at most MostFlushedVMs
	MoreVMs  int           `json:"more_vms,omitempty"`
}

// MostFlushedVMs bounds how many VMs are told one by one.
const MostFlushedVMs = 40

// FlushedVM is a VM that ran on a cloud cache.
type FlushedVM struct {
	Name     string        `json:"name"`       // of its guest
	Writes   uint64        `json:"writes"`     // that were acknowledged in the cloud
	Loss     time.Duration `json:"loss_ns"`    // the worst moment's: the age of its oldest acknowledged write that the premises did not hold
	AtRisk   uint64        `json:"at_risk"`    // acknowledged writes that the premises did not hold at that moment
	Stalled  time.Duration `json:"stalled_ns"` // its guest waited for its disks in the cloud
	Longest  time.Duration `json:"longest_ns"` // one of its guest's requests took
	Misreads uint64        `json:"misreads"`   // reads that lacked an acknowledged write
	Failed   uint64        `json:"failed"`     // requests that were answered with an error
}

// Worst is the VM that could have lost most.
func (f *Flushes) Worst() FlushedVM {
	var worst FlushedVM
	for _, vm := range f.VMs {
		if vm.Loss > worst.Loss {
			worst = vm
		}
	}
	return worst
}

// Slack is how late a flush may be cut after it is due: its command crosses the
// WAN first.
const Slack = time.Second

// Bound is what a failure may lose at the worst without an outage: the interval,
// and the flush that it interrupts.
func (f *Flushes) Bound() time.Duration { return f.Interval + f.Longest + Slack }
