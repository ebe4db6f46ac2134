package appliance

import (
	"context"
	"slices"

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
		if p.client.Site() == vsphere.Cloud {
			a.cutOff(ctx, err)
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

// cutOff notices an outage of only the way to the cloud: its parts are heard all the
// time, and none of them is silent, but nobody there can be told anything. That is
// permanent once it has lasted as long as any other (WAN-02, RST-01). err is what the
// cloud's vCenter has just answered.
func (a *Appliance) cutOff(ctx context.Context, err error) {
	if vsphere.ClassOf(err) != vsphere.Unreachable {
		return
	}
	a.mu.Lock()
	now := a.Runtime.Elapsed()
	if a.cut == 0 {
		a.cut = now
	}
	is := now-a.cut >= recoveryKnobs(a.Knobs).Outage && a.Components != nil &&
		a.state.deployment.Phase == deployment.Deployed && a.state.recovery.Phase == recovery.Healthy
	var parts []string
	for _, made := range a.state.deployment.Made {
		if inCloud(made.Name) {
			parts = append(parts, made.Name)
		}
	}
	a.mu.Unlock()
	if !is {
		return
	}
	for _, vm := range parts {
		if _, err := a.services().Ping(ctx, vm); vsphere.ClassOf(err) != vsphere.Unreachable {
			return // it is the vCenter that is away
		}
	}
	// An error is the journal's.
	_, _ = a.deliver(BeatHeard{Failed: []recovery.Failure{{Cause: recovery.LinkDown, Judged: true, Error: "nothing of the cloud can be reached"}}}, "cut off")
}

// Booted says whether both vCenters have answered or failed to since the boot:
// until then nobody can say whether HDM is ready.
func (a *Appliance) Booted() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !slices.ContainsFunc(a.probes, (*probe).unknown)
}

func (p *probe) unknown() bool { return !p.began && !p.down }
