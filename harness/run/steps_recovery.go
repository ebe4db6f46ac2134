package run

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/runbook"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/sim/event"
)

// takeRecovery takes step i if it is about failures and what follows.
func (st *stage) takeRecovery(i int) bool {
	s := &st.scenario.Steps[i]
	number := strconv.Itoa(i + 1)
	switch {
	case s.Reset != nil:
		st.kernel.Emit(event.Step, number, "what", "reset", "cloud-dead", strconv.FormatBool(s.Reset.CloudDead))
		st.asks(i, "reset", func(_ context.Context, app *appliance.Appliance) (appliance.Answer, error) {
			return app.Reset(s.Reset.Order())
		})
	case s.RestartFilters != nil:
		st.kernel.Emit(event.Step, number, "what", stepFilters)
		st.busy++
		st.restartFilters(i, st.filterHosts())
	case s.RestartAppliance != nil:
		st.kernel.Emit(event.Step, number, "what", "restart-appliance")
		st.restartByHand(i, s.RestartAppliance)
	case s.RecoverByHand != nil:
		st.kernel.Emit(event.Step, number, "what", "recover", "vm", string(vsphere.OnPremises)+"/"+s.RecoverByHand.VM)
		st.recoverByHand(i, s.RecoverByHand)
	case s.DeleteLeftover != nil:
		st.kernel.Emit(event.Step, number, "what", "delete-leftover", "vm", s.DeleteLeftover.VM)
		st.asks(i, "delete-leftover", func(ctx context.Context, app *appliance.Appliance) (appliance.Answer, error) {
			return app.DeleteLeftover(ctx, s.DeleteLeftover.VM)
		})
	default:
		return false
	}
	return true
}

// stepFilters is what a step is called in which a person restarts the daemons of
// the IO filter.
const stepFilters = "restart-filters"

// betweenHosts is how long a person takes from one host to the next.
const betweenHosts = 30 * time.Second

// restartFilters is a person who restarts the daemon of the IO filter on one host
// after the other.
func (st *stage) restartFilters(i int, hosts []string) {
	if len(hosts) == 0 {
		st.busy--
		st.stepEnded(i, stepFilters, "")
		return
	}
	if err := st.vcenter(vsphere.OnPremises).RestartFilter(hosts[0]); err != nil {
		st.busy--
		st.stepEnded(i, stepFilters, err.Error())
		return
	}
	st.kernel.After(betweenHosts, func() { st.restartFilters(i, hosts[1:]) })
}

// restartByHand is a person who restarts the appliance: it is asked to stop and
// has its power cut, which is the same to it.
func (st *stage) restartByHand(i int, r *scenario.RestartAppliance) {
	if st.machine == nil {
		st.stepEnded(i, "restart-appliance", "the appliance is down")
		return
	}
	st.cut(time.Duration(r.Downtime()), "")
	st.stepEnded(i, "restart-appliance", "")
}

// recoverByHand is a person who follows the guide's steps over the vSphere API.
// Where that ends before the last step, the person sees why, and leaves.
func (st *stage) recoverByHand(i int, r *scenario.RecoverByHand) {
	m := st.world.Client()
	here, _ := st.world.Endpoints("operator")
	st.busy++
	m.Go(context.Background(), fmt.Sprintf("step/%d", i+1), func(ctx context.Context) {
		refused := ""
		if err := handRecovery(ctx, vsphere.NewClient(m, here), r); err != nil {
			refused = err.Error()
		}
		st.busy--
		st.stepEnded(i, "recover", refused)
	})
}

func handRecovery(ctx context.Context, onPremises *vsphere.Client, r *scenario.RecoverByHand) error {
	s, err := onPremises.Open(ctx)
	if err != nil {
		return err
	}
	defer s.Close(ctx)
	vm, err := runbook.Locate(ctx, s, r.VM, cmp.Or(r.Pool, runbook.RootPool))
	if err != nil {
		return err
	}
	return runbook.Run(ctx, s, vm, runbook.Finding(r.Data))
}
