package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A kind of journal, and how the next process opens what the last one closed.
type opener struct {
	name string
	make func(t testing.TB) (open func() Journal)
}

var openers = []opener{
	{"memory", func(testing.TB) func() Journal {
		m := NewMemory()
		return func() Journal { m.Reopen(); return m }
	}},
	{"sqlite file", func(t testing.TB) func() Journal {
		path := filepath.Join(t.TempDir(), "with space, ? and #.db")
		return func() Journal {
			j, err := OpenSQLite(path)
			require.NoError(t, err)
			return j
		}
	}},
	{"sqlite on a simulated disk", func(t testing.TB) func() Journal {
		d := newDevice(newState())
		return func() Journal {
			j, err := OpenSQLiteVFS("/j.db", d)
			require.NoError(t, err)
			return j
		}
	}},
}

func everyJournal(t *testing.T, promise func(t *testing.T, open func() Journal)) {
	for _, o := range openers {
		t.Run(o.name, func(t *testing.T) { promise(t, o.make(t)) })
	}
}

func TestWhatIsWrittenIsLoadedByTheNextProcessSorted(t *testing.T) {
	everyJournal(t, func(t *testing.T, open func() Journal) {
		j := open()
		require.NoError(t, j.Write([]Record{
			{"vm", "b", []byte("2")}, {"vm", "a", []byte("1")}, {"epoch", "", []byte{}}, {"vm", "ä", []byte{0, 255}},
		}))
		require.NoError(t, j.Close())
		j = open()
		defer j.Close()
		got, err := j.Load()
		require.NoError(t, err)
		assert.Equal(t, []Record{{"epoch", "", []byte{}}, {"vm", "a", []byte("1")}, {"vm", "b", []byte("2")}, {"vm", "ä", []byte{0, 255}}}, got)
	})
}

func TestRecordsOfABatchApplyInOrderAndNilDeletes(t *testing.T) {
	everyJournal(t, func(t *testing.T, open func() Journal) {
		j := open()
		defer j.Close()
		require.NoError(t, j.Write([]Record{{"k", "a", []byte("old")}, {"k", "b", []byte("b")}, {"k", "a", []byte("new")}}))
		require.NoError(t, j.Write([]Record{{"k", "b", nil}, {"k", "never there", nil}, {"k", "c", []byte("c")}, {"k", "c", nil}}))
		got, err := j.Load()
		require.NoError(t, err)
		assert.Equal(t, []Record{{"k", "a", []byte("new")}}, got)
	})
}

func TestNeitherTheWritersNorTheReadersBytesAreShared(t *testing.T) {
	everyJournal(t, func(t *testing.T, open func() Journal) {
		j := open()
		defer j.Close()
		value := []byte("kept")
		require.NoError(t, j.Write([]Record{{"k", "a", value}}))
		value[0] = 'X'
		first, err := j.Load()
		require.NoError(t, err)
		first[0].Value[1] = 'X'
		second, err := j.Load()
		require.NoError(t, err)
		assert.Equal(t, "kept", string(second[0].Value))
	})
}

func TestAnOversizedBatchIsRefusedWholeAndSaysWhy(t *testing.T) {
	big := func(n int) []byte { return make([]byte, n) }
	many := slices.Repeat([]Record{{"k", "same", []byte("v")}}, MaxRecords+1)
	var heavy []Record
	for i := range MaxBatch/MaxValue + 1 {
		heavy = append(heavy, Record{"k", fmt.Sprint(i), big(MaxValue)})
	}
	for _, c := range []struct {
		name  string
		batch []Record
		says  string
	}{
		{"too many records", many, "1025 records"},
		{"a value too long", []Record{{"k", "a", nil}, {"k", "b", big(MaxValue + 1)}}, "k/b"},
		{"a kind too long", []Record{{strings.Repeat("k", MaxName+1), "a", nil}}, "257 bytes of kind"},
		{"a key too long", []Record{{"k", strings.Repeat("a", MaxName+1), nil}}, "257 bytes of key"},
		{"too many bytes together", heavy, "batch has"},
	} {
		t.Run(c.name, func(t *testing.T) {
			everyJournal(t, func(t *testing.T, open func() Journal) {
				j := open()
				defer j.Close()
				require.NoError(t, j.Write([]Record{{"k", "a", []byte("before")}}))
				err := j.Write(c.batch)
				var limit *LimitError
				require.ErrorAs(t, err, &limit)
				assert.ErrorContains(t, err, c.says)
				got, err := j.Load()
				require.NoError(t, err)
				assert.Equal(t, []Record{{"k", "a", []byte("before")}}, got)
			})
		})
	}
}

func TestABatchOfTheLargestSizeIsTaken(t *testing.T) {
	everyJournal(t, func(t *testing.T, open func() Journal) {
		j := open()
		defer j.Close()
		var batch []Record
		for i := range MaxRecords {
			batch = append(batch, Record{"k", fmt.Sprintf("%04d", i), make([]byte, MaxBatch/MaxRecords-5)})
		}
		require.NoError(t, j.Write(batch))
		got, err := j.Load()
		require.NoError(t, err)
		assert.Equal(t, batch, got)
	})
}

func TestAClosedJournalRefuses(t *testing.T) {
	everyJournal(t, func(t *testing.T, open func() Journal) {
		j := open()
		require.NoError(t, j.Close())
		require.NoError(t, j.Close(), "closing twice")
		assert.ErrorIs(t, j.Write([]Record{{"k", "a", []byte("v")}}), ErrClosed)
		_, err := j.Load()
		assert.ErrorIs(t, err, ErrClosed)
	})
}

