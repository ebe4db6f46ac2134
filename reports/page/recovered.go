package page

import (
	"fmt"
	"time"

	"github.com/hdm-project/hdm/reports/record"
)

// mostRecovered bounds the rows of what recoveries lost.
const mostRecovered = 200

// recoveredView is what VMs lost that were brought back after failures.
type recoveredView struct {
	Rows   []recoveredRow
	More   int
	VMs    int
	Beyond int // VMs whose last flush was older than it may be
	Worst  string
}

type recoveredRow struct {
	VM, Migration, Pool, Flush, Blocks, Lost, Age, Bound string
	Within                                               bool
	Run                                                  link
}

func recoveredOf(s *record.Suite, anchors []string) recoveredView {
	var v recoveredView
	worst := record.Loss{}
	for i := range s.Runs {
		for _, l := range s.Runs[i].Losses {
			v.VMs++
			within := l.Age <= l.Bound
			if !within {
				v.Beyond++
			}
			if l.Age > worst.Age {
				worst = l
			}
			if len(v.Rows) == mostRecovered {
				v.More++
				continue
			}
			row := recoveredRow{
				VM: l.VM, Migration: l.Migration, Pool: l.Pool, Flush: "none yet", Blocks: grouped(uint64(max(l.Blocks, 0))),
				Lost: lengthOf(l.Seconds), Age: lengthOf(l.Age), Bound: lengthOf(l.Bound), Within: within, Run: link{s.Runs[i].Scenario, anchors[i]},
			}
			if l.Flush > 0 {
				row.Flush = fmt.Sprint(l.Flush)
			}
			v.Rows = append(v.Rows, row)
		}
	}
	if worst.Age > 0 {
		v.Worst = fmt.Sprintf("%s of %s", lengthOf(worst.Age), worst.VM)
	}
	return v
}

func lengthOf(s float64) string { return tenths(time.Duration(s * float64(time.Second))) }
