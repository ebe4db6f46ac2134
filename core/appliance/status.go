package appliance

import (
	"cmp"
	"context"
	"slices"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
)

// percentOfSteps is what a step other than the bulk transfer stands for, where
// there is one.
const percentOfSteps = 3

// Status is a migration with what is known of its progress.
type Status struct {
	migration.Migration
	Transfer vsphere.Progress // of the bulk transfer under way
}

// Shows is what the migration is doing, for people; "" if it does nothing.
func (m Status) Shows() string {
	for _, row := range migration.Tables[m.Order.Type] {
		if row.Step == m.Step {
			if m.State == migration.Undoing {
				return "Undoing: " + row.Shows
			}
			return row.Shows
		}
	}
	if words := m.Awaits(); len(words) > 0 {
		return "Waiting for " + string(words[0])
	}
	return ""
}

// Percent of the migration that is done: the bulk transfer takes nearly all of
// the time, so nearly all of the scale is its. It falls where a step begins anew,
// and is 0 where there is none: before the first, and once it has failed.
func (m Status) Percent() int32 {
	if m.State == migration.Completed {
		return 100
	}
	table, at := migration.Tables[m.Order.Type], cmp.Or(m.Step, m.Next)
	step, transfer := int32(100/max(len(table), 1)), int32(0)
	if slices.ContainsFunc(table, moves) {
		step, transfer = percentOfSteps, int32(100-percentOfSteps*len(table))
	}
	var sum int32
	for _, row := range table {
		if row.Step == at || at == "" {
			break
		}
		sum += step
		if moves(row) {
			sum += transfer
		}
	}
	if m.Step == migration.StepTransfer {
		sum += transfer * m.Transfer.Percent / 100
	}
	return min(sum, 99)
}

// moves says whether a step is the bulk transfer.
func moves(r migration.Row) bool {
	return r.Does == migration.Transfer || r.Does == migration.TransferImage
}

// Unanswered are the migrations that were ordered by message and whose end the
// bus was not told yet, in order of their numbers.
func (a *Appliance) Unanswered() []Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []Status
	for _, list := range [][]migration.Migration{a.state.live, a.state.ended} {
		for i := range list {
			if m := &list[i]; !m.Answered() {
				all = append(all, Status{*m, a.progress[m.ID]})
			}
		}
	}
	slices.SortFunc(all, func(p, q Status) int { return byNumber(p.Migration, q.Migration) })
	return all
}

// Find is the migration that was ordered under that name.
func (a *Appliance) Find(request string) (Status, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	m, ok := a.state.Migration(a.state.byName[request])
	return Status{m, a.progress[m.ID]}, ok && request != ""
}

// Responded writes down what the message bus was told of a migration.
func (a *Appliance) Responded(id migration.ID, told migration.Responded) error {
	_, err := a.deliver(Heard{id, told}, string(id)+" responded")
	return err
}

// Incarnation is the name that the appliance drew at its first boot: it tells
// what it sends from what another one sent whose journal is lost.
func (a *Appliance) Incarnation() string { return a.incarnation }

// Inventory reads the VMs on premises, HDM's own left out, each with what stands
// against its migration (SQS-03).
func (a *Appliance) Inventory(ctx context.Context) ([]migration.Offered, error) {
	s, err := a.open(ctx, vsphere.OnPremises)
	if err != nil {
		return nil, err
	}
	defer s.Close(ctx)
	resources, err := s.Resources(ctx)
	if err != nil {
		return nil, err
	}
	vms, err := s.Inventory(ctx)
	if err != nil {
		return nil, err
	}
	return migration.Offer(vms, resources.Pools), nil
}
