package loopback

import (
	"context"
	"errors"
	"fmt"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/harness/recording"
	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/site"
	"github.com/hdm-project/hdm/sim/vcenter"
)

// Repeated is what running a recording again came to.
type Repeated struct {
	Run      record.Run
	ByPeople []string              // see run.Live
	Differs  *kernel.DivergedError // where it first differs; nil: it is the same run
	Whole    bool                  // the recording has its end
}

// Replay runs a recording again, at a speed (0: as fast as possible). The error
// is for a recording that cannot be run, and kernel.ErrStopped if ctx was done
// before.
func Replay(ctx context.Context, file string, r *recording.Recording, speed float64, watch func(*scenario.Scenario, uint64) run.Watcher) (out Repeated, err error) {
	s, err := scenario.ParseServed(file, []byte(r.Scenario))
	if err != nil {
		return out, fmt.Errorf("the scenario in the header: %w", err)
	}
	if r.Transport != string(site.Direct) {
		return out, fmt.Errorf("%s: served worlds have the transport %q, and not %q", file, site.Direct, r.Transport)
	}
	live, err := run.NewLive(s, run.Options{Seed: &r.Seed, Speed: speed, Transport: site.Direct, Watch: watch, Token: token()}, nil)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, live.Close()) }()
	a := &again{live: live, bus: newBus(live), repeaters: map[vsphere.Site]*vcenter.Repeater{}}
	for _, p := range live.World().Places() {
		a.repeaters[p.Site] = p.VCenter.Repeater()
	}
	live.Driver().Replay(a.steps(r))
	ended := live.Run(ctx.Done())
	out.Whole = r.End != nil
	out.Run, out.ByPeople = live.Finish()
	switch {
	case errors.As(ended, &out.Differs), errors.Is(ended, kernel.ErrEnded):
		return out, nil
	}
	return out, ended
}

// again does the steps of a recording.
type again struct {
	live      *run.Live
	bus       *bus
	repeaters map[vsphere.Site]*vcenter.Repeater
}

func (a *again) steps(r *recording.Recording) []kernel.Again {
	all := make([]kernel.Again, 0, len(r.Steps)+1)
	for i := range r.Steps {
		all = append(all, kernel.Again{Mark: r.Steps[i].Mark(), Fn: func() { a.step(&r.Steps[i]) }})
	}
	var end kernel.Mark
	switch n := len(r.Steps); {
	case r.End != nil:
		end = r.End.Mark()
	case n > 0: // it ends with what was done last
		end = kernel.Mark{Events: r.Steps[n-1].Events + 1, At: r.Steps[n-1].At}
	}
	return append(all, kernel.Again{Mark: end})
}

func (a *again) step(s *recording.Step) {
	switch s.Kind {
	case recording.SQS:
		c := a.bus.shown(s.Queue)
		if operation, queue := a.bus.taken(c); queue != "" {
			a.live.ByQueue(operation, queue)
		}
		a.bus.do(a.live.Mark().At, c, func(response) {})
	case recording.Late:
	case recording.Gone:
		a.bus.gone(s.Of)
	default:
		place := a.live.World().At(s.Site)
		byHand(a.live, place, *s.Call)
		if err := a.repeaters[s.Site].Do(*s.Call); err != nil {
			a.live.World().Kernel.Fail(fmt.Errorf("a recorded step cannot be done again: %w", err))
		}
	}
}
