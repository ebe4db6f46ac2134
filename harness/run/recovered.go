package run

import (
	"cmp"
	"path"
	"slices"
	"time"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// returns are the VMs that were brought back after failures, as the trace tells
// it.
type returns struct {
	told    []record.Recovered
	flushes *flushes
	// pool is the one that a VM on premises is in.
	pool func(vm string) string
	// interval is the flush interval of a VM's cluster.
	interval func(vm string) time.Duration
}

func (r *returns) hear(e kernel.Event) {
	recovered := e.Kind == event.Migration && e.Attr("type") == string(migration.Recover) && e.Attr("to") == string(migration.Completed)
	if !recovered || len(r.told) == record.MostRecovered {
		return
	}
	name := e.Attr("vm")
	back := record.Recovered{VM: name, At: e.At, Pool: r.pool(name)}
	if l, known := r.flushes.lost[name]; known {
		back.Blocks, back.Writes, back.Lost = l.blocks, l.writes, l.age
		back.Bound = l.bound + r.interval(name)
	}
	r.told = append(r.told, back)
}

func (st *stage) newReturns() *returns {
	return &returns{
		flushes: st.flushes,
		pool: func(vm string) string {
			v, _ := st.world.OnPremises.VCenter.VM(vm)
			return path.Base(v.Pool)
		},
		interval: func(vm string) time.Duration {
			all := st.teller.all()
			i := slices.IndexFunc(all, func(m migration.Migration) bool { return m.Order.VM == vm && m.Plan.Cluster != "" })
			if i < 0 {
				return appliance.DefaultFlushEvery
			}
			return cmp.Or(st.flushes.every[all[i].Plan.Cluster], appliance.DefaultFlushEvery)
		},
	}
}
