package datapath

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hdm-project/hdm/core/cache"
	"github.com/hdm-project/hdm/core/component"
)

// Whatever is written, flushed, cut off and restarted, in whatever order: a
// flush that is applied is what the guest saw at its instant, and what the guest
// sees is what it wrote.
func TestAFlushIsWhatTheGuestSawAtItsInstantWhateverHappens(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		p := newPairOf(t, 4*mib, 4*mib)
		const size = mib
		p.bind("db", int64(rapid.IntRange(16, 64).Draw(r, "quota"))*cache.BlockSize, size)
		guest := p.premises("db")[0]
		var cut []byte
		seen := 0
		check := func() {
			for ; seen < len(p.events); seen++ {
				switch p.events[seen].Kind {
				case FlushApplied:
					require.True(r, bytes.Equal(cut, p.premises("db")[0]), "the flush is not what was cut")
				}
			}
		}
		var running []component.Command
		flush := func() {
			cmd := p.key(component.Command{Service: component.CloudCache, Verb: component.Flush, IDs: []string{"db"}})
			p.watch(func() { cut = bytes.Clone(guest) })
			p.cache.Command(p.now, cmd)
			running = append(running, cmd)
		}
		p.wanted = func() { // as the appliance does that hears of it
			check()
			flush()
		}
		rounds := rapid.IntRange(1, 60).Draw(r, "rounds")
		for range rounds {
			switch rapid.SampledFrom([]string{"write", "write", "write", "read", "flush", "wait", "cut", "cache", "homes"}).Draw(r, "does") {
			case "write":
				if p.cache.report()[0].FlushWanted {
					continue // it would wait for the premises
				}
				at := int64(rapid.IntRange(0, size/512-16).Draw(r, "at")) * 512
				data := bytes.Repeat([]byte{byte(rapid.IntRange(1, 255).Draw(r, "fill"))}, 512*rapid.IntRange(1, 16).Draw(r, "sectors"))
				if p.cut {
					p.setCut(false) // a part of a block may have to be fetched
				}
				p.writeThen("db", 0, at, data, func() { copy(guest[at:], data) })
			case "read":
				p.setCut(false)
				at := int64(rapid.IntRange(0, size/4096-4).Draw(r, "at")) * 4096
				require.True(r, bytes.Equal(guest[at:at+16384], p.read("db", 0, at, 16384)))
			case "flush":
				if len(p.cache.flushes) > 0 {
					continue // one at a time: its instant is kept in cut
				}
				flush()
			case "wait":
				p.run(time.Duration(rapid.IntRange(1, 200).Draw(r, "ms"))*time.Millisecond, never)
			case "cut":
				p.setCut(!p.cut)
			case "cache":
				p.cache.Submit(p.now, "db", cache.Request{Kind: cache.Flush}, func(err error) { require.NoError(r, err) })
				p.bootCache()
				running = nil
			case "homes":
				p.bootHomes()
			}
			check()
		}
		p.setCut(false)
		for _, cmd := range running {
			require.Equal(r, component.Done, p.do(cmd).State)
			check()
		}
		p.watch(func() { cut = bytes.Clone(guest) })
		done := p.flush("db")
		require.Equal(r, component.Done, done.State, "%v", done.Error)
		check()
		require.True(r, bytes.Equal(guest, p.premises("db")[0]), "the last flush has everything")
	})
}
