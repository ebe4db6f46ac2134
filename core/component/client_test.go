package component

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/runtime"
	"github.com/hdm-project/hdm/core/vsphere"
)

// services is a deployment in which every command is done at once, but for what
// a test says.
type services struct {
	bound    map[string][]Status // by component VM
	opened   map[string][]string
	commands []Command
	// before says what becomes of a call instead; nil, nil: what is done anyhow.
	before func(n int, vm string, c Command) (*Completion, error)
}

func (s *services) Call(_ context.Context, vm string, c Command) (Completion, error) {
	s.commands = append(s.commands, c)
	if s.before != nil {
		if done, err := s.before(len(s.commands), vm, c); done != nil || err != nil {
			if done == nil {
				done = &Completion{}
			}
			return *done, err
		}
	}
	done := Completion{Key: c.Key, Epoch: 7, State: Done}
	switch c.Verb {
	case Report:
		done.Status = s.bound[vm]
	case Open:
		done.Stream = 5
		s.opened[vm] = append(s.opened[vm], c.Bind.ID)
	case Bind:
		done.Bound = &Bound{VM: vm, Datastore: vm, Paths: make([]string, len(c.Bind.Disks))}
		s.bound[vm] = append(s.bound[vm], Status{ID: c.Bind.ID, VM: vm, Home: c.Home, Group: c.Bind.Group})
	case Flush:
		for _, id := range c.IDs {
			done.Flushed = append(done.Flushed, Flushed{ID: id, Number: 1})
		}
	}
	return done, nil
}

// silence is a call that got no answer.
type silence struct{ unreachable bool }

func (s silence) Error() string     { return "no answer" }
func (s silence) Unreachable() bool { return s.unreachable }
func (s silence) Timeout() bool     { return !s.unreachable }
func (s silence) Waited() time.Duration {
	if s.unreachable {
		return 20 * time.Second
	}
	return 0
}

func deployed(t *testing.T, test func(ctx context.Context, c *Client, s *services)) {
	synctest.Test(t, func(t *testing.T) {
		s := &services{bound: map[string][]Status{}, opened: map[string][]string{}}
		test(t.Context(), NewClient(ClientConfig{
			Runtime: runtime.NewLive(), Link: s, Name: "boot-1",
			Caches: []string{"HDM_Cloud_Cache-0", "HDM_Cloud_Cache-1"},
			Homes:  []string{"HDM_OnPrem_ESXi_Manager-0", "HDM_OnPrem_ESXi_Manager-1"},
		}), s)
	})
}

func binding(id, group string) Binding {
	return Binding{ID: id, Group: group, Source: "VirtualMachine:vm-1", Disks: []BoundDisk{{2000, 1 << 20}}, Quota: 1 << 20}
}

func TestBindingsSpreadOverTheComponentVMsAndGroupsStayTogether(t *testing.T) {
	deployed(t, func(ctx context.Context, c *Client, s *services) {
		for i, group := range []string{"", "", "shop", "", "shop"} {
			_, err := c.Bind(ctx, binding(fmt.Sprint("m-", i), group))
			require.NoError(t, err)
		}
		at := map[string]string{}
		for vm, all := range s.bound {
			for _, b := range all {
				at[b.ID] = vm
			}
		}
		assert.Equal(t, map[string]string{
			"m-0": "HDM_Cloud_Cache-0", "m-1": "HDM_Cloud_Cache-1", "m-2": "HDM_Cloud_Cache-0", "m-3": "HDM_Cloud_Cache-1", "m-4": "HDM_Cloud_Cache-0",
		}, at)
		bound, err := c.Bind(ctx, binding("m-2", "shop"))
		require.NoError(t, err)
		assert.Equal(t, "HDM_Cloud_Cache-0", bound.VM, "again: where it is")
	})
}

func TestAFlushOfWhatIsOnTwoCachesOrNotBoundIsRefused(t *testing.T) {
	deployed(t, func(ctx context.Context, c *Client, s *services) {
		s.bound["HDM_Cloud_Cache-0"] = []Status{{ID: "a", VM: "HDM_Cloud_Cache-0"}}
		s.bound["HDM_Cloud_Cache-1"] = []Status{{ID: "b", VM: "HDM_Cloud_Cache-1"}}
		_, err := c.Flush(ctx, []string{"a", "b"})
		assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err))
		assert.ErrorContains(t, err, "bind them as one group")
		_, err = c.Flush(ctx, []string{"c"})
		assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err))
		done, err := c.Flush(ctx, []string{"b"})
		require.NoError(t, err)
		assert.Equal(t, []Flushed{{ID: "b", Number: 1}}, done)
	})
}

