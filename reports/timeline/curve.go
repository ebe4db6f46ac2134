package timeline

import (
	"slices"
	"time"
)

// Point is a value that holds from At on.
type Point struct {
	At    time.Duration
	Value float64
}

// Curve is a value that changes in steps. However often it does, it keeps at most
// MostPoints: of each stretch of time the highest and the last.
type Curve struct {
	Points []Point
	grain  time.Duration
}

// Top is the highest value.
func (c *Curve) Top() float64 {
	top := 0.0
	for _, p := range c.Points {
		top = max(top, p.Value)
	}
	return top
}

func (c *Curve) set(at time.Duration, value float64) {
	if n := len(c.Points); n > 0 && c.Points[n-1].At == at {
		c.Points[n-1].Value = value
		return
	} else if n > 0 && c.Points[n-1].Value == value {
		return
	}
	c.Points = append(c.Points, Point{at, value})
	for len(c.Points) > MostPoints {
		c.grain = max(2*c.grain, time.Millisecond)
		c.thin()
	}
}

func (c *Curve) thin() {
	kept := c.Points[:0]
	for i := 0; i < len(c.Points); {
		stretch, top, last := c.Points[i].At/c.grain, c.Points[i], c.Points[i]
		for ; i < len(c.Points) && c.Points[i].At/c.grain == stretch; i++ {
			last = c.Points[i]
			if last.Value > top.Value {
				top = last
			}
		}
		kept = append(kept, top)
		if last != top {
			kept = append(kept, last)
		}
	}
	c.Points = kept
}

// flow is bytes that were carried over stretches of time.
type flow struct {
	from, to time.Duration
	bytes    float64
}

// rate is how many bytes a second were carried by all together. What takes no
// time has no rate.
func rate(flows []flow) Curve {
	type change struct {
		at time.Duration
		by float64
	}
	var changes []change
	for _, f := range flows {
		if f.to > f.from {
			r := f.bytes / (f.to - f.from).Seconds()
			changes = append(changes, change{f.from, r}, change{f.to, -r})
		}
	}
	slices.SortStableFunc(changes, func(a, b change) int { return int(max(min(a.at-b.at, 1), -1)) })
	var c Curve
	now, under := 0.0, 0
	for _, ch := range changes {
		now += ch.by
		if under++; ch.by < 0 {
			under -= 2
		}
		if under == 0 {
			now = 0 // what rounding left
		}
		c.set(ch.at, now)
	}
	return c
}
