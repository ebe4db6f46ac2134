package appliance

import (
	"context"
	"slices"

	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/vsphere"
)

// probe asks one vCenter again and again whether it is there.
type probe struct {
	client *vsphere.Client
	name   string // of the component
	// began says whether what earlier boots left there has been ended: until then
	// the appliance is still coming up.
	began bool
	down  bool
}

// startProbes begins to watch both vCenters.
func (a *Appliance) startProbes() {
	if a.ProbeEvery <= 0 {
		return
	}
	a.probes = []*probe{{client: a.OnPremises, name: health.OnPremises}, {client: a.Cloud, name: health.Cloud}}
	for _, p := range a.probes {
		a.Runtime.Go(a.ctx, "probe/"+string(p.client.Site()), func(ctx context.Context) { a.watch(ctx, p) })
	}
}

// watch goes on until the appliance stops.
func (a *Appliance) watch(ctx context.Context, p *probe) {
	for {
		err := a.settle(ctx, p.client)
		if err == nil {
			err = p.client.Ping(ctx)
		}
		if err == nil {
			a.reaches(p.client.Site())
		}
		a.mu.Lock()
		p.began, p.down = p.began || err == nil, err != nil
		a.tellHealth()
		a.mu.Unlock()
		if a.Runtime.Sleep(ctx, a.ProbeEvery) != nil {
			return
		}
	}
}

// Booted says whether both vCenters have answered or failed to since the boot:
// until then nobody can say whether HDM is ready.
func (a *Appliance) Booted() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !slices.ContainsFunc(a.probes, (*probe).unknown)
}

func (p *probe) unknown() bool { return !p.began && !p.down }
