package page

import (
	"fmt"

	"github.com/hdm-project/hdm/reports/record"
)

// mostRecovered bounds the rows of what recoveries lost.
const mostRecovered = 200

// recoveredView is what VMs lost that were brought back after failures.
type recoveredView struct {
	Rows   []recoveredRow
	More   int
	VMs    int
	Beyond int // VMs that lost more than they may
	Worst  string
}

type recoveredRow struct {
	VM, At, Pool, Blocks, Writes, Lost, Bound string
	Within                                    bool
	Run                                       link
}

func recoveredOf(s *record.Suite, anchors []string) recoveredView {
	var v recoveredView
	worst := record.Recovered{}
	for i := range s.Runs {
		for j := range s.Runs[i].Recovered {
			r := &s.Runs[i].Recovered[j]
			v.VMs++
			if !r.Within() {
				v.Beyond++
			}
			if r.Lost > worst.Lost {
				worst = *r
			}
			if len(v.Rows) == mostRecovered {
				v.More++
				continue
			}
			v.Rows = append(v.Rows, recoveredRow{
				VM: r.VM, At: clock(r.At), Pool: r.Pool, Blocks: grouped(uint64(max(r.Blocks, 0))), Writes: grouped(r.Writes),
				Lost: tenths(r.Lost), Bound: boundOf(r), Within: r.Within(), Run: link{s.Runs[i].Scenario, anchors[i]},
			})
		}
	}
	if worst.Lost > 0 {
		v.Worst = fmt.Sprintf("%s of %s", tenths(worst.Lost), worst.VM)
	}
	return v
}

// boundOf is what a VM may have lost; one that lost nothing has none to compare
// with.
func boundOf(r *record.Recovered) string {
	if r.Bound == 0 || r.Writes == 0 {
		return "nothing lost"
	}
	return tenths(r.Bound)
}
