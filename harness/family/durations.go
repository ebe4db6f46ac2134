package family

import (
	"time"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/outcome"
)

// spans are those at which something may change: a second, two minutes, five, and
// for ever.
var spans = []faults.Span{
	span(time.Second), span(10 * time.Second), span(60 * time.Second), span(119 * time.Second), span(120 * time.Second), span(121 * time.Second),
	span(299 * time.Second), span(5 * time.Minute), span(301 * time.Second), span(time.Hour), faults.Ever,
}

// Durations are failures of each duration: of the WAN in each direction, of a
// service that hangs, of a component VM that is off, while a VM is on the cloud
// cache, while one is transferred cold, and while nothing goes on.
func Durations() (all []Member) {
	for _, p := range []outcome.Place{{Type: outcome.Bound}, {Type: migration.Cold, Step: migration.StepTransfer}, {Type: outcome.Idle}} {
		for _, s := range spans {
			when := usual.reached(p)
			add := func(what string, f faults.Fault) {
				f.Trigger = when
				all = append(all, member(what+"-"+s.String()+"/"+place(p), p, usual, f))
			}
			for _, d := range []faults.Direction{faults.Both, faults.ToCloud, faults.ToPremises} {
				add("outage-"+string(d), faults.Fault{WANDown: &faults.WANDown{For: s, Direction: d}})
			}
			add("hang", faults.Fault{ComponentHang: &faults.ComponentHang{ComponentService: parts[outcome.CacheService], For: s}})
			add("vm-off", faults.Fault{ComponentVMReboot: &faults.ComponentVMReboot{VM: cacheVM, For: s}})
		}
	}
	return all
}
