package home

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hdm-project/hdm/core/cache"
)

var messages = []Message{
	{Kind: Read, ID: 1, Disk: 3, Block: MaxBlock - 1},
	{Kind: ReadReply, ID: any64, Data: bytes.Repeat([]byte{1}, cache.BlockSize)},
	{Kind: Begin, Number: 7},
	{Kind: Put, Number: 7, Seq: 2, Blocks: []cache.Block{{Disk: 1, Block: 5, Data: []byte("abc")}, {Block: 9, Data: []byte("d")}}},
	{Kind: Commit, Number: 7, Chunks: 3, Sum: [32]byte{1, 2, 3}},
	{Kind: Applied, Number: 7},
	{Kind: Failed, ID: 4, Number: 7, Code: Device, Last: 6, Text: "no space left"},
	{Kind: Abort, Number: 7},
}

func TestAMessageSurvivesTheWire(t *testing.T) {
	for _, m := range messages {
		p, err := Encode(m)
		require.NoError(t, err)
		got, err := Decode(p)
		require.NoError(t, err)
		assert.Equal(t, m, got)
		for n := range p {
			_, err := Decode(p[:n])
			require.ErrorIs(t, err, ErrMessage, "%d of %d bytes", n, len(p))
		}
		_, err = Decode(append(p, 0))
		require.ErrorIs(t, err, ErrMessage)
	}
}

func TestAnyPutSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := Message{Kind: Put, Number: rapid.Uint64().Draw(t, "number"), Seq: rapid.IntRange(0, MaxChunks).Draw(t, "seq")}
		for range rapid.IntRange(0, 5).Draw(t, "blocks") {
			m.Blocks = append(m.Blocks, cache.Block{
				Disk: rapid.IntRange(0, MaxDisks-1).Draw(t, "disk"), Block: rapid.Int64Range(0, MaxBlock-1).Draw(t, "block"),
				Data: rapid.SliceOfN(rapid.Byte(), 1, 100).Draw(t, "data"),
			})
		}
		p, err := Encode(m)
		require.NoError(t, err)
		got, err := Decode(p)
		require.NoError(t, err)
		require.Equal(t, m, got)
	})
}

func TestAMessageBeyondALimitIsNotSent(t *testing.T) {
	for _, m := range []Message{
		{},
		{Kind: 99},
		{Kind: Read, Disk: -1},
		{Kind: Read, Disk: MaxDisks},
		{Kind: Read, Block: -1},
		{Kind: Read, Block: MaxBlock},
		{Kind: ReadReply, Data: make([]byte, cache.BlockSize+1)},
		{Kind: Put, Seq: MaxChunks + 1},
		{Kind: Put, Blocks: make([]cache.Block, MaxChunkBlocks+1)},
		{Kind: Commit, Chunks: -1},
		{Kind: Failed, Text: strings.Repeat("x", MaxText+1)},
	} {
		_, err := Encode(m)
		assert.ErrorIs(t, err, ErrMessage, "%+v", m.Kind)
	}
	full := Message{Kind: Put, Number: any64, Seq: MaxChunks, Blocks: make([]cache.Block, MaxChunkBlocks)}
	for i := range full.Blocks {
		full.Blocks[i] = cache.Block{Disk: MaxDisks - 1, Block: MaxBlock - 1, Data: make([]byte, cache.BlockSize)}
	}
	p, err := Encode(full)
	require.NoError(t, err)
	assert.LessOrEqual(t, len(p), MaxMessage)
	_, err = Decode(make([]byte, MaxMessage+1))
	require.ErrorIs(t, err, ErrMessage)
}

func TestACloudCacheIsAnsweredOverTheWire(t *testing.T) {
	h := opened(t, newPremises())
	f := one(1, 'a')
	ask := func(m Message) (Message, bool) {
		t.Helper()
		p, err := Encode(m)
		require.NoError(t, err)
		m, err = Decode(p)
		require.NoError(t, err)
		answer, ok := h.Handle(m)
		if ok {
			p, err = Encode(answer)
			require.NoError(t, err)
			answer, err = Decode(p)
			require.NoError(t, err)
		}
		return answer, ok
	}
	silent := func(m Message) {
		t.Helper()
		answer, ok := ask(m)
		require.False(t, ok, "%+v", answer)
	}
	answered := func(want Message, m Message) {
		t.Helper()
		answer, ok := ask(m)
		require.True(t, ok)
		answer.Text = ""
		require.Equal(t, want, answer)
	}
	silent(Message{Kind: Begin, Number: 1})
	silent(Message{Kind: Put, Number: 1, Blocks: f.chunks[0]})
	answered(Message{Kind: Failed, Number: 1, Code: 6}, Message{Kind: Commit, Number: 1, Chunks: 1})
	answered(Message{Kind: ReadReply, ID: 9, Data: make([]byte, cache.BlockSize)}, Message{Kind: Read, ID: 9, Block: 1})
	answered(Message{Kind: Applied, Number: 1}, Message{Kind: Commit, Number: 1, Chunks: 1, Sum: f.sum()})
	answered(Message{Kind: ReadReply, ID: 9, Data: f.chunks[0][0].Data}, Message{Kind: Read, ID: 9, Block: 1})
	answered(Message{Kind: Failed, ID: 9, Code: 9, Last: 1}, Message{Kind: Read, ID: 9, Block: 1 << 30})
	answered(Message{Kind: Applied, Number: 1}, Message{Kind: Abort, Number: 1})
	answered(Message{Kind: Failed, Number: 2, Code: Aborted, Last: 1}, Message{Kind: Abort, Number: 2})
	answered(Message{Kind: Failed, Number: 3, Code: 3, Last: 1}, Message{Kind: Put, Number: 3})
	silent(Message{Kind: Applied, Number: 1})
}

func TestAFailureOnTheWireIsTheOneOfTheHome(t *testing.T) {
	h := opened(t, newPremises())
	for _, c := range codes {
		m := h.failed(Message{Kind: Commit, Number: 1}, fail("commit", 1, c.err))
		assert.Equal(t, c.code, m.Code)
		assert.ErrorIs(t, m.Err(), c.err)
	}
	m := h.failed(Message{Kind: Commit, Number: 1}, fail("commit", 1, assert.AnError))
	assert.Equal(t, Device, m.Code)
	assert.ErrorContains(t, m.Err(), assert.AnError.Error())
	assert.ErrorIs(t, Message{Kind: Failed, Code: Aborted}.Err(), errAborted)
	assert.NoError(t, Message{Kind: Applied}.Err())
}

func FuzzDecode(f *testing.F) {
	for _, m := range messages {
		p, err := Encode(m)
		require.NoError(f, err)
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		m, err := Decode(p)
		if err != nil {
			require.ErrorIs(t, err, ErrMessage)
			require.Zero(t, m)
			return
		}
		again, err := Encode(m)
		require.NoError(t, err)
		same, err := Decode(again)
		require.NoError(t, err)
		require.Equal(t, m, same)
	})
}