func TestEveryRepetitionOfACommandHasItsKeyAndTheEpochThatTookItUp(t *testing.T) {
	deployed(t, func(ctx context.Context, c *Client, s *services) {
		s.bound["HDM_Cloud_Cache-0"] = []Status{{ID: "a", VM: "HDM_Cloud_Cache-0"}}
		var progress []int32
		asked := 0
		s.before = func(_ int, _ string, cmd Command) (*Completion, error) {
			if cmd.Verb != Reconcile {
				return nil, nil
			}
			switch asked++; {
			case asked == 1:
				return nil, silence{}
			case asked < 5:
				return &Completion{Key: cmd.Key, Epoch: 7, State: Running, Progress: &vsphere.Progress{Percent: int32(10 * asked)}}, nil
			}
			return &Completion{Key: cmd.Key, Epoch: 7, State: Done, Left: 3}, nil
		}
		left, err := c.Reconcile(ctx, "a", "VirtualMachine:vm-2", func(p vsphere.Progress) { progress = append(progress, p.Percent) })
		require.NoError(t, err)
		assert.Equal(t, 3, left)
		assert.Equal(t, []int32{20, 30, 40}, progress)
		var epochs []uint64
		for _, cmd := range s.commands[2:] {
			assert.Equal(t, s.commands[2].Key, cmd.Key)
			epochs = append(epochs, cmd.Epoch)
		}
		assert.Equal(t, []uint64{0, 0, 7, 7, 7}, epochs)
		assert.NotEqual(t, s.commands[1].Key, s.commands[2].Key)
	})
}

func TestACommandThatIsTakenUpRidesOutAnOutageOfLessThanFiveMinutes(t *testing.T) {
	for outage, class := range map[time.Duration]vsphere.Class{4 * time.Minute: 0, 6 * time.Minute: vsphere.Unreachable} {
		deployed(t, func(ctx context.Context, c *Client, s *services) {
			s.bound["HDM_Cloud_Cache-0"] = []Status{{ID: "a", VM: "HDM_Cloud_Cache-0"}}
			taken := false
			began := time.Now()
			s.before = func(_ int, _ string, cmd Command) (*Completion, error) {
				switch {
				case cmd.Verb != Flush:
					return nil, nil
				case !taken:
					taken = true
					return &Completion{Key: cmd.Key, Epoch: 7, State: Running}, nil
				case time.Since(began) < outage:
					time.Sleep(20 * time.Second)
					return nil, silence{unreachable: true}
				}
				return nil, nil
			}
			_, err := c.Flush(ctx, []string{"a"})
			assert.Equal(t, class, vsphere.ClassOf(err), "%v: %v", outage, err)
			var typed *vsphere.Error
			if errors.As(err, &typed) {
				assert.Equal(t, vsphere.Cloud, typed.Site)
				assert.GreaterOrEqual(t, typed.Down, Patience)
			}
		})
	}
}

func TestACommandThatNobodyTookUpGivesUpAtOnceWhenTheWayIsDown(t *testing.T) {
	deployed(t, func(ctx context.Context, c *Client, s *services) {
		s.before = func(int, string, Command) (*Completion, error) {
			time.Sleep(20 * time.Second)
			return nil, silence{unreachable: true}
		}
		_, err := c.Bindings(ctx)
		var typed *vsphere.Error
		require.ErrorAs(t, err, &typed)
		assert.Equal(t, vsphere.Unreachable, typed.Class)
		assert.Equal(t, 20*time.Second, typed.Down, "since when it was waited for")
		assert.Len(t, s.commands, 1)
	})
}

func TestACommandThatGetsNoAnswerIsSentThreeTimes(t *testing.T) {
	deployed(t, func(ctx context.Context, c *Client, s *services) {
		s.before = func(int, string, Command) (*Completion, error) { return nil, silence{} }
		_, err := c.Bindings(ctx)
		assert.Equal(t, vsphere.Retryable, vsphere.ClassOf(err))
		assert.Len(t, s.commands, 3)
	})
}

