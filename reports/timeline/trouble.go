package timeline

import (
	"strings"

	"github.com/hdm-project/hdm/reports/record"
)

// phases are what a recovery is drawn as, by its phase.
var phases = map[string]Kind{
	"probing": Probing, "repairing": Repairing, "returning": Returning, "unrecoverable": Unrecoverable, "resetting": Resetting,
}

// notes are what HDM's own log is drawn as, by the type of the event; of the
// others nothing is.
var notes = map[string]Kind{
	"com.hdm.component.failed": Detected, "com.hdm.component.reboot": Detected, "com.hdm.host.restarted": Detected,
	"com.hdm.link.down": Detected, "com.hdm.link.outage": Detected, "com.hdm.failure.multiple": Detected,
	"com.hdm.component.repaired": Repaired, "com.hdm.link.up": Repaired,
	"com.hdm.vm.recovered": Recovered, "com.hdm.recovery.ended": Recovered, "com.hdm.reset.ended": Recovered,
	"com.hdm.failure.unrecoverable": Failed,
}

// recovery follows what HDM does about failures: a span for each phase.
func (b *Builder) recovery(e *record.Event) {
	phase := e.Attr("phase")
	kind, is := phases[phase]
	if !is {
		b.end("recovery", e.At)
		return
	}
	what := join(phase, e.Attr("reset"), e.Attr("failed"))
	if vms := e.Attr("affected"); vms != "" {
		what += ", affected: " + vms
	}
	if o := b.open["recovery"]; o != nil && o.span.Kind == kind {
		o.span.Text = text(what) // what has failed grows while it is repaired
		return
	}
	b.begin("recovery", &b.line.Recovery, e, kind, what)
}

// note marks what HDM noticed, repaired and brought back.
func (b *Builder) note(e *record.Event) {
	if kind, is := notes[e.Attr("type")]; is {
		b.line.Recovery.mark(Mark{e.At, kind, text(e.Attr("text")), e.Seq})
	}
}

// part follows hosts, component VMs and the services in them while they are down:
// a lane for each that ever was.
func (b *Builder) part(e *record.Event) {
	name := e.Subject
	of := key("part", name, e.Attr("service"))
	switch e.Kind {
	case hostUp, componentUp:
		b.end(key("part", name, ""), e.At)
	case serviceUp:
		b.end(of, e.At)
	case hostDown, componentDown:
		b.begin(of, b.partOf(name), e, Down, join("down", e.Attr("how")))
	case serviceDown:
		b.begin(of, b.partOf(name), e, Down, e.Attr("service")+": "+e.Attr("how"))
	}
}

func (b *Builder) partOf(name string) *Lane {
	name = text(strings.TrimPrefix(name, "on-premises/"))
	for i := range b.line.Parts {
		if b.line.Parts[i].Name == name {
			return &b.line.Parts[i]
		}
	}
	if len(b.line.Parts) == MostParts {
		b.line.MoreParts = true
		return nil
	}
	if b.line.Parts == nil { // lanes are pointed at: they must not move
		b.line.Parts = make([]Lane, 0, MostParts)
	}
	b.line.Parts = append(b.line.Parts, Lane{Name: name})
	return &b.line.Parts[len(b.line.Parts)-1]
}
