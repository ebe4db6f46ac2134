package datapath

import (
	"slices"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/vsphere"
)

// mostJobs bounds the commands that a service remembers.
const mostJobs = 1024

// job is a command and what became of it so far.
type job struct {
	command component.Command
	done    component.Completion
}

// jobs are the commands that a service has taken up in this epoch, by key. The
// oldest that has ended is forgotten first.
type jobs struct {
	epoch uint64
	byKey map[string]*job
	order []*job
}

func newJobs(epoch uint64) jobs { return jobs{epoch: epoch, byKey: map[string]*job{}} }

// take finds the job of a command, or begins one: fresh says which. A command
// that cannot be one ends at once.
func (j *jobs) take(c component.Command) (found *job, fresh bool) {
	if known := j.byKey[c.Key]; known != nil {
		return known, false
	}
	made := &job{command: c, done: component.Completion{Key: c.Key, Epoch: j.epoch, State: component.Running}}
	switch {
	case c.Epoch != 0 && c.Epoch != j.epoch:
		made.fail(vsphere.Retryable, "the service has restarted and knows nothing of this command", "")
		return made, false
	case len(j.order) >= mostJobs && !j.forget():
		made.fail(vsphere.Retryable, "too many commands are under way", "wait until one is done")
		return made, false
	}
	j.byKey[c.Key] = made
	j.order = append(j.order, made)
	return made, true
}

func (j *jobs) forget() bool {
	i := slices.IndexFunc(j.order, func(old *job) bool { return old.done.State != component.Running })
	if i < 0 {
		return false
	}
	delete(j.byKey, j.order[i].command.Key)
	j.order = slices.Delete(j.order, i, i+1)
	return true
}

func (b *job) fail(class vsphere.Class, what, hint string) {
	b.done.State = component.Failed
	b.done.Error = &component.Error{Class: class, What: what, Hint: hint}
}

func (b *job) refuse(what, hint string) { b.fail(vsphere.Refused, what, hint) }

func (b *job) succeed() { b.done.State = component.Done }
