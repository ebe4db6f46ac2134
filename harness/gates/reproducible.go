package gates

import "fmt"

// DivergedError says that one seed gave two histories.
type DivergedError struct {
	Run         int // the first that differs, from 2
	First, Then uint64
}

func (e *DivergedError) Error() string {
	return fmt.Sprintf("run %d of the same seed has hash %016x, the first had %016x: something in it takes time, chance or order from "+
		"the machine. Compare the traces: the first line that differs comes soon after", e.Run, e.Then, e.First)
}

// Reproducible runs the same world several times and returns a *DivergedError
// unless its hash is the same each time. Each run must build its world anew.
func Reproducible(runs int, run func() (hash uint64, err error)) error {
	var first uint64
	for n := 1; n <= runs; n++ {
		hash, err := run()
		if err != nil {
			return err
		}
		if n == 1 {
			first = hash
		} else if hash != first {
			return &DivergedError{Run: n, First: first, Then: hash}
		}
	}
	return nil
}
