package kernel

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestASignalHappensOnceAndStays(t *testing.T) {
	k := newKernel(t, 1)
	d := &diary{k: k}
	s := NewSignal(k)
	for i := range 2 {
		k.Go("early", func() { d.note(fmt.Sprint("early ", i, " ", k.Wait(Forever, s))) })
	}
	k.Go("impatient", func() { d.note(fmt.Sprint("impatient ", k.Wait(time.Second, s))) })
	k.Go("late", func() { k.Sleep(3 * time.Second); d.note(fmt.Sprint("late ", k.Wait(Forever, s))) })
	k.After(2*time.Second, func() { s.Fire(); s.Fire() })
	finish(t, k)
	assert.Equal(t, []string{"1s impatient -1", "2s early 0 0", "2s early 1 0", "3s late 0"}, d.lines)
	assert.True(t, s.Fired())
	assert.Empty(t, s.waiters)
}

func TestWaitingOnSeveralTellsTheFirstThatIsReady(t *testing.T) {
	cases := map[string]struct {
		before, during func(a, b *Signal, box *Mailbox[int])
		timeout        time.Duration
		want           int
		at             time.Duration
	}{
		"one is ready before":      {before: func(_, b *Signal, _ *Mailbox[int]) { b.Fire() }, timeout: Forever, want: 1},
		"two are ready before":     {before: func(a, b *Signal, _ *Mailbox[int]) { b.Fire(); a.Fire() }, timeout: Forever, want: 0},
		"one gets ready":           {during: func(_, b *Signal, _ *Mailbox[int]) { b.Fire() }, timeout: Forever, want: 1, at: time.Second},
		"two get ready":            {during: func(a, b *Signal, _ *Mailbox[int]) { b.Fire(); a.Fire() }, timeout: Forever, want: 0, at: time.Second},
		"a message comes":          {during: func(_, _ *Signal, m *Mailbox[int]) { m.Send(1) }, timeout: Forever, want: 2, at: time.Second},
		"none, with a timeout":     {timeout: 3 * time.Second, want: -1, at: 3 * time.Second},
		"none, without patience":   {timeout: 0, want: -1},
		"ready beats the timeout":  {during: func(a, _ *Signal, _ *Mailbox[int]) { a.Fire() }, timeout: time.Second, want: 0, at: time.Second},
		"ready without patience":   {before: func(_, _ *Signal, m *Mailbox[int]) { m.Send(1) }, timeout: 0, want: 2},
		"the timeout comes before": {during: func(a, _ *Signal, _ *Mailbox[int]) { a.Fire() }, timeout: time.Millisecond, want: -1, at: time.Millisecond},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			k := newKernel(t, 1)
			a, b, box := NewSignal(k), NewSignal(k), NewMailbox[int](k, 1)
			if c.before != nil {
				c.before(a, b, box)
			}
			if c.during != nil {
				k.After(time.Second, func() { c.during(a, b, box) })
			}
			got, at := -2, time.Duration(0)
			k.Go("p", func() { got, at = k.Wait(c.timeout, a, b, box), k.Now() })
			finish(t, k)
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.at, at)
			assert.Empty(t, [][]*Proc{a.waiters, b.waiters, box.waiters}[max(got, 0)], "it waits for none of them any more")
			assert.Empty(t, box.waiters)
		})
	}
}

func TestAWakeOfAnEarlierWaitIsStale(t *testing.T) {
	k := newKernel(t, 1)
	var woken time.Duration
	s := NewSignal(k)
	k.Go("p", func() {
		k.Wait(5*time.Second, s) // the signal comes first: the timeout's wake is left behind
		k.Sleep(10 * time.Second)
		woken = k.Now()
	})
	k.After(time.Second, s.Fire)
	finish(t, k)
	assert.Equal(t, 11*time.Second, woken)
}

func TestPatienceOfNoneLetsEverythingElseThatIsDueRunFirst(t *testing.T) {
	k := newKernel(t, 1)
	s := NewSignal(k)
	got := -2
	k.Go("p", func() { got = k.Wait(0, s) })
	k.Go("q", s.Fire)
	finish(t, k)
	assert.Equal(t, 0, got)
}

