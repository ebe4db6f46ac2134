package appliance

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
)

// How the reporter works.
const (
	reportEvery = 10 * time.Second
	// reportTries bounds how often vCenter is asked to show a migration's end.
	reportTries = 100
)

// ExtensionVersion is what vCenter shows as HDM's version.
const ExtensionVersion = "1.0.0"

// The types of the events that HDM posts in the on-premises vCenter.
const (
	EventStarted = "com.hdm.migration.started"
	EventRetried = "com.hdm.migration.retried"
	EventEnded   = "com.hdm.migration.ended"

	// Of the component VMs, about the first cluster on premises: each attempt to make
	// or to remove them begins, and ends or fails.
	EventDeploymentStarted = "com.hdm.deployment.started"
	EventDeploymentEnded   = "com.hdm.deployment.ended"
	EventDeploymentFailed  = "com.hdm.deployment.failed"
)

// reporter shows in the on-premises vCenter what the migrations do: a task on
// each VM, with progress, and events (MIG-07). It follows behind: nothing waits
// for it, and what it could not say is said at the next round. It also hears
// whether someone cancelled a task.
type reporter struct {
	appliance *Appliance
	busy      bool // a round is under way or due; guarded by the appliance's mu
	shown     map[migration.ID]shown
}

// shown is what a migration's task in vCenter says already.
type shown struct {
	task    vsphere.Ref // "": not looked for yet
	text    string
	percent int32
	tries   int // rounds that failed to show its end
}

func newReporter(a *Appliance) *reporter {
	return &reporter{appliance: a, shown: map[migration.ID]shown{}}
}

// wake starts rounds if there is something to show. The appliance's mu is held.
func (r *reporter) wake() {
	if r.busy || len(r.due()) == 0 && len(r.appliance.state.unposted()) == 0 {
		return
	}
	r.busy = true
	r.appliance.Runtime.Go(r.appliance.ctx, "reporter", r.rounds)
}

// due are the migrations whose task does not say the last word yet. The
// appliance's mu is held.
func (r *reporter) due() []Status {
	a := r.appliance
	var due []Status
	for _, list := range [][]migration.Migration{a.state.live, a.state.ended} {
		for i := range list {
			if m := &list[i]; m.Plan.Source != "" && !m.Reported && m.State != migration.Queued {
				due = append(due, Status{*m, a.progress[m.ID]})
			}
		}
	}
	return due
}

// rounds goes on until nothing is due. It keeps one session while all goes
// well.
func (r *reporter) rounds(ctx context.Context) {
	a := r.appliance
	var s *vsphere.Session
	for {
		a.mu.Lock()
		due := r.due()
		r.busy = len(due) > 0 || len(a.state.unposted()) > 0
		busy := r.busy
		a.mu.Unlock()
		if !busy {
			break
		}
		s = r.round(ctx, s, due)
		if a.Runtime.Sleep(ctx, reportEvery) != nil {
			break
		}
	}
	if s != nil {
		s.Close(ctx)
	}
}

// round shows what is due, and returns the session for the next round; nil if
// it is of no more use. What goes wrong is tried again in the next round.
func (r *reporter) round(ctx context.Context, s *vsphere.Session, due []Status) *vsphere.Session {
	if s == nil {
		var err error
		if s, err = r.appliance.open(ctx, vsphere.OnPremises); err != nil {
			return nil
		}
		if err := s.RegisterExtension(ctx, ExtensionVersion); err != nil {
			s.Close(ctx)
			return nil
		}
	}
	var failed error
	for _, m := range due {
		if err := r.show(ctx, s, m); err != nil {
			failed = err
			if m.State.Final() {
				r.giveUp(m)
			}
		}
	}
	if err := r.postNotes(ctx, s); err != nil {
		failed = err
	}
	if failed == nil {
		failed = r.hearCancels(ctx, s, due)
	}
	if failed != nil {
		s.Close(ctx)
		return nil
	}
	return s
}

// hearCancels stops the migrations whose tasks somebody cancelled.
func (r *reporter) hearCancels(ctx context.Context, s *vsphere.Session, due []Status) error {
	var tasks []vsphere.Ref
	for _, m := range due {
		if now := r.shown[m.ID]; now.task != "" && !m.State.Final() && !m.Asked {
			tasks = append(tasks, now.task)
		}
	}
	if len(tasks) == 0 {
		return nil
	}
	cancelled, err := s.CancelledTasks(ctx, tasks)
	if err != nil {
		return err
	}
	for _, m := range due {
		if slices.Contains(cancelled, r.shown[m.ID].task) && !m.Asked {
			// Of this migration: its VM may have another one by now. An error is the
			// journal's, and the reporter ends then.
			_, _ = r.appliance.deliver(Heard{m.ID, migration.CancelAsked{}}, string(m.ID)+" cancelled in vCenter")
		}
	}
	return nil
}

