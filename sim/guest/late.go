package guest

import (
	"fmt"
	"time"
)

// ToolsLate is a guest whose VMware Tools come up late, or never: it works, and
// nobody can tell. Every power-on, reboot and reset counts as a boot. The zero
// value is a guest whose tools come up with it.
type ToolsLate struct {
	Site  string        // only boots there count, and only there the tools are late; "": anywhere
	Boots int           // so many boots have no tools; they come up at the next one
	Never bool          // no boot has
	By    time.Duration // each boot takes so much longer
}

func (l ToolsLate) validate() error {
	if l.Boots < 0 || l.By < 0 {
		return fmt.Errorf("tools that are late by %d boots and %v: neither can be negative", l.Boots, l.By)
	}
	return nil
}

// lateness is what one boot has of it.
type lateness struct {
	tools bool // they come up
	by    time.Duration
}

// late counts a boot at that site and says how it goes.
func (g *Guest) late(site string) lateness {
	l := g.spec.Late
	if l.Site != "" && l.Site != site {
		return lateness{tools: true}
	}
	g.boots++
	late := lateness{tools: !l.Never && g.boots > l.Boots, by: l.By}
	if !late.tools && g.missed != nil {
		g.missed(g.boots)
	}
	return late
}

// Late makes the tools of a guest late from now on, however they were: the boots
// that count are those from now, one that is under way included. missed hears of
// each that has no tools, by its number from 1; nil: nobody does. It refuses a
// guest that there is none of, and what cannot be.
func (g *Guests) Late(name string, l ToolsLate, missed func(boot int)) error {
	guest := g.byName[name]
	if guest == nil {
		return fmt.Errorf("there is no guest %s", name)
	}
	if err := l.validate(); err != nil {
		return fmt.Errorf("guest %s: %w", name, err)
	}
	guest.spec.Late, guest.boots, guest.missed = l, 0, missed
	for _, r := range guest.live {
		if r.Booting() {
			r.tools = !guest.spec.NoTools && guest.late(r.site).tools
		}
	}
	return nil
}
