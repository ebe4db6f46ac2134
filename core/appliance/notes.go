package appliance

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/core/vsphere"
)

// mostNotes bounds HDM's own log: the oldest are let go of.
const mostNotes = 1000

// fatalText is the guide's, verbatim (RST-04).
const fatalText = "Fatal Unrecoverable failure detected in HDM component: %s Please reset the HDM system and retry migration operations for the VMs in %s and %s resource pools"

// Log is HDM's own log of events, the newest last.
func (a *Appliance) Log() []Note {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.state.notes)
}

// note writes an event into HDM's log. It is durable with the decision that it is
// about, and posted in vCenter later.
func (p *step) note(kind, format string, args ...any) {
	last := 0
	if n := len(p.notes); n > 0 {
		last = p.notes[n-1].Number
	}
	p.d.Notes = append(p.d.Notes, Note{
		Number: last + len(p.d.Notes) + 1, At: p.now.Wall, Type: kind, Text: migration.Cut(fmt.Sprintf(format, args...)),
	})
	if excess := len(p.notes) + len(p.d.Notes) - mostNotes; excess > len(p.d.Dropped) && len(p.d.Dropped) < len(p.notes) {
		p.d.Dropped = append(p.d.Dropped, p.notes[len(p.d.Dropped)].Number)
	}
}

// noteRecovery notes how a recovery went on.
func (p *step) noteRecovery(before, now recovery.Recovery) {
	p.noteFailures(before, now)
	switch {
	case before.Lost == now.Lost || now.Phase == recovery.Healthy:
	default:
		p.note(EventOutage, "the link to the cloud has been down for %v: the outage is permanent; when it is back the VMs on the cloud cache are brought back as of their last flush", recoveryKnobs(p.knobs).Outage)
	}
	if now.Multiple && !before.Multiple {
		p.note(EventMultipleFailures, "several parts of HDM have failed: %s; an HDM reset may be needed", failed(now))
	}
	if now.Phase == recovery.Repairing && before.Phase != recovery.Repairing {
		p.note(EventRepairStarted, "repair of %s began", failed(now))
	}
	if now.Phase == recovery.Unrecoverable && before.Phase != now.Phase {
		p.note(EventFatal, fatalText, now.Fatal, p.names(now.Affected), migration.MigratePool)
	}
	if now.Offered != "" && now.Offered != before.Offered {
		p.note(EventResetOffered, "an HDM reset can be asked for: %s", now.Offered)
	}
	switch {
	case now.Reset.CloudDead && !before.Reset.CloudDead && before.Phase == recovery.Resetting:
		p.note(EventResetStarted, "the cloud was declared dead: the HDM reset does not wait for it")
	case now.Phase == before.Phase:
	case now.Phase == recovery.Resetting:
		p.note(EventResetStarted, "an HDM reset began")
	case before.Phase == recovery.Resetting:
		p.note(EventResetEnded, "the HDM reset ended: deploy HDM again; migrated VMs are off in %s", migration.MigratePool)
	case now.Phase == recovery.Healthy:
		p.note(EventRecoveryEnded, "HDM is Ready again")
	}
}

// noteFailures notes what has failed, what its cause is, and what is repaired.
func (p *step) noteFailures(before, now recovery.Recovery) {
	old := before.Failures
	if now.Number != before.Number {
		old = nil
	}
	find := func(all []recovery.Failure, f recovery.Failure) *recovery.Failure {
		i := slices.IndexFunc(all, func(g recovery.Failure) bool {
			return g.VM == f.VM && g.Service == f.Service && g.At.Equal(f.At)
		})
		if i < 0 {
			return nil
		}
		return &all[i]
	}
	for _, f := range now.Failures {
		was := find(old, f)
		if was == nil || was.Cause != f.Cause {
			p.noteFailure(f)
		}
		if f.Repaired && (was == nil || !was.Repaired) {
			p.noteRepaired(f)
		}
	}
	for _, f := range old { // what is over with this
		ends := f.Cause == recovery.LinkDown || now.Phase == recovery.Healthy && before.Phase != recovery.Resetting
		if ends && !f.Repaired && find(now.Failures, f) == nil {
			p.noteRepaired(f)
		}
	}
}

func (p *step) noteFailure(f recovery.Failure) {
	because := ""
	if f.Error != "" {
		because = ": " + f.Error
	}
	switch f.Cause {
	case recovery.Unknown:
		p.note(EventComponentFailed, "%s has sent no heartbeat for %v", f.Of(), component.MissedAfter)
	case recovery.LinkDown:
		p.note(EventLinkDown, "nothing of the cloud can be reached: the link to the cloud is down")
	case recovery.Rebooted:
		p.note(EventDockerReboot, "Docker reboot: %s has rebooted%s", f.VM, because)
	case recovery.HostRestarted:
		p.note(EventHostRestarted, "ESXi host %s has restarted%s", f.VM, because)
	case recovery.FilterRestarted:
		p.note(EventHostRestarted, "the iofilter daemon of ESXi host %s has restarted, or is silent%s", f.VM, because)
	case recovery.VMDown:
		p.note(EventComponentFailed, "%s is down%s", f.VM, because)
	case recovery.HostDown:
		p.note(EventComponentFailed, "the ESXi host of %s is down%s", f.VM, because)
	default:
		p.note(EventComponentFailed, "%s %s%s", f.Of(), f.Cause, because)
	}
}