// giveUp counts the rounds that could not show a migration's end, and calls it
// shown after too many: the VM may be gone.
func (r *reporter) giveUp(m Status) {
	now := r.shown[m.ID]
	now.task, now.tries = "", now.tries+1
	r.shown[m.ID] = now
	if now.tries >= reportTries {
		r.end(m)
	}
}

// end writes down that vCenter shows the end. An error is the journal's.
func (r *reporter) end(m Status) {
	delete(r.shown, m.ID)
	_, _ = r.appliance.deliver(Heard{m.ID, migration.EndReported{}}, string(m.ID)+" reported")
}

func (r *reporter) show(ctx context.Context, s *vsphere.Session, m Status) error {
	now := r.shown[m.ID]
	if now.task == "" {
		task, err := s.EnsureTask(ctx, m.Plan.Source, r.appliance.mark(m.ID), taskOf(m), describe(m))
		if err == nil && !m.State.Final() {
			err = task.Running(ctx)
		}
		if err != nil {
			return err
		}
		now.task = task.Ref
		r.shown[m.ID] = now
	}
	if err := r.log(ctx, s, m); err != nil {
		return err
	}
	task := s.Task(now.task)
	if m.State.Final() {
		return r.showEnd(ctx, s, m, task)
	}
	return r.showProgress(ctx, m, now, task)
}

// log posts what vCenter's log does not tell yet: the begin, and retries. That
// it was posted is written down, so that a restart does not repeat it.
func (r *reporter) log(ctx context.Context, s *vsphere.Session, m Status) error {
	var err error
	if !m.Told.Began {
		err = r.post(ctx, s, m, EventStarted, "%s: %s began", m.Plan.Name, describe(m))
	}
	for n := m.Told.Retries + 1; n <= m.Retries && err == nil; n++ {
		err = r.post(ctx, s, m, EventRetried, "%s: migration %s: retry %d; now %s", m.Plan.Name, m.ID, n, cmp.Or(m.Shows(), string(m.State)))
	}
	if err != nil || m.Told.Began && m.Told.Retries == m.Retries {
		return err
	}
	_, err = r.appliance.deliver(Heard{m.ID, migration.Shown{Retries: m.Retries}}, string(m.ID)+" told")
	return err
}

// showProgress never goes back: a bulk transfer that begins anew stands still
// until it is further than before.
func (r *reporter) showProgress(ctx context.Context, m Status, now shown, task vsphere.TaskHandle) error {
	if text := m.Shows(); text != now.text {
		if err := task.Describe(ctx, text); err != nil {
			return err
		}
		now.text = text
	}
	if p := m.Percent(); p > now.percent {
		if err := task.Progress(ctx, p); err != nil {
			return err
		}
		now.percent = p
	}
	r.shown[m.ID] = now
	return nil
}

func (r *reporter) showEnd(ctx context.Context, s *vsphere.Session, m Status, task vsphere.TaskHandle) error {
	var err error
	switch m.State {
	case migration.Completed:
		err = task.Succeed(ctx)
	case migration.Cancelled:
		err = task.Cancel(ctx)
	default:
		err = task.Fail(ctx, why(m))
	}
	if err == nil {
		err = r.post(ctx, s, m, EventEnded, "%s: migration %s %s%s", m.Plan.Name, m.ID, m.State, because(m))
	}
	if err == nil {
		r.end(m)
	}
	return err
}

func (r *reporter) post(ctx context.Context, s *vsphere.Session, m Status, kind, format string, args ...any) error {
	return s.PostEvent(ctx, m.Plan.Source, kind, fmt.Sprintf(format, args...))
}

func taskOf(m Status) string {
	if m.Of != "" {
		return vsphere.TaskMigrateBack
	}
	return vsphere.TaskMigrate
}

func describe(m Status) string {
	if m.Order.Type == migration.Back {
		return "HDM migrate back " + string(m.ID)
	}
	if m.Order.Type == migration.Recover {
		return "HDM recovery " + string(m.ID)
	}
	return "HDM " + string(m.Order.Type) + " migration " + string(m.ID)
}

func because(m Status) string {
	if w := why(m); w != "" {
		return ": " + w
	}
	return ""
}

func why(m Status) string {
	var all []string
	for _, r := range m.Reasons {
		all = append(all, r.What)
	}
	for _, l := range m.Leftovers {
		all = append(all, l.String())
	}
	return strings.Join(all, "; ")
}
