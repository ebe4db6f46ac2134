package run

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/sim/event"
)

// takeCloud takes step i if it is about VMs on a cloud cache and what they run
// on, and says whether it is.
func (st *stage) takeCloud(i int) bool {
	s := &st.scenario.Steps[i]
	number := strconv.Itoa(i + 1)
	word, said := s.Word()
	switch {
	case s.Deploy != nil:
		st.kernel.Emit(event.Step, number, "what", "deploy", "mode", s.Deploy.Mode)
		st.asks(i, "deploy", func(_ context.Context, app *appliance.Appliance) (appliance.Answer, error) {
			mode, err := deployment.Parse(s.Deploy.Mode)
			if err != nil {
				return appliance.Answer{}, err // the scenario was checked
			}
			return app.Deploy(mode)
		})
	case s.Undeploy != nil:
		st.kernel.Emit(event.Step, number, "what", "undeploy")
		st.asks(i, "undeploy", func(_ context.Context, app *appliance.Appliance) (appliance.Answer, error) { return app.Undeploy() })
	case s.MigrateBack != nil:
		st.kernel.Emit(event.Step, number, "what", "migrate-back")
		st.user(number, func() { st.order(i, "migrate-back", s.Order()) })
	case said != nil:
		st.kernel.Emit(event.Step, number, "what", string(word), "vm", said.VM)
		st.asks(i, string(word), func(ctx context.Context, app *appliance.Appliance) (appliance.Answer, error) {
			return app.Say(ctx, said.VM, word)
		})
	case s.Ship != nil:
		st.kernel.Emit(event.Step, number, "what", "ship", "vm", s.Ship.VM)
		st.ship(i, s.Ship)
	case s.Settings != nil:
		st.kernel.Emit(event.Step, number, "what", "settings")
		st.asks(i, "settings", func(_ context.Context, app *appliance.Appliance) (appliance.Answer, error) {
			return app.Set(s.Settings.Set())
		})
	case s.Revert != nil:
		st.kernel.Emit(event.Step, number, "what", stepRevert, "vm", string(s.Revert.Site)+"/"+s.Revert.VM, "snapshot", s.Revert.Snapshot)
		st.revert(i, s.Revert)
	default:
		return false
	}
	return true
}

// stepRevert is what a step is called in which a person restores a snapshot.
const stepRevert = "revert"

// asks is a user who asks the appliance for something that it grants or refuses.
func (st *stage) asks(i int, what string, question func(context.Context, *appliance.Appliance) (appliance.Answer, error)) {
	st.user(strconv.Itoa(i+1), func() {
		refused := ""
		st.ask(func(ctx context.Context, app *appliance.Appliance) error {
			a, err := question(ctx, app)
			refused = ""
			if a.Outcome == appliance.Rejected {
				refused = refusals(a.Reasons)
			}
			return err
		})
		st.stepEnded(i, what, refused)
	})
}

// refusals are reasons as a step's end tells them: each code in brackets.
func refusals(reasons []migration.Reason) string {
	var all []string
	for _, r := range reasons {
		all = append(all, fmt.Sprintf("[%s] %s", r.Code, r.What))
	}
	return strings.Join(all, "; ")
}

// ship is a person who brings the data of a VM to the cloud by other means. What
// is not there to be exported, the person sees and leaves.
func (st *stage) ship(i int, s *scenario.Ship) {
	st.busy++
	st.kernel.After(time.Duration(s.Takes), func() {
		st.busy--
		refused := ""
		if err := st.world.Ship(cmp.Or(s.Of, migration.CloneName(s.VM)), migration.ImageName(s.VM)); err != nil {
			refused = err.Error()
		}
		st.stepEnded(i, "ship", refused)
	})
}

// revert is a person at a vCenter who restores a snapshot.
func (st *stage) revert(i int, r *scenario.Revert) {
	task, err := st.world.At(r.Site).Revert(r.VM, r.Snapshot)
	if err != nil {
		st.stepEnded(i, stepRevert, err.Error())
		return
	}
	st.busy++
	st.hands[string(r.Site)+"/"+task] = i
}

// otherReason says whether a step was refused, and not for the reason that it
// names.
func otherReason(s *scenario.Step, refused string) bool {
	reason := s.Reason()
	return reason != "" && refused != "" && !strings.Contains(refused, "["+reason+"]")
}
