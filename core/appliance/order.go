package appliance

import (
	"cmp"
	"slices"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
)

func (p *step) order(o migration.Order, unready []migration.Reason) {
	if id, ok := p.byName[o.Request]; ok && o.Request != "" {
		p.d.Answer = p.repeated(id, o)
		return
	}
	if why := migration.TooLarge(o); len(why) > 0 {
		p.d.Answer = Answer{Outcome: Rejected, Reasons: why} // and leaves no record
		return
	}
	if p.recovery.Phase != recovery.Healthy && len(unready) == 0 {
		unready = p.unready()
	}
	first := p.one(o, unready, "")
	if p.d.Answer.Outcome != Accepted {
		return
	}
	for _, vm := range p.settings.with(o) {
		other := o
		other.VM, other.Request = vm, ""
		if !p.comesAlong(other) {
			continue
		}
		answer := p.d.Answer
		p.one(other, unready, first)
		p.d.Answer = answer // the order's is that of the VM which it names
	}
}

// comesAlong says whether a VM that depends on another one is where that one
// starts from.
func (p *step) comesAlong(o migration.Order) bool {
	_, bound := p.boundOf(o.VM)
	busy := slices.ContainsFunc(p.fleet(), func(m migration.Migration) bool { return m.Order.VM == o.VM })
	return !busy && bound == (o.Type == migration.Back)
}

// one gives an order to one VM, and returns its migration.
func (p *step) one(o migration.Order, why []migration.Reason, group migration.ID) migration.ID {
	p.d.Orders++
	if len(why) == 0 {
		why = p.knobs.Admit(o, p.fleet())
	}
	m := migration.New(p.d.Orders, o, p.now.Wall)
	of, bound := p.boundOf(o.VM)
	switch {
	case o.Type == migration.Back && !bound:
		why = append(why, migration.NotBound(o.VM))
	case o.Type == migration.Back:
		m = migration.NewBack(p.d.Orders, o, p.now.Wall, of)
	case bound:
		why = append(why, migration.BoundAlready(o.VM, of.ID))
	}
	if len(why) > 0 {
		m = migration.RefusedAtOnce(p.d.Orders, o, p.now.Wall, why)
		p.create(m)
		p.d.Answer = Answer{Outcome: Rejected, Migration: m.ID, Reasons: why}
		return m.ID
	}
	m.Group = cmp.Or(group, m.ID)
	p.create(m)
	p.d.Answer = Answer{Outcome: Accepted, Migration: m.ID}
	return m.ID
}

// boundOf is the migration, over by now, whose VM of that name is on the cloud
// cache.
func (p *step) boundOf(vm string) (migration.Migration, bool) {
	for _, m := range p.ended {
		if c, ok := p.changed[m.ID]; ok {
			m = c
		}
		if m.Bound && m.Of == "" && m.Order.VM == vm {
			return m, true
		}
	}
	return migration.Migration{}, false
}

// bound counts the VMs of migrations that are over which are on the cloud cache.
func (p *step) bound() (n int) {
	for _, m := range slices.Concat(p.ended, p.live) {
		if c, ok := p.changed[m.ID]; ok {
			m = c
		}
		if m.State.Final() && m.Bound && m.Of == "" {
			n++
		}
	}
	return n
}

// repeated answers an order whose request was heard before: the same order is a
// duplicate, another one under its name a mistake.
func (p *step) repeated(id migration.ID, o migration.Order) Answer {
	m, _ := p.Migration(id)
	if !o.Equal(m.Order) {
		return Answer{Outcome: Rejected, Migration: id, Reasons: []migration.Reason{{
			Code: migration.CodeRequest, What: "request " + o.Request + " was another order: " + string(id) + " of " + m.Order.VM, Fix: "give the order a name of its own",
		}}}
	}
	return Answer{Outcome: Duplicate, Migration: id, Reasons: m.Reasons}
}

func (p *step) create(m migration.Migration) {
	p.created = append(p.created, m)
	p.change(m)
}

func (p *step) cancel(vm string) {
	fleet := p.fleet()
	i := slices.IndexFunc(fleet, func(m migration.Migration) bool { return m.Order.VM == vm })
	if i < 0 {
		p.d.Answer = notMigrating(vm)
		return
	}
	p.hear(fleet[i], migration.CancelAsked{})
	p.d.Answer = Answer{Outcome: Accepted, Migration: fleet[i].ID}
	switch m := fleet[i]; {
	case p.d.Ignored == "":
	case m.Asked || m.State == migration.Undoing:
		p.d.Answer = Answer{Outcome: Duplicate, Migration: m.ID}
	default:
		p.d.Answer = Answer{Outcome: Rejected, Migration: m.ID, Reasons: []migration.Reason{{Code: migration.CodeTooLate, What: string(m.ID) + ": " + p.d.Ignored, Fix: "let it end, and migrate the VM back if it can be"}}}
	}
}

// word says a word to a VM's migration.
func (p *step) word(ev WordGiven) {
	fleet := p.fleet()
	i := slices.IndexFunc(fleet, func(m migration.Migration) bool { return m.Order.VM == ev.VM })
	if i < 0 {
		p.d.Answer = notMigrating(ev.VM)
		return
	}
	m := fleet[i]
	p.d.Answer = Answer{Outcome: Accepted, Migration: m.ID}
	p.hear(m, migration.Said{Word: ev.Word, Image: ev.Image})
	if p.d.Ignored == "" {
		return
	}
	p.d.Answer.Outcome = Rejected
	p.d.Answer.Reasons = []migration.Reason{migration.OutOfOrder(m, ev.Word)}
}

func notMigrating(vm string) Answer {
	return Answer{Outcome: Rejected, Reasons: []migration.Reason{{Code: "not-migrating", What: "no migration of " + vm + " is under way", Fix: "look at the list of migrations"}}}
}