func TestAMailboxRefusesWhatIsBeyondItsLimit(t *testing.T) {
	k := newKernel(t, 1)
	box := NewMailbox[int](k, 2)
	assert.True(t, box.Send(1))
	assert.True(t, box.Send(2))
	assert.False(t, box.Send(3))
	assert.Equal(t, 2, box.Len())
	v, ok := box.Take()
	assert.True(t, ok)
	assert.Equal(t, 1, v)
	assert.True(t, box.Send(4))
	v, _ = box.Take()
	assert.Equal(t, 2, v)
	v, _ = box.Take()
	assert.Equal(t, 4, v)
	_, ok = box.Take()
	assert.False(t, ok)
}

func TestReceiversAreServedInTheOrderInWhichTheyCame(t *testing.T) {
	k := newKernel(t, 1)
	d := &diary{k: k}
	box := NewMailbox[string](k, 10)
	for _, name := range []string{"a", "b", "c"} {
		k.Go(name, func() {
			v, _ := box.Recv(time.Hour)
			d.note(name + " got " + v)
		})
	}
	k.After(1*time.Second, func() { box.Send("1") }) // wakes b too, for nothing: it keeps its place
	k.After(2*time.Second, func() { box.Send("2"); box.Send("3") })
	finish(t, k)
	assert.Equal(t, []string{"1s a got 1", "2s b got 2", "2s c got 3"}, d.lines)
}

func TestATurnThatIsNotTakenPassesOn(t *testing.T) {
	leavers := map[string]func(k *Kernel, box *Mailbox[int], other *Signal){
		"killed": func(k *Kernel, box *Mailbox[int], _ *Signal) { k.Current().Kill() },
		"takes something else": func(k *Kernel, box *Mailbox[int], other *Signal) {
			require.Equal(t, 0, k.Wait(Forever, other, box))
		},
	}
	for name, leave := range leavers {
		t.Run(name, func(t *testing.T) {
			k := newKernel(t, 1)
			box, other := NewMailbox[int](k, 1), NewSignal(k)
			first := k.Go("first", func() {
				if name == "killed" {
					box.Recv(Forever)
					return
				}
				leave(k, box, other)
			})
			got := 0
			k.Go("second", func() { got, _ = box.Recv(time.Hour) })
			k.After(time.Second, func() {
				box.Send(7) // wakes the first, which then leaves without it
				other.Fire()
				if name == "killed" {
					first.Kill()
				}
			})
			finish(t, k)
			assert.Equal(t, 7, got)
			assert.Less(t, k.Now(), time.Hour)
		})
	}
}

// However senders and receivers interleave, who is killed and who gives up: no
// message is lost or doubled, and none lies there while a receiver waits.
func TestNoMessageIsLostAndNoReceiverForgotten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := New(1)
		defer k.Close()
		box := NewMailbox[int](k, rapid.IntRange(1, 4).Draw(t, "limit"))
		moment := rapid.IntRange(0, 10)
		var sent, got []int
		for i := range rapid.IntRange(0, 8).Draw(t, "messages") {
			k.After(time.Duration(moment.Draw(t, "send")), func() {
				if box.Send(i) {
					sent = append(sent, i)
				}
			})
		}
		for range rapid.IntRange(0, 6).Draw(t, "receivers") {
			starts, patience := time.Duration(moment.Draw(t, "start")), time.Duration(rapid.IntRange(-1, 10).Draw(t, "patience"))
			p := k.Go("receiver", func() {
				k.Sleep(starts)
				if v, ok := box.Recv(patience); ok {
					got = append(got, v)
				}
			})
			if rapid.Bool().Draw(t, "kill") {
				k.After(time.Duration(moment.Draw(t, "when")), p.Kill)
			}
		}
		require.NoError(t, NewDriver(k, 0, Limits{Events: 10_000}).Run(Forever, nil))
		require.False(t, box.Len() > 0 && len(box.waiters) > 0, "%d messages lie there, %d receivers wait", box.Len(), len(box.waiters))
		for box.Len() > 0 {
			v, _ := box.Take()
			got = append(got, v)
		}
		require.Equal(t, sent, got, "each once, in order")
	})
}
