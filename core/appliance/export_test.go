package appliance

import (
	"context"

	"github.com/hdm-project/hdm/core/migration"
)

// Do does the effect of a step of a migration, as if it had been decided.
func (a *Appliance) Do(ctx context.Context, kind migration.Kind, m migration.Migration) (migration.Result, error) {
	return a.do(ctx, migration.Effect{Kind: kind, Migration: m.ID}, m)
}
