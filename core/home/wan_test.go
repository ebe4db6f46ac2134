package home

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/gateway"
)

// wan is a cloud cache's sender and the premises, with two ends of the gateways
// between them whose lanes lose and repeat frames.
type wan struct {
	t     *testing.T
	r     *rand.Rand
	p     *premises
	home  *Home
	ends  [2]*gateway.End // of the cloud, of the premises
	epoch uint64          // of the premises
	now   time.Duration

	answers   []Message
	restarted bool
}

const binding = 9 // the stream of the VM

func newWAN(t *testing.T, seed uint64) *wan {
	w := &wan{t: t, r: rand.New(rand.NewPCG(seed, 0)), p: newPremises(), epoch: 1}
	w.home = opened(t, w.p)
	c := gateway.Config{Lanes: 2, Window: 1 << 20, MaxMessage: 1 << 16, Compress: true, Retry: time.Second, Epoch: 1}
	w.ends = [2]*gateway.End{gateway.New(c), gateway.New(c)}
	return w
}

// turn carries what the ends have, at that much later.
func (w *wan) turn() {
	w.now += 300 * time.Millisecond
	for side, e := range w.ends {
		out := e.Poll(w.now)
		if side == 0 {
			w.restarted = w.restarted || len(out.Restarted) > 0
		}
		for _, m := range out.Delivered {
			w.deliver(side, m)
		}
		for _, f := range out.Frames {
			for range w.r.IntN(3) { // lost, there, or there twice
				w.ends[1-side].Arrived(w.now, f.Lane, f.Bytes)
			}
		}
	}
}

func (w *wan) deliver(side int, m gateway.Message) {
	said, err := Decode(m.Payload)
	require.NoError(w.t, err)
	if side == 0 {
		w.answers = append(w.answers, said)
		return
	}
	if answer, ok := w.home.Handle(said); ok {
		w.say(1, answer)
	}
}

func (w *wan) say(side int, m Message) {
	p, err := Encode(m)
	require.NoError(w.t, err)
	require.NoError(w.t, w.ends[side].Send(gateway.Message{Stream: binding, Payload: p}))
}

func (w *wan) flush(f flush) {
	w.say(0, Message{Kind: Begin, Number: f.number})
	for i, c := range f.chunks {
		w.say(0, Message{Kind: Put, Number: f.number, Seq: i, Blocks: c})
	}
	w.say(0, Message{Kind: Commit, Number: f.number, Chunks: len(f.chunks), Sum: f.sum()})
}

// restart the premises: their machine loses its power, and its memory.
func (w *wan) restart() {
	w.p.crash(w.r)
	w.home = opened(w.t, w.p)
	w.epoch++
	w.ends[1].Reset(w.epoch)
}

func TestFlushesArriveOverLanesThatLoseAndRepeatThoughThePremisesRestart(t *testing.T) {
	for seed := range uint64(20) {
		w := newWAN(t, seed)
		want := blank()
		for number := uint64(1); number <= 5; number++ {
			f := drawFlush(w.r, number)
			want = want.after(f)
			w.flush(f)
			restarts := w.r.IntN(3)
			for turns := 0; len(w.answers) == 0; turns++ {
				require.Less(t, turns, 1000, "no answer")
				if restarts > 0 && w.r.IntN(6) == 0 && w.ends[0].Peer() == w.epoch && !w.restarted {
					w.restart()
					restarts--
				}
				if w.turn(); w.restarted {
					w.answers, w.restarted = nil, false
					w.flush(f) // whoever sends it does so again: the premises know how far it came
				}
			}
			require.Equal(t, []Message{{Kind: Applied, Number: number}}, w.answers, "seed %d", seed)
			require.Equal(t, want, w.p.image(t))
			w.answers = nil
		}
	}
}
