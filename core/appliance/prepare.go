package appliance

import (
	"context"
	"errors"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/prepare"
	"github.com/hdm-project/hdm/core/vsphere"
)

// prepareVM holds a VM against the checks once more, for its guest may have
// changed since, and marks it as prepared (PRE-21).
func prepareVM(ctx context.Context, s *vsphere.Session, m migration.Migration) error {
	vm, err := s.VM(ctx, m.Plan.Source)
	if err != nil {
		return err
	}
	for _, f := range prepare.Checks(vm) {
		if !f.Warning {
			return &vsphere.Error{Site: vsphere.OnPremises, Op: "prepare", Object: vm.Name, Class: vsphere.Refused, Hint: f.Fix, Err: errors.New(f.What)}
		}
	}
	return s.SetMark(ctx, vm.Ref, prepare.Mark, prepare.MarkOf(vm))
}
