package journal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A history is the batches that a process wrote, and the states that a journal
// may be loaded with: states[i] is the journal after i whole batches.
type history struct {
	batches [][]Record
	states  []string
}

func newHistory(batches [][]Record) history {
	h := history{batches: batches, states: []string{fmt.Sprint([]Record(nil))}}
	var now []Record
	for _, b := range batches {
		now = apply(append([]Record(nil), now...), b)
		h.states = append(h.states, fmt.Sprint(now))
	}
	return h
}

// judge is the checker of all crash tests: after a crash the journal must hold
// whole batches, a prefix of those begun, and every acknowledged one.
func (h history) judge(loaded []Record, acked, begun int) error {
	got := fmt.Sprint(loaded)
	for n := begun; n >= acked; n-- {
		if got == h.states[n] {
			return nil
		}
	}
	for n := range acked {
		if got == h.states[n] {
			return fmt.Errorf("lost: %d batches were acknowledged, %d are there", acked, n)
		}
	}
	return errors.New("torn: what is there is no whole number of batches")
}

func TestTheCheckerRejectsWhatNoJournalMayDo(t *testing.T) {
	h := newHistory([][]Record{
		{{"k", "a", []byte("1")}, {"k", "b", []byte("1")}},
		{{"k", "a", []byte("2")}, {"k", "b", []byte("2")}},
		{{"k", "a", []byte("3")}, {"k", "b", []byte("3")}},
	})
	is := func(a, b string) []Record { return []Record{{"k", "a", []byte(a)}, {"k", "b", []byte(b)}} }
	for _, c := range []struct {
		name   string
		loaded []Record
		says   string // "" if it must be accepted
	}{
		{"all that was acknowledged", is("2", "2"), ""},
		{"and the one that was begun", is("3", "3"), ""},
		{"an acknowledged batch gone", is("1", "1"), "lost"},
		{"everything gone", nil, "lost"},
		{"half a batch", is("3", "2"), "torn"},
		{"a record that nobody wrote", is("4", "4"), "torn"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := h.judge(c.loaded, 2, 3); c.says == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, c.says)
			}
		})
	}
}

// logged is a run of SQLite on a device: its log, and how long that was when
// each batch was begun and acknowledged.
type logged struct {
	history
	log   []action
	begun []int
	acked []int
}

func runOnDevice(t require.TestingT, batches [][]Record, checkpoint int) logged {
	d := newDevice(newState())
	j, err := OpenSQLiteVFS("/j.db", d)
	require.NoError(t, err)
	require.NoError(t, j.conn.Exec(fmt.Sprintf("PRAGMA wal_autocheckpoint = %d", checkpoint)))
	l := logged{history: newHistory(batches)}
	for _, b := range batches {
		l.begun = append(l.begun, len(d.log))
		require.NoError(t, j.Write(b))
		l.acked = append(l.acked, len(d.log))
	}
	require.NoError(t, j.Close())
	l.log = d.log
	return l
}

// crash cuts the power after n actions and judges what the next process loads.
func (l logged) crash(n int, lose loss, r *rand.Rand) error {
	begun, acked := 0, 0
	for begun < len(l.begun) && l.begun[begun] < n {
		begun++
	}
	for acked < len(l.acked) && l.acked[acked] <= n {
		acked++
	}
	begun = max(begun, acked) // an empty batch is acknowledged without an action
	j, err := OpenSQLiteVFS("/j.db", newDevice(lose(l.log[:n], r)))
	if err != nil {
		return fmt.Errorf("does not open: %w", err)
	}
	defer j.Close()
	loaded, err := j.Load()
	if err != nil {
		return fmt.Errorf("does not load: %w", err)
	}
	return l.judge(loaded, acked, begun)
}

func TestSQLiteKeepsEveryAcknowledgedBatchWholeAtAnyCut(t *testing.T) {
	for name, lose := range map[string]loss{"the process dies": processDies, "the power is cut": powerCut} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				l := runOnDevice(r, rapid.SliceOfN(batches, 1, 8).Draw(r, "batches"), rapid.IntRange(1, 20).Draw(r, "checkpoint"))
				cut := rapid.IntRange(0, len(l.log)).Draw(r, "cut")
				chance := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "chance"), 0))
				require.NoError(r, l.crash(cut, lose, chance))
			})
		})
	}
}

func TestADeviceThatIgnoresSyncsIsCaught(t *testing.T) {
	var batches [][]Record
	for i := range 30 {
		batches = append(batches, []Record{{"k", fmt.Sprint(i), make([]byte, 600)}, {"k", "last", []byte(fmt.Sprint(i))}})
	}
	l := runOnDevice(t, batches, 20)
	chance := rand.New(rand.NewPCG(1, 1))
	caught := 0
	const crashes = 30
	for range crashes {
		cut := l.acked[0] + chance.IntN(len(l.log)-l.acked[0])
		require.NoError(t, l.crash(cut, powerCut, chance), "an honest device")
		if l.crash(cut, syncsIgnored, chance) != nil {
			caught++
		}
	}
	assert.Greater(t, caught, crashes/2, "crashes on a lying device that the checker noticed")
}

