package appliance

import (
	"context"

	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/recovery"
)

// Panel is what the appliance's control panel and the dashboard in vCenter show.
func (a *Appliance) Panel() health.Panel { return health.Panel{State: a.Health()} }

// Log is HDM's own log of events, the newest last.
func (a *Appliance) Log() []Note { return nil }

// Recovery is what HDM does about failures now.
func (a *Appliance) Recovery() recovery.Recovery { return recovery.Recovery{} }

// Reset asks for an HDM reset (RST-01 to -03). It is refused, with a warning, if
// none is offered and it is not forced.
func (a *Appliance) Reset(recovery.ResetOrder) (Answer, error) { return Answer{Outcome: Rejected}, nil }

// DeleteLeftover removes from the cloud what the bulk transfer of a VM's failed
// warm migration had brought there (WARM-06).
func (a *Appliance) DeleteLeftover(context.Context, string) (Answer, error) {
	return Answer{Outcome: Rejected}, nil
}