// Every journal behaves like the plainest possible one: a Go map.
func TestEveryJournalBehavesLikeAMap(t *testing.T) {
	everyJournal(t, func(t *testing.T, open func() Journal) {
		rapid.Check(t, func(r *rapid.T) {
			j := open()
			old, err := j.Load()
			require.NoError(r, err)
			model := map[[2]string]string{}
			for _, rec := range old {
				model[[2]string{rec.Kind, rec.Key}] = string(rec.Value)
			}
			for _, batch := range rapid.SliceOfN(batches, 0, 6).Draw(r, "batches") {
				require.NoError(r, j.Write(batch))
				for _, rec := range batch {
					if name := [2]string{rec.Kind, rec.Key}; rec.Value == nil {
						delete(model, name)
					} else {
						model[name] = string(rec.Value)
					}
				}
				if rapid.Bool().Draw(r, "reopen") {
					require.NoError(r, j.Close())
					j = open()
				}
			}
			got, err := j.Load()
			require.NoError(r, err)
			require.True(r, slices.IsSortedFunc(got, byName))
			flat := map[[2]string]string{}
			for _, rec := range got {
				flat[[2]string{rec.Kind, rec.Key}] = string(rec.Value)
			}
			require.Equal(r, model, flat)
			require.NoError(r, j.Close())
		})
	})
}

var batches = rapid.SliceOfN(rapid.Custom(func(r *rapid.T) Record {
	rec := Record{Kind: rapid.SampledFrom([]string{"", "m", "vm"}).Draw(r, "kind"), Key: rapid.StringN(0, 2, 8).Draw(r, "key")}
	if rapid.IntRange(0, 3).Draw(r, "delete") > 0 {
		rec.Value = rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(r, "value")
	}
	return rec
}), 0, 5)

func TestOpeningSaysWhatIsWrongAndWhatToDo(t *testing.T) {
	dir := t.TempDir()
	held := filepath.Join(dir, "held.db")
	j, err := OpenSQLite(held)
	require.NoError(t, err)
	defer j.Close()

	foreign := filepath.Join(dir, "foreign.db")
	other, err := OpenSQLite(foreign)
	require.NoError(t, err)
	require.NoError(t, other.conn.Exec("PRAGMA application_id = 1"))
	require.NoError(t, other.Close())

	newer := filepath.Join(dir, "newer.db")
	other, err = OpenSQLite(newer)
	require.NoError(t, err)
	require.NoError(t, other.conn.Exec("PRAGMA user_version = 99"))
	require.NoError(t, other.Close())

	text := filepath.Join(dir, "text.db")
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("not a database\n", 100)), 0o600))

	for _, c := range []struct{ name, path, says string }{
		{"held by another", held, "another appliance has this journal open"},
		{"a folder that is not there", filepath.Join(dir, "none", "j.db"), "check that its folder exists"},
		{"a database of something else", foreign, "not a journal"},
		{"a journal of another version", newer, "version 99"},
		{"a text file", text, "give the path of a journal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := OpenSQLite(c.path)
			var failed *FailedError
			require.ErrorAs(t, err, &failed)
			assert.ErrorContains(t, err, c.says)
			assert.ErrorContains(t, err, c.path)
		})
	}
}

func TestADamagedJournalIsNotOpened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j.db")
	j, err := OpenSQLite(path)
	require.NoError(t, err)
	for i := range 50 {
		require.NoError(t, j.Write([]Record{{"k", fmt.Sprint(i), make([]byte, 1000)}}))
	}
	require.NoError(t, j.Close())
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := 4096; i < 4096+600; i++ { // the root page of the table
		data[i] ^= 0x5a
	}
	require.NoError(t, os.WriteFile(path, data, 0o600))
	_, err = OpenSQLite(path)
	assert.ErrorContains(t, err, "restore it from a backup")
}

func TestAfterAFailedWriteNoneIsTriedAgain(t *testing.T) {
	d := newDevice(newState())
	j, err := OpenSQLiteVFS("/j.db", d)
	require.NoError(t, err)
	require.NoError(t, j.Write([]Record{{"k", "a", []byte("1")}}))
	d.failSync = true
	err = j.Write([]Record{{"k", "a", []byte("2")}})
	var failed *FailedError
	require.ErrorAs(t, err, &failed)
	d.failSync = false
	assert.Equal(t, err, j.Write([]Record{{"k", "a", []byte("3")}}), "a sync that succeeds after one that failed proves nothing")
	j.Close()
	j, err = OpenSQLiteVFS("/j.db", d)
	require.NoError(t, err)
	defer j.Close()
	got, err := j.Load()
	require.NoError(t, err)
	assert.Contains(t, []string{"1", "2"}, string(got[0].Value))
}

func BenchmarkWriteOfThreeRecords(b *testing.B) {
	for _, o := range openers {
		b.Run(o.name, func(b *testing.B) {
			j := o.make(b)()
			defer j.Close()
			batch := []Record{{"migration", "m-0001", make([]byte, 300)}, {"effect", "m-0001/3", make([]byte, 100)}, {"request", "r-1", []byte("m-0001")}}
			for b.Loop() {
				if err := j.Write(batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
