package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"
)

// progress tells on stderr how far runs are: on a screen as a bar with the runs
// under way below it, elsewhere as a plain line now and then. It is drawn by hand:
// a few lines that go away again do not need a library that takes over keyboard
// and screen, and results must be able to pass on stdout meanwhile.
type progress struct {
	w      io.Writer
	of     int // runs in all; 0: not known
	screen bool
	width  func() int // of the screen, now
	now    func() time.Time
	began  time.Time

	mu      sync.Mutex
	done    int
	failed  int
	virtual time.Duration // of runs that ended
	running []*clock      // as they began
	drawn   []int         // the widths of the lines on the screen

	once    sync.Once
	stop    chan struct{} // closed: draw no more
	stopped chan struct{} // closed: nobody draws any more
}

// clock is the virtual time of a run under way. Its run moves it.
type clock struct {
	name string
	at   atomic.Int64
}

const (
	redraw    = 100 * time.Millisecond
	plainTick = 10 * time.Second
	mostLines = 4 // runs under way that are named
	barWidth  = 24
)

// newProgress begins to tell.
func newProgress(t *terminal, of int) *progress {
	p := &progress{w: t.err, of: of, screen: t.live, width: t.width, now: time.Now, stop: make(chan struct{}), stopped: make(chan struct{})}
	p.began = p.now()
	every := plainTick
	if p.screen {
		every = redraw
	}
	go func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		p.run(ticker.C)
	}()
	return p
}

// run draws at every tick, until it is stopped.
func (p *progress) run(ticks <-chan time.Time) {
	defer close(p.stopped)
	for {
		select {
		case <-p.stop:
			return
		case <-ticks:
			p.mu.Lock()
			p.draw()
			p.mu.Unlock()
		}
	}
}

// begin hears of a run that begins, and returns its clock.
func (p *progress) begin(name string) *clock {
	c := &clock{name: name}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = append(p.running, c)
	return c
}

// end hears of a run that ended: that of the clock, or one that nobody said had
// begun (nil). What is printed by print has the screen for itself.
func (p *progress) end(c *clock, failed bool, virtual time.Duration, print func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	if failed {
		p.failed++
	}
	p.virtual += virtual
	if i := slices.Index(p.running, c); i >= 0 {
		p.running = slices.Delete(p.running, i, i+1)
	}
	p.erase()
	print()
}

// close takes the bar away. It may be called twice.
func (p *progress) close() {
	p.once.Do(func() { close(p.stop) })
	<-p.stopped
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}

func (p *progress) draw() {
	if !p.screen {
		fmt.Fprintf(p.w, "%s\n", p.summary())
		return
	}
	width := p.width() - 1 // the last column would break the line
	lines := []string{p.bar(width)}
	for i, c := range p.running {
		if i == mostLines {
			lines = append(lines, fmt.Sprintf("  and %d more", len(p.running)-i))
			break
		}
		lines = append(lines, fmt.Sprintf("  %-40s %9s", c.name, virtualTime(time.Duration(c.at.Load()))))
	}
	var b strings.Builder
	p.back(&b)
	for _, line := range lines {
		r := []rune(line)
		r = r[:min(len(r), max(width, 1))]
		b.WriteString(string(r) + "\n")
		p.drawn = append(p.drawn, len(r))
	}
	fmt.Fprint(p.w, b.String())
}

// back takes the cursor to where the bar began, and clears from there. A screen
// that has become narrower since has broken its lines.
func (p *progress) back(b *strings.Builder) {
	if len(p.drawn) == 0 {
		return
	}
	rows := 0
	width := max(p.width(), 1)
	for _, n := range p.drawn {
		rows += max((n+width-1)/width, 1)
	}
	fmt.Fprintf(b, "\r\x1b[%dA\x1b[J", rows)
	p.drawn = p.drawn[:0]
}

func (p *progress) erase() {
	var b strings.Builder
	p.back(&b)
	if b.Len() > 0 {
		fmt.Fprint(p.w, b.String())
	}
}

// bar is the first line: as much of it as there is room for.
func (p *progress) bar(width int) string {
	text := p.summary()
	if p.of == 0 || width < barWidth+len(text)+3 {
		return text
	}
	full := barWidth * p.done / p.of
	return strings.Repeat("█", full) + strings.Repeat("░", barWidth-full) + "  " + text
}

func (p *progress) summary() string {
	of := ""
	if p.of > 0 {
		of = fmt.Sprintf(" of %d", p.of)
	}
	virtual := p.virtual
	for _, c := range p.running {
		virtual += time.Duration(c.at.Load())
	}
	text := fmt.Sprintf("%d%s run, %d failed", p.done, of, p.failed)
	if wall := p.now().Sub(p.began); virtual > 0 && wall > 0 {
		text += fmt.Sprintf("; %s of virtual time, x%.0f", virtualTime(virtual), virtual.Seconds()/wall.Seconds())
	}
	return text
}

// virtualTime prints a length of time in full units: "14m07s", "129h23m".
func virtualTime(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

// narrow is the width of a screen that does not say how wide it is.
const narrow = 80

// isScreen says whether a bar can be drawn there, and widthOf how wide it is now.
// NO_COLOR and TERM=dumb ask for plain lines.
func isScreen(w io.Writer) bool {
	f, is := w.(*os.File)
	return is && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

func widthOf(w io.Writer) int {
	if f, is := w.(*os.File); is {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return narrow
}
