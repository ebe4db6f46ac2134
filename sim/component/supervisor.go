package component

import (
	"fmt"
	"time"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/vsphere"
)

// startTime is what a supervisor takes to start a service.
const startTime = 2 * time.Second

// mostStarts bounds the commands that a supervisor remembers; the oldest that
// is over is forgotten first.
const mostStarts = 64

// supervisor is what starts the services of a component VM, and says which run.
// It lives as long as the VM is up, whatever its services do.
type supervisor struct {
	starts []*component.Completion // by order of their commands
}

// supervise takes a command to the supervisor up, or tells what became of it.
func (n *node) supervise(cmd component.Command) component.Completion {
	done := component.Completion{Key: cmd.Key, Epoch: n.boot, State: component.Done}
	switch {
	case cmd.Epoch != 0 && cmd.Epoch != n.boot:
		return failed(done, vsphere.Retryable, "the component VM has rebooted and knows nothing of this command", "")
	case cmd.Verb == component.Ping:
		done.Alive = n.alive()
		return done
	case cmd.Verb == component.Start:
		return n.startFor(cmd, done)
	}
	return failed(done, vsphere.Refused, fmt.Sprintf("a supervisor does not know how to %s", cmd.Verb), "")
}

func failed(done component.Completion, class vsphere.Class, what, hint string) component.Completion {
	done.State, done.Error = component.Failed, &component.Error{Class: class, What: what, Hint: hint}
	return done
}

// alive says which services run. One that hangs runs.
func (n *node) alive() *component.Alive {
	a := &component.Alive{Boot: n.boot, Services: []component.Beat{}}
	for _, s := range n.services {
		if s.state == down {
			a.Down = append(a.Down, component.Down{Name: s.name, Why: s.why})
		} else {
			a.Services = append(a.Services, component.Beat{Name: s.name, Epoch: s.epoch})
		}
	}
	return a
}

// startFor begins to start a service, whether it runs or not.
func (n *node) startFor(cmd component.Command, done component.Completion) component.Completion {
	for _, known := range n.super.starts {
		if known.Key == cmd.Key {
			return *known
		}
	}
	svc := n.service(cmd.Target)
	if svc == nil {
		return failed(done, vsphere.Refused, fmt.Sprintf("%s has no service %q", n.name, cmd.Target), "")
	}
	if !n.super.forget() {
		return failed(done, vsphere.Retryable, "too many services are being started", "wait until one is")
	}
	done.State = component.Running
	kept := &done
	n.super.starts = append(n.super.starts, kept)
	if svc.state != down {
		n.end(svc, byCrash, "it is being started anew")
		n.host.refresh()
	}
	n.host.cfg.Kernel.After(startTime, func() {
		if !n.up {
			return
		}
		if svc.state == running { // another command was faster
			kept.State, kept.Alive = component.Done, n.alive()
			return
		}
		if n.begin(svc, byRepair); svc.state == down {
			*kept = failed(*kept, vsphere.Retryable, svc.why, "see to the disks of "+n.name)
			return
		}
		kept.State, kept.Alive = component.Done, n.alive()
	})
	return done
}

// forget makes room for another command; false: all are under way.
func (s *supervisor) forget() bool {
	if len(s.starts) < mostStarts {
		return true
	}
	for i, c := range s.starts {
		if c.State != component.Running {
			s.starts = append(s.starts[:i:i], s.starts[i+1:]...)
			return true
		}
	}
	return false
}