func (p *step) noteRepaired(f recovery.Failure) {
	switch f.Cause {
	case recovery.LinkDown:
		p.note(EventLinkUp, "the cloud answers again")
	case recovery.HostRestarted, recovery.FilterRestarted, recovery.Damaged: // nothing was repaired
	case recovery.Unknown:
		p.note(EventComponentRepaired, "%s is heard again: it had been silent, and nothing is lost", f.Of())
	default:
		p.note(EventComponentRepaired, "%s repaired successfully", f.Of())
	}
}

// noteAffected names what a failure affects.
func (p *step) noteAffected(affected, held []migration.ID) {
	if len(affected) > 0 {
		p.note(EventRepairStarted, "affected: %s", p.names(affected))
	}
	if len(held) > 0 {
		p.note(EventRepairStarted, "waiting for the repair: %s", p.names(held))
	}
}

// names are the VMs of migrations, each once.
func (p *step) names(ids []migration.ID) string {
	var names []string
	for _, id := range ids {
		if m, ok := p.latest(id); ok && !slices.Contains(names, m.Order.VM) {
			names = append(names, m.Order.VM)
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// noteRecovered notes the end of a migration that brought a VM back, when it ends.
func (p *step) noteRecovered(m migration.Migration) {
	ends := slices.ContainsFunc(m.Moved, func(move migration.Move) bool { return move.To.Final() })
	if m.Order.Type != migration.Recover || !ends {
		return
	}
	if m.State != migration.Completed {
		p.note(EventRecovered, "%s could not be brought back: look at %s", m.Order.VM, m.ID)
		return
	}
	flush := "no flush of it had been applied"
	switch {
	case m.Flushed.Number > 0 && m.Flushed.At.IsZero():
		flush = fmt.Sprintf("with the data of its flush %d, which was under way when it failed and is whole", m.Flushed.Number)
	case m.Flushed.Number > 0:
		flush = fmt.Sprintf("with the data of its flush %d, cut at %s", m.Flushed.Number, m.Flushed.At.UTC().Format("2006-01-02 15:04:05"))
	}
	for _, l := range m.Leftovers {
		if l.Does == migration.MoveToRecovery {
			p.note(EventRecovered, "%s is back, and not in %s: %s", m.Order.VM, m.RecoveryPool(), l.What)
			return
		}
	}
	doubt := ""
	if !m.Boots && m.Doubt != "" {
		doubt = "; it may not boot: " + m.Doubt
	}
	p.note(EventRecovered, "%s is back, off, in %s: %s%s", m.Order.VM, m.RecoveryPool(), flush, doubt)
}

// postNotes shows in vCenter what it does not show yet of HDM's log, about the first
// cluster on premises, in order. That it was posted is written down, so that a
// restart goes on from there.
func (r *reporter) postNotes(ctx context.Context, s *vsphere.Session) error {
	a := r.appliance
	notes := a.unposted()
	if len(notes) == 0 {
		return nil
	}
	resources, err := s.Resources(ctx)
	if err != nil || len(resources.Clusters) == 0 {
		return err
	}
	for _, n := range notes {
		if err := s.PostEvent(ctx, resources.Clusters[0].Ref, n.Type, n.Text); err != nil {
			return err
		}
		if _, err := a.deliver(NotePosted{n.Number}, "note posted"); err != nil {
			return err
		}
	}
	return nil
}

// unposted are the notes that vCenter does not show yet.
func (a *Appliance) unposted() []Note {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.state.unposted())
}

func (s *State) unposted() []Note {
	i := slices.IndexFunc(s.notes, func(n Note) bool { return n.Number > s.Posted })
	if i < 0 {
		return nil
	}
	return s.notes[i:]
}

// named adds a failure to what health names: services, and component VMs.
func named(f recovery.Failure, services, vms []string) (s, v []string) {
	add := func(all []string, name string) []string {
		if slices.Contains(all, name) {
			return all
		}
		return append(all, name)
	}
	switch {
	case f.Cause == recovery.LinkDown:
		return add(services, health.Cloud), vms
	case f.Service != "":
		return add(services, string(f.Service)), vms
	case f.Cause == recovery.HostRestarted, f.Cause == recovery.FilterRestarted:
		return add(services, string(component.IOFilter)), vms
	}
	return services, add(vms, f.VM)
}
