package record

// Loss is what a VM lost that was brought back after a failure (POL-06, POL-08).
type Loss struct {
	VM        string  `json:"vm"`
	Migration string  `json:"migration"` // that brought it back
	Flush     uint64  `json:"flush"`     // the last one that was applied; 0: none
	Blocks    int     `json:"blocks"`    // written since its cut, and lost
	Seconds   float64 `json:"seconds"`   // of virtual time, from that cut until the VM was stopped
	// Age is how old that cut was when the failure came, and Bound how old it may be
	// the interval, the flush that the failure interrupted, what delayed
	// them. Both in seconds.
	Age   float64 `json:"age"`
	Bound float64 `json:"bound"`
	Pool  string  `json:"pool"` // that it is in
}
