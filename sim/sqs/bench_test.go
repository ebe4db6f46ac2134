package sqs_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hdm-project/hdm/sim/sqs"
)

// BenchmarkCalls sends, receives and deletes one message of a queue that holds
// few or many others: the figures must be of one order.
func BenchmarkCalls(b *testing.B) {
	for _, fifo := range []bool{false, true} {
		for _, depth := range []int{100, 100_000} {
			b.Run(fmt.Sprintf("fifo=%t/messages=%d", fifo, depth), func(b *testing.B) {
				w := start(b, func(c *sqs.Config) { c.Observe = nil })
				name := map[bool]string{false: "q", true: "q.fifo"}[fifo]
				if err := w.CreateQueue(name, nil); err != nil {
					b.Fatal(err)
				}
				sent := 0
				send := func() {
					sent++
					if fifo {
						w.sendTo(name, fmt.Sprint(sent%1000), fmt.Sprint(sent))
					} else {
						w.send(name, fmt.Sprint(sent))
					}
				}
				for range depth {
					send()
				}
				for b.Loop() {
					send()
					w.delete(name, w.receive(name, 1)[0])
					w.clock.pass(time.Millisecond)
				}
			})
		}
	}
}
