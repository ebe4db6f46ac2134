package appliance

import (
	"context"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
)

// prepareVM marks a VM as prepared. What it has to meet was checked before, and
// is checked again at its turn.
func prepareVM(ctx context.Context, s *vsphere.Session, m migration.Migration) error {
	return s.SetMark(ctx, m.Plan.Source, migration.MarkPrepared, "yes")
}
