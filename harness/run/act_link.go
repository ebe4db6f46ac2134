package run

import (
	"time"

	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/sim/wan"
)

// armLink makes a fault of the WAN act, and says whether it is one.
func (st *stage) armLink(i int, f *faults.Fault) bool {
	a := &st.acting
	switch k := f.Kind().(type) {
	case *faults.WANDown:
		st.linkDown(i, st.world.WAN, a.outage, k.Directions(), k.Lasts())
	case *faults.InternetDown:
		st.linkDown(i, st.world.Internet, a.internet, k.Directions(), k.Lasts())
	case *faults.WANSlow:
		a.slow[i] = k
		st.degrade()
		st.lasts(i, k.Lasts(), func() { delete(a.slow, i); st.degrade() })
	case *faults.WANLossy:
		a.lossy[i] = k
		st.degrade()
		st.lasts(i, k.Lasts(), func() { delete(a.lossy, i); st.degrade() })
	case *faults.WANFlapping:
		st.flap(i, k)
	default:
		return false
	}
	return true
}

// linkDown cuts directions of a link for a while; where several outages overlap,
// the last one to end brings the direction back. down counts them.
func (st *stage) linkDown(i int, link *wan.Link, down map[wan.Direction]int, directions faults.Direction, lasts faults.Span) {
	up := takeDown(link, down, directions)
	st.lasts(i, lasts, up)
}

// takeDown cuts directions of a link until the function that it returns is
// called.
func takeDown(link *wan.Link, down map[wan.Direction]int, directions faults.Direction) (up func()) {
	var dirs []wan.Direction
	if directions != faults.ToPremises {
		dirs = append(dirs, wan.ToCloud)
	}
	if directions != faults.ToCloud {
		dirs = append(dirs, wan.ToPremises)
	}
	for _, d := range dirs {
		if down[d]++; down[d] == 1 {
			link.SetDown(d, true)
		}
	}
	return func() {
		for _, d := range dirs {
			if down[d]--; down[d] == 0 {
				link.SetDown(d, false)
			}
		}
	}
}

// degrade makes the WAN as slow and as lossy as all faults together make it.
func (st *stage) degrade() {
	a, link := &st.acting, st.world.WAN
	if a.plain == nil {
		a.plain = map[wan.Direction]wan.Quality{}
		for _, d := range []wan.Direction{wan.ToCloud, wan.ToPremises} {
			a.plain[d] = link.Quality(d)
		}
	}
	for d, q := range a.plain { //hdm:order-safe each for itself
		for _, s := range a.slow { //hdm:order-safe they add up
			if s.Percent > 0 {
				q.Bandwidth = max(q.Bandwidth*int64(s.Percent)/100, 1)
			}
			q.Latency = min(q.Latency+timeOf(s.Latency), wan.MaxLatency)
		}
		for _, l := range a.lossy { //hdm:order-safe they add up
			q.Loss = min(1-(1-q.Loss)*(1-l.Loss), wan.MaxLoss)
		}
		if err := link.Configure(d, q); err != nil {
			panic("run: a fault makes an impossible link: " + err.Error()) // faults are checked
		}
	}
}

// flap takes the WAN down and up in turn.
func (st *stage) flap(i int, k *faults.WANFlapping) {
	over := false
	var up func() // nil: it is up
	var turn func()
	turn = func() {
		switch {
		case over:
		case up == nil:
			up = takeDown(st.world.WAN, st.acting.outage, faults.Both)
			st.kernel.After(timeOf(k.Down), turn)
		default:
			up()
			up = nil
			st.kernel.After(timeOf(k.Up), turn)
		}
	}
	st.lasts(i, k.Lasts(), func() {
		if over = true; up != nil {
			up()
		}
	})
	turn()
}

func timeOf(d faults.Duration) time.Duration { return time.Duration(d) }
