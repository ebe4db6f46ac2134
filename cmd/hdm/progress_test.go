package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hdm-project/hdm/reports/record"
)

// screen is what a person sees of a terminal of some width: enough of one for
// what progress writes.
type screen struct {
	width int
	lines []string
}

func (s *screen) Write(p []byte) (int, error) {
	text := string(p)
	for text != "" {
		var up int
		if n, _ := fmt.Sscanf(text, "\r\x1b[%dA\x1b[J", &up); n == 1 {
			s.lines = s.lines[:max(len(s.lines)-up, 0)]
			_, text, _ = strings.Cut(text, "\x1b[J")
			continue
		}
		line, rest, _ := strings.Cut(text, "\n")
		for r := []rune(line); ; r = r[s.width:] { // long lines are broken
			if len(r) <= s.width {
				s.lines = append(s.lines, string(r))
				break
			}
			s.lines = append(s.lines, string(r[:s.width]))
		}
		text = rest
	}
	return len(p), nil
}

// reflow makes the screen narrower, as terminals do.
func (s *screen) reflow(width int) {
	old := s.lines
	s.width, s.lines = width, nil
	for _, line := range old {
		fmt.Fprintln(s, line)
	}
}

func on(s *screen) *terminal {
	return &terminal{out: &output{to: s}, err: s, live: true, width: func() int { return s.width }}
}

// look looks at a screen, or changes it, while nothing is drawn on it.
func look(p *progress, at func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at()
}

func TestABarShowsHowFarRunsAreAndIsTakenAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screen{width: 100}
		show := newShow(on(s), "text", []string{"a", "b"}, false, false)
		a, b := show.progress.begin("a"), show.progress.begin("b")
		b.at.Store(int64(90 * time.Second))
		time.Sleep(redraw + time.Millisecond)
		look(show.progress, func() {
			assert.Len(t, s.lines, 3)
			assert.Regexp(t, `^░+  0 of 2 run, 0 failed; 1m30s of virtual time, x\d+$`, s.lines[0])
			assert.Regexp(t, `^  b +1m30s$`, s.lines[2])
		})
		show.ended(&record.Run{Scenario: "b", Verdict: record.Failed}, b)
		look(show.progress, func() { assert.Empty(t, s.lines, "the first comes first") })
		time.Sleep(redraw)
		look(show.progress, func() {
			assert.Regexp(t, `^█+░+  1 of 2 run, 1 failed`, s.lines[0])
			assert.Len(t, s.lines, 2, "what has ended is no longer under way")
		})
		show.ended(&record.Run{Scenario: "a", Verdict: record.Passed}, a)
		show.close()
		assert.Len(t, s.lines, 2)
		assert.Regexp(t, `^passed  a `, s.lines[0])
		assert.Regexp(t, `^FAILED  b `, s.lines[1])
	})
}

func TestABarSurvivesAScreenThatBecomesNarrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screen{width: 120}
		show := newShow(on(s), "json", make([]string, 60), false, false)
		for n := range 12 {
			show.progress.begin(fmt.Sprintf("a-scenario-with-quite-a-long-name-%d", n)).at.Store(int64(time.Hour))
		}
		time.Sleep(redraw + time.Millisecond)
		look(show.progress, func() {
			assert.Len(t, s.lines, 1+mostLines+1, "runs beyond the limit are counted")
			assert.Equal(t, "  and 8 more", s.lines[len(s.lines)-1])
		})
		for _, width := range []int{30, 7, 2, 1, 120} {
			look(show.progress, func() { s.reflow(width) })
			time.Sleep(redraw)
			look(show.progress, func() {
				assert.Len(t, s.lines, 1+mostLines+1, "at %d columns nothing is left behind", width)
			})
		}
		show.close()
		assert.Empty(t, s.lines)
	})
}

func TestElsewhereProgressIsPlainLinesNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stderr bytes.Buffer
		show := newShow(&terminal{out: &output{to: &stderr}, err: &stderr}, "text", nil, false, false)
		show.ended(&record.Run{Scenario: "seed-1", Verdict: record.Passed, VirtualSeconds: 3600}, nil)
		time.Sleep(2*plainTick + time.Second)
		show.close()
		show.close()
		assert.Equal(t, "1 run, 0 failed; 1h00m of virtual time, x360\n1 run, 0 failed; 1h00m of virtual time, x180\n", stderr.String())
	})
}

// slow is a terminal that takes what is written once a test lets it.
type slow chan struct{}

func (s slow) Write(p []byte) (int, error) {
	s <- struct{}{}
	return len(p), nil
}

func TestASlowTerminalDoesNotKeepProgressFromEnding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ticks := make(slow), make(chan time.Time)
		p := &progress{w: w, screen: true, width: func() int { return 80 }, now: time.Now, stop: make(chan struct{}), stopped: make(chan struct{})}
		go p.run(ticks)
		ticks <- time.Now()
		<-w
		closed := make(chan struct{})
		go func() {
			p.close()
			close(closed)
		}()
		synctest.Wait() // the bar is being taken away, and the next tick comes meanwhile
		select {
		case ticks <- time.Now():
		case <-p.stopped:
		}
		for {
			select {
			case <-w:
			case <-closed:
				assert.Empty(t, p.drawn, "nothing is left on the screen")
				return
			}
		}
	})
}

func TestOfTwoRunsOfOneNameTheOneThatEndedIsTakenAway(t *testing.T) {
	p := &progress{w: &bytes.Buffer{}}
	first, second := p.begin("a"), p.begin("a")
	p.end(second, false, 0, func() {})
	assert.Same(t, first, p.running[0])
	p.end(nil, false, 0, func() {})
	assert.Len(t, p.running, 1, "what nobody said had begun takes nothing away")
}

func TestWhatIsNoTerminalGetsPlainLines(t *testing.T) {
	assert.False(t, isScreen(&bytes.Buffer{}))
	assert.Equal(t, narrow, widthOf(&bytes.Buffer{}))
}