func TestWhatAServiceRefusesIsRefusedWithItsHint(t *testing.T) {
	deployed(t, func(ctx context.Context, c *Client, s *services) {
		s.before = func(_ int, _ string, cmd Command) (*Completion, error) {
			if cmd.Verb != Open {
				return nil, nil
			}
			return &Completion{Key: cmd.Key, State: Failed, Error: &Error{Class: vsphere.Refused, What: "the VM is powered on", Hint: "shut it down"}}, nil
		}
		_, err := c.Bind(ctx, binding("m-1", ""))
		assert.Equal(t, vsphere.Refused, vsphere.ClassOf(err))
		assert.EqualError(t, err, "on-premises: open m-1: the VM is powered on; shut it down")
		assert.Empty(t, s.bound["HDM_Cloud_Cache-0"])
	})
}

func TestReleaseClosesTheHomeEvenIfNoCacheKnowsTheBinding(t *testing.T) {
	deployed(t, func(ctx context.Context, c *Client, s *services) {
		require.NoError(t, c.Release(ctx, "m-1"))
		var closed int
		for _, cmd := range s.commands {
			if cmd.Verb == Close {
				closed++
			}
		}
		assert.Equal(t, 2, closed)
		_, err := c.Bind(ctx, binding("m-2", ""))
		require.NoError(t, err)
		s.commands = nil
		s.before = func(_ int, _ string, cmd Command) (*Completion, error) {
			switch {
			case cmd.Service == PremIOManager && cmd.Verb == Report:
				return &Completion{Key: cmd.Key, Epoch: 7, State: Done, Status: []Status{{ID: "m-1", Last: 9}, {ID: "m-2", Last: 3}}}, nil
			case cmd.Verb == Close:
				return &Completion{Key: cmd.Key, Epoch: 7, State: Done, Flushed: []Flushed{{ID: "m-2", Number: 4}}}, nil
			}
			return nil, nil
		}
		verbs := func() (all []Verb) {
			for _, cmd := range s.commands {
				all = append(all, cmd.Verb)
			}
			s.commands = nil
			return all
		}
		full := errors.New("the journal is full")
		require.ErrorIs(t, c.Discard(ctx, "m-2", func(uint64) error { return full }), full)
		assert.NotContains(t, verbs(), Close, "it is not written down which flush that one holds")
		_, err = c.Bind(ctx, binding("m-2", ""))
		require.NoError(t, err)
		s.commands = nil
		var last []uint64
		require.NoError(t, c.Discard(ctx, "m-2", func(n uint64) error { last = append(last, n); return nil }))
		assert.Equal(t, []uint64{3, 4}, last, "the home knows which flush its disks hold")
		assert.Equal(t, []Verb{Report, Report, Discard, Report, Close}, verbs())
	})
}

func TestACacheThatIsDownKeepsNoVMOfAnotherOneFromItsFlush(t *testing.T) {
	deployed(t, func(ctx context.Context, c *Client, s *services) {
		for _, id := range []string{"m-1", "m-2"} { // one on each
			_, err := c.Bind(ctx, binding(id, ""))
			require.NoError(t, err)
		}
		s.before = func(_ int, vm string, _ Command) (*Completion, error) {
			if vm == "HDM_Cloud_Cache-0" {
				return nil, silence{unreachable: true}
			}
			return nil, nil
		}
		_, err := c.Flush(ctx, []string{"m-2"})
		require.NoError(t, err)
		_, err = c.Reconcile(ctx, "m-2", "VirtualMachine:vm-3", nil)
		require.NoError(t, err)
		require.NoError(t, c.Release(ctx, "m-2"))
		_, err = c.Flush(ctx, []string{"m-1"})
		assert.Equal(t, vsphere.Unreachable, vsphere.ClassOf(err))
		assert.Equal(t, vsphere.Unreachable, vsphere.ClassOf(c.Release(ctx, "m-3")), "it may be where nobody can ask")
		_, err = c.Bindings(ctx)
		assert.Equal(t, vsphere.Unreachable, vsphere.ClassOf(err), "all are not known")
		_, err = c.Bind(ctx, binding("m-4", ""))
		assert.Equal(t, vsphere.Unreachable, vsphere.ClassOf(err), "it may be bound already")
	})
}
