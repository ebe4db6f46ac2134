package kernel

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// waits are all the ways in which a process can wait.
var waits = map[string]func(k *Kernel){
	"sleep":            func(k *Kernel) { k.Sleep(time.Hour) },
	"sleep of nothing": func(k *Kernel) { k.Sleep(0) },
	"signal":           func(k *Kernel) { k.Wait(Forever, NewSignal(k)) },
	"nothing":          func(k *Kernel) { k.Wait(Forever) },
	"mailbox":          func(k *Kernel) { NewMailbox[int](k, 1).Recv(time.Hour) },
	"several": func(k *Kernel) {
		k.Wait(time.Hour, NewSignal(k), NewMailbox[int](k, 1), NewSignal(k))
	},
}

func TestAKilledProcessRunsItsDeferredFunctionsAndNothingElse(t *testing.T) {
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			k := newKernel(t, 1)
			d := &diary{k: k}
			var victim *Proc
			k.Go("killer", func() { victim.Kill(); d.note("killed") })
			victim = k.Go("victim", func() {
				defer d.note("first deferred")
				defer d.note("last deferred")
				wait(k)
				d.note("went on")
			})
			finish(t, k)
			assert.Equal(t, []string{"0s killed"}, d.lines, "killed before it ran: no deferred functions yet")
			assert.True(t, victim.Done().Fired())

			d.lines = nil
			victim = k.Go("victim", func() {
				defer d.note("first deferred")
				defer d.note("last deferred")
				wait(k)
				d.note("went on")
			})
			k.Go("killer", func() { victim.Kill(); victim.Kill(); d.note("killed") })
			finish(t, k)
			assert.Equal(t, []string{"0s last deferred", "0s first deferred", "0s killed"}, d.lines)
			assert.True(t, victim.Done().Fired())
			assert.Empty(t, k.procs)
		})
	}
}

func TestAProcessCanKillItself(t *testing.T) {
	k := newKernel(t, 1)
	d := &diary{k: k}
	var p *Proc
	p = k.Go("p", func() {
		defer d.note("deferred")
		k.Sleep(time.Second)
		p.Kill()
		d.note("went on")
	})
	k.Go("mourner", func() { k.Wait(Forever, p.Done()); d.note("done") })
	finish(t, k)
	assert.Equal(t, []string{"1s deferred", "1s done"}, d.lines)
}

func TestADyingProcessCannotWait(t *testing.T) {
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			k := newKernel(t, 1)
			d := &diary{k: k}
			fired := NewSignal(k)
			fired.Fire()
			victim := k.Go("victim", func() {
				defer d.note("outer deferred")
				defer func() { wait(k); d.note("waited") }()
				defer func() { k.Wait(0, fired); d.note("waited for what is there") }()
				func() {
					defer func() { assert.NotNil(t, recover()) }()
					k.Sleep(time.Hour)
				}()
				d.note("recovered from the kill")
				k.Sleep(0)
				d.note("lived on")
			})
			k.After(time.Second, victim.Kill)
			finish(t, k)
			assert.Equal(t, []string{"1s recovered from the kill", "1s outer deferred"}, d.lines)
		})
	}
}

func TestADyingProcessIsNotHeardWhereItIsChecked(t *testing.T) {
	k := newKernel(t, 1)
	heard := 0
	victim := k.Go("victim", func() {
		act := func() { k.CheckAlive(); heard++ }
		defer act()
		act()
		k.Sleep(time.Hour)
	})
	k.After(time.Second, func() { k.CheckAlive(); victim.Kill() })
	finish(t, k)
	assert.Equal(t, 1, heard)
	assert.NoError(t, k.Err())
}

func TestADyingProcessTakesNoMessageFromTheLiving(t *testing.T) {
	k := newKernel(t, 1)
	box := NewMailbox[string](k, 1)
	victim := k.Go("victim", func() {
		defer box.Recv(Forever)
		k.Sleep(time.Hour)
	})
	var got string
	k.Go("reader", func() { k.Sleep(time.Second); victim.Kill(); got, _ = box.Recv(time.Hour) })
	k.After(2*time.Second, func() { box.Send("letter") })
	finish(t, k)
	assert.Equal(t, "letter", got)
}

func TestTwoProcessesThatKillEachOtherBothEnd(t *testing.T) {
	k := newKernel(t, 1)
	d := &diary{k: k}
	var first, second *Proc
	first = k.Go("first", func() {
		defer d.note("first ended")
		k.Sleep(time.Second)
		second.Kill()
		d.note("first went on")
	})
	second = k.Go("second", func() {
		defer d.note("second ended")
		defer func() { first.Kill(); d.note("first is on the stack: it ends later") }()
		k.Sleep(time.Hour)
	})
	finish(t, k)
	assert.Equal(t, []string{"1s first is on the stack: it ends later", "1s second ended", "1s first ended"}, d.lines)
	assert.Empty(t, k.procs)
}

