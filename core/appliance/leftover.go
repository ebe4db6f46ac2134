package appliance

import (
	"context"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
)

// DeleteLeftover removes from the cloud what the bulk transfer of a VM's failed
// warm migration had brought there (WARM-06). It is refused while the VM is being
// migrated, and if nothing was left.
func (a *Appliance) DeleteLeftover(ctx context.Context, vm string) (Answer, error) {
	m, ok := a.leftBehind(vm)
	if !ok {
		return Answer{Outcome: Rejected, Reasons: []migration.Reason{{
			Code: CodeNoLeftover, What: "nothing of " + vm + " is left in the cloud", Fix: "look at the list of leftovers",
		}}}, nil
	}
	if _, busy := a.live(vm); busy {
		return Answer{Outcome: Rejected, Migration: m.ID, Reasons: []migration.Reason{{
			Code: migration.CodeBusy, What: vm + " is being migrated", Fix: "delete it when the migration has ended",
		}}}, nil
	}
	if _, err := a.destroy(ctx, vsphere.Cloud, imported(a.imageMark(m))); err != nil {
		return Answer{}, err
	}
	_, err := a.deliver(Heard{m.ID, migration.LeftoverDeleted{}}, string(m.ID)+" leftover deleted")
	return Answer{Outcome: Accepted, Migration: m.ID}, err
}

// CodeNoLeftover is the code of a deletion that finds nothing.
const CodeNoLeftover = "no-leftover"

// leftBehind is the newest migration of a VM that left an image in the cloud.
func (a *Appliance) leftBehind(vm string) (found migration.Migration, ok bool) {
	for _, m := range a.Leftovers() {
		if m.Order.VM == vm && m.Number > found.Number {
			found, ok = m, true
		}
	}
	return found, ok
}

// Leftovers are the migrations that are over and have left an image in the cloud,
// which only a user has deleted (WARM-06).
func (a *Appliance) Leftovers() (all []migration.Migration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.state.ended {
		if m.LeftImage() {
			all = append(all, m)
		}
	}
	return all
}
