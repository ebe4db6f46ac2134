package run

import (
	"context"
	"fmt"
	"slices"

	"github.com/hdm-project/hdm/core/api"
	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/harness/scenario"
)

// look is a user who opens the In Progress and Summary views (MIG-09). What they
// show is held against the step at once: later they show something else.
func (st *stage) look(i int, v *scenario.Views) {
	var inProgress, summary []api.Row
	st.ask(func(_ context.Context, app *appliance.Appliance) error {
		inProgress, summary = api.Views(app.Migrations())
		return nil
	})
	st.held(i, "in progress", inProgress, v.InProgress)
	st.held(i, "summary", summary, v.Summary)
	st.facts.viewed(slices.ContainsFunc(api.Types(), func(t api.Type) bool { return t.Type == string(migration.Cold) }), len(inProgress), len(summary))
	st.stepEnded(i, "views", "")
}

func (st *stage) held(i int, view string, rows []api.Row, want []string) {
	var got []string
	for _, r := range rows {
		got = append(got, r.VM)
	}
	if !slices.Equal(got, want) && len(got)+len(want) > 0 {
		st.violate("expect", fmt.Sprintf("step %d", i+1), "the view %q lists %v, not %v", view, got, want)
	}
}