// death is what a test's hook panics with, as the kernel does when it kills.
type death struct{}

// writeUntil writes batches and dies at that point of batch number n. It
// returns how many were acknowledged.
func writeUntil(t require.TestingT, m *Memory, batches [][]Record, n int, p Point) (acked int) {
	at := 0
	m.OnPoint(func(q Point, _ []Record) {
		if at == n && q == p {
			panic(death{})
		}
	})
	defer m.OnPoint(nil)
	defer func() {
		if r := recover(); r != nil && r != any(death{}) {
			panic(r)
		}
	}()
	for _, b := range batches {
		require.NoError(t, m.Write(b))
		acked++
		at++
	}
	return acked
}

func TestMemoryKeepsEveryAcknowledgedBatchWholeAtAnyPoint(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		h := newHistory(rapid.SliceOfN(batches, 1, 8).Draw(r, "batches"))
		n := rapid.IntRange(0, len(h.batches)).Draw(r, "dies at batch")
		p := rapid.SampledFrom([]Point{BeforeWrite, Written, Synced}).Draw(r, "dies at point")
		m := NewMemory()
		acked := writeUntil(r, m, h.batches, n, p)
		begun := min(acked+1, len(h.batches))
		if p == Synced && acked < len(h.batches) {
			acked++ // durable, though the writer did not live to hear it
		}
		if p == BeforeWrite {
			begun = acked
		}
		m.Crash(rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "chance"), 0)))
		loaded, err := m.Load()
		require.NoError(r, err)
		require.NoError(r, h.judge(loaded, acked, begun))
	})
}

func TestABatchThatWasWrittenAndNotSyncedSurvivesSomeCrashesOnly(t *testing.T) {
	survived := 0
	const crashes = 40
	for seed := range uint64(crashes) {
		m := NewMemory()
		writeUntil(t, m, [][]Record{{{"k", "a", []byte("1")}, {"k", "b", []byte("1")}}}, 0, Written)
		m.Crash(rand.New(rand.NewPCG(seed, 0)))
		loaded, err := m.Load()
		require.NoError(t, err)
		require.Contains(t, []int{0, 2}, len(loaded), "whole or not at all")
		survived += len(loaded) / 2
	}
	assert.Greater(t, survived, crashes/4)
	assert.Less(t, survived, crashes*3/4)
}

func TestAMemoryThatIgnoresSyncsIsCaught(t *testing.T) {
	var batches [][]Record
	for i := range 2 * MaxUnsynced {
		batches = append(batches, []Record{{"k", fmt.Sprint(i), []byte("v")}})
	}
	h := newHistory(batches)
	m := NewMemory()
	m.IgnoreSyncs(true)
	for _, b := range batches {
		require.NoError(t, m.Write(b))
	}
	m.Crash(rand.New(rand.NewPCG(1, 0)))
	loaded, err := m.Load()
	require.NoError(t, err)
	assert.ErrorContains(t, h.judge(loaded, len(batches), len(batches)), "lost")
	assert.GreaterOrEqual(t, len(loaded), MaxUnsynced, "what fell out of the device's cache is durable")
}

func TestAWriteThatFailsIsThereWholeOrNotAtAll(t *testing.T) {
	old, fresh := Record{"k", "a", []byte("1")}, Record{"k", "a", []byte("2")}
	for _, c := range []struct {
		op    Operation
		err   error
		reads []byte // by the process itself, after the failure
		kept  []string
	}{
		{OpWrite, syscall.ENOSPC, []byte("1"), []string{"1"}},
		{OpSync, syscall.EIO, []byte("2"), []string{"1", "2"}},
	} {
		found := map[string]bool{}
		for seed := range uint64(20) {
			m := NewMemory()
			require.NoError(t, m.Write([]Record{old}))
			m.SetFault(func(op Operation, batch []Record) error {
				assert.Len(t, batch, 1)
				return map[Operation]error{c.op: c.err}[op]
			})
			err := m.Write([]Record{fresh})
			require.ErrorIs(t, err, c.err)
			require.ErrorAs(t, err, new(*FailedError))
			now, err := m.Load()
			require.NoError(t, err)
			assert.Equal(t, c.reads, now[0].Value)
			m.SetFault(nil)
			m.Crash(rand.New(rand.NewPCG(seed, 1)))
			now, err = m.Load()
			require.NoError(t, err)
			require.Len(t, now, 1)
			found[string(now[0].Value)] = true
			require.NoError(t, m.Write([]Record{fresh}), "it works again")
		}
		for _, v := range c.kept {
			assert.True(t, found[v], "%s: %s", c.op, v)
		}
		assert.Len(t, found, len(c.kept))
	}
}
