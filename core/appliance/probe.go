package appliance

import (
	"context"
	"slices"
	"time"

	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/recovery"
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
		if p.client.Site() == vsphere.Cloud {
			a.cutOff(ctx, err)
		}
		if a.Runtime.Sleep(ctx, a.ProbeEvery) != nil {
			return
		}
	}
}

// cutOff notices an outage of only the way to the cloud: its parts are heard all the
// time, and none of them is silent, but nobody there can be told anything. That is
// permanent once it has lasted as long as any other (WAN-02, RST-01). err is what the
// cloud's vCenter has just answered.
func (a *Appliance) cutOff(ctx context.Context, err error) {
	found := a.Runtime.Elapsed()
	reached := vsphere.ClassOf(err) != vsphere.Unreachable || !a.allQuiet() && a.partAnswers(ctx)
	until := a.Runtime.Elapsed()
	a.mu.Lock()
	switch {
	case reached: // by what was refused, too; or it is only the vCenter that is away
		a.cut = 0
	case a.cut == 0:
		a.cut = found
	}
	lasts := a.cut > 0 && until-a.cut >= recoveryKnobs(a.Knobs).Outage && a.Components != nil &&
		a.state.deployment.Phase == deployment.Deployed && a.state.recovery.Phase == recovery.Healthy
	a.mu.Unlock()
	if lasts {
		// An error is the journal's.
		_, _ = a.deliver(BeatHeard{Failed: []recovery.Failure{recovery.NothingReached}}, "cut off")
	}
}

// partAnswers says whether the component VM of the cloud that was heard last, which
// is up, can be told something.
func (a *Appliance) partAnswers(ctx context.Context) bool {
	a.mu.Lock()
	last, at := "", time.Duration(0)
	for _, made := range a.state.deployment.Made {
		heard := a.pulse.Newest(func(vm string) bool { return vm == made.Name })
		if inCloud(made.Name) && heard > at {
			last, at = made.Name, heard
		}
	}
	a.mu.Unlock()
	if last == "" || a.Components == nil {
		return false
	}
	_, err := a.services().Ping(ctx, last)
	return vsphere.ClassOf(err) != vsphere.Unreachable
}

// Booted says whether both vCenters have answered or failed to since the boot:
// until then nobody can say whether HDM is ready.
func (a *Appliance) Booted() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !slices.ContainsFunc(a.probes, (*probe).unknown)
}

func (p *probe) unknown() bool { return !p.began && !p.down }