func TestAProcessThatEndsOthersWhileItDiesIsNotInterrupted(t *testing.T) {
	k := newKernel(t, 1)
	d := &diary{k: k}
	other := k.Go("other", func() { defer d.note("other ended"); k.Sleep(time.Hour) })
	p := k.Go("p", func() {
		defer func() { other.Kill(); d.note("cleaned up") }()
		k.Sleep(time.Hour)
	})
	k.After(time.Second, p.Kill)
	finish(t, k)
	assert.Equal(t, []string{"1s other ended", "1s cleaned up"}, d.lines)
}

func TestAGroupDiesAtOnceWithAllThatItsMembersStarted(t *testing.T) {
	killers := map[string]func(k *Kernel, g *Group){
		"from outside":  func(k *Kernel, g *Group) { k.After(time.Second, g.Kill) },
		"by a stranger": func(k *Kernel, g *Group) { k.Go("stranger", func() { k.Sleep(time.Second); g.Kill() }) },
		"by a member": func(k *Kernel, g *Group) {
			g.Go("traitor", func() { k.Sleep(time.Second); g.Kill(); k.Emit("went on", "traitor") })
		},
		"by a member and by whom that kills": func(k *Kernel, g *Group) {
			g.Go("avenger", func() { defer g.Kill(); k.Sleep(time.Hour) })
			g.Go("traitor", func() { k.Sleep(time.Second); g.Kill(); k.Emit("went on", "traitor") })
		},
	}
	for name, kill := range killers {
		t.Run(name, func(t *testing.T) {
			k := newKernel(t, 1)
			k.Observe(func(e Event) { t.Errorf("%s of %s at %v", e.Kind, e.Subject, e.At) })
			g := k.NewGroup()
			var ended []string
			member := func(name string, then func()) func() {
				return func() {
					defer func() { ended = append(ended, name) }()
					defer k.Go(name+"'s heir", func() { k.Emit("lives", name+"'s heir") })
					then()
					k.Sleep(2 * time.Second)
					k.Emit("lives", name)
				}
			}
			g.Go("a", member("a", func() { k.Go("child of a", member("child of a", func() {})) }))
			kill(k, g)
			g.Go("b", member("b", func() {}))
			alive := false
			k.Go("bystander", func() { k.Sleep(3 * time.Second); alive = true })
			finish(t, k)
			assert.ElementsMatch(t, []string{"a", "b", "child of a"}, ended)
			assert.True(t, alive, "who is not of the group lives")
			assert.Zero(t, g.Len())
			late := g.Go("late", func() { t.Error("it ran") })
			assert.True(t, late.Done().Fired())
			finish(t, k)
		})
	}
}

func TestAGroupCountsItsLiveMembers(t *testing.T) {
	k := newKernel(t, 1)
	g := k.NewGroup()
	for i := range 3 {
		g.Go("p", func() { k.Sleep(time.Duration(i) * time.Second) })
	}
	var seen []int
	for i := range 4 {
		k.After(time.Duration(i)*time.Second+time.Millisecond, func() { seen = append(seen, g.Len()) })
	}
	assert.Equal(t, 3, g.Len())
	finish(t, k)
	assert.Equal(t, []int{2, 1, 0, 0}, seen)
}

func TestDoneFiresHoweverAProcessEnds(t *testing.T) {
	k := newKernel(t, 1)
	returns := k.Go("returns", func() {})
	killed := k.Go("killed", func() { k.Sleep(time.Hour) })
	fails := k.Go("fails", func() { k.Sleep(2 * time.Second); panic("bug") })
	k.After(time.Second, killed.Kill)
	require.Error(t, NewDriver(k, 0, Limits{}).Run(Forever, nil))
	for _, p := range []*Proc{returns, killed, fails} {
		assert.True(t, p.Done().Fired(), p.Name())
	}
}

func TestATestThatEndsInAProcessCanStillCloseTheKernel(t *testing.T) {
	k := New(1)
	closed := make(chan bool)
	go func() { // what t.FailNow does to the goroutine of a test
		defer func() { k.Close(); closed <- true }()
		k.Go("bystander", func() { k.Sleep(time.Hour) })
		k.Go("assertion", func() { runtime.Goexit() })
		_ = NewDriver(k, 0, Limits{}).Run(Forever, nil)
	}()
	assert.True(t, <-closed)
	assert.Empty(t, k.procs)
}

func TestEveryProcessGetsItsTurn(t *testing.T) {
	k := newKernel(t, 1)
	d := &diary{k: k}
	for i := range 3 {
		k.Go("p", func() {
			for range 2 {
				d.note(fmt.Sprint(i))
				k.Sleep(0)
			}
		})
	}
	finish(t, k)
	assert.Equal(t, []string{"0s 0", "0s 1", "0s 2", "0s 0", "0s 1", "0s 2"}, d.lines)
}
