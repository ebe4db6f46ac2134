package client_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/bus"
	"github.com/hdm-project/hdm/core/client"
	"github.com/hdm-project/hdm/core/protocol"
	"github.com/hdm-project/hdm/sim/sqs"
)

func cloneOf(request string) protocol.CloneRequest {
	return protocol.CloneRequest{RequestHead: protocol.RequestHead{RequestID: request}, VM: "db-01", Mode: protocol.Cold}
}

func TestAClientWaitsForReadyReadsTheInventoryAndSeesAMigrationToItsEnd(t *testing.T) {
	inWorlds(t, func(t *testing.T, w *world) {
		w.startHDM()
		w.hdm.vms = 25
		w.hdm.down = []string{"Cloud vCenter"}
		w.kernel.After(time.Minute, func() { w.hdm.down = nil })
		w.run(10*time.Minute, func(ctx context.Context, c *client.Client) {
			beat, err := c.AwaitReady(ctx)
			require.NoError(t, err)
			assert.Equal(t, protocol.Ready, beat.Status)
			assert.GreaterOrEqual(t, w.computer.Elapsed(), time.Minute)

			vms, err := c.Collect(ctx, "i-1", 10)
			require.NoError(t, err)
			require.Len(t, vms, 25)
			for i, vm := range vms {
				assert.Equal(t, fmt.Sprintf("vm-%03d", i), vm.Name)
			}

			end, err := c.Migrate(ctx, cloneOf("r-1"))
			require.NoError(t, err)
			assert.Equal(t, "completed", end.State)
			assert.EqualValues(t, 100, end.Percent)
			assert.True(t, end.Final)
		})
		for _, m := range w.sqs.Messages(w.responses()) {
			assert.Zero(t, m.Received, "what was handed over is deleted")
		}
		assert.Empty(t, w.troubles)
	})
}

func TestWhatHDMRefusesIsToldWithWhatToDo(t *testing.T) {
	inWorlds(t, func(t *testing.T, w *world) {
		w.startHDM()
		w.run(5*time.Minute, func(ctx context.Context, c *client.Client) {
			r := cloneOf("r-1")
			r.Target.Adapter = "e1000e9"
			_, err := c.Migrate(ctx, r)
			assert.EqualError(t, err, `HDM refused the request "r-1": target.adapter: no such adapter (use vmxnet3)`)
			refused := new(client.RefusedError)
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, "adapter", refused.Response.Errors[0].Code)

			w.hdm.down = []string{"Cloud vCenter"}
			_, err = c.Collect(ctx, "i-1", 0)
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, protocol.NotReady, refused.Response.Status)
		})
	})
}

func TestAMigrationThatFailsIsToldAsOneThatHasEnded(t *testing.T) {
	inWorlds(t, func(t *testing.T, w *world) {
		w.startHDM()
		w.hdm.fails = true
		w.run(5*time.Minute, func(ctx context.Context, c *client.Client) {
			end, err := c.Migrate(ctx, cloneOf("r-1"))
			require.NoError(t, err)
			assert.Equal(t, "failed", end.State)
			assert.Equal(t, []protocol.Problem{{Code: "failed", What: "the disk broke", Fix: "repair it"}}, end.Reasons)
		})
	})
}

func TestAskingAgainForAMigrationThatHasEndedIsAnsweredAgain(t *testing.T) {
	inWorlds(t, func(t *testing.T, w *world) {
		w.startHDM()
		w.run(10*time.Minute, func(ctx context.Context, c *client.Client) {
			first, err := c.Migrate(ctx, cloneOf("r-1"))
			require.NoError(t, err)
			again, err := c.Migrate(ctx, cloneOf("r-1"))
			require.NoError(t, err)
			assert.Equal(t, first.Migration, again.Migration)
			assert.True(t, again.Final)
		})
		assert.Len(t, w.hdm.orders, 1, "a request that is made twice is one")
	})
}

func TestARequestThatArrivesTwiceMigratesOnce(t *testing.T) {
	w := newWorld(t, "")
	w.startHDM()
	w.act = func(c sqs.Call) sqs.Act {
		if c.Operation == "SendMessage" && c.Queue == w.commands() {
			return sqs.Duplicate()
		}
		return sqs.Pass()
	}
	w.run(5*time.Minute, func(ctx context.Context, c *client.Client) {
		_, err := c.Migrate(ctx, cloneOf("r-1"))
		require.NoError(t, err)
	})
	assert.Len(t, w.hdm.orders, 1)
}

func TestResponsesThatComeTwiceAreHandedOverOnce(t *testing.T) {
	w := newWorld(t, "")
	w.startHDM()
	w.act = func(c sqs.Call) sqs.Act {
		if c.Queue == w.responses() && (c.Operation == "SendMessage" || c.Operation == "ReceiveMessage" && c.Nth%3 == 0) {
			return sqs.Duplicate()
		}
		return sqs.Pass()
	}
	seen := map[string]int{}
	w.run(5*time.Minute, func(ctx context.Context, c *client.Client) {
		require.NoError(t, c.Clone(ctx, cloneOf("r-1")))
		assert.ErrorIs(t, c.Watch(ctx, func(r protocol.Response) error {
			seen[r.Head().ResponseID]++
			return nil
		}), context.Canceled)
	})
	assert.Greater(t, len(seen), 10)
	for id, n := range seen {
		assert.Equal(t, 1, n, id)
	}
	var twice int
	for _, m := range w.sqs.Messages(w.responses()) {
		twice += m.Received
	}
	assert.Len(t, w.heard, len(seen))
	assert.Zero(t, twice, "copies that came were deleted")
}

func TestStatusesOfARequestComeInTheirOrderFromAFIFOQueue(t *testing.T) {
	w := newWorld(t, ".fifo")
	w.startHDM()
	var percents = map[string][]int32{}
	w.run(5*time.Minute, func(ctx context.Context, c *client.Client) {
		require.NoError(t, c.Clone(ctx, cloneOf("r-1")))
		require.NoError(t, c.Clone(ctx, cloneOf("r-2")))
		_ = c.Watch(ctx, func(r protocol.Response) error {
			if s, ok := r.(*protocol.CloneResponse); ok {
				percents[s.RequestID] = append(percents[s.RequestID], s.Percent)
			}
			return nil
		})
	})
	for _, request := range []string{"r-1", "r-2"} {
		assert.Greater(t, len(percents[request]), 3)
		assert.IsNonDecreasing(t, percents[request], request)
		assert.EqualValues(t, 100, percents[request][len(percents[request])-1])
	}
}

var errBusy = errors.New("not now")

func TestAResponseThatCouldNotBeHandledComesAgain(t *testing.T) {
	inWorlds(t, func(t *testing.T, w *world) {
		w.startHDM()
		w.run(5*time.Minute, func(ctx context.Context, c *client.Client) {
			var first, again string
			require.ErrorIs(t, c.Watch(ctx, func(r protocol.Response) error {
				first = r.Head().ResponseID
				return errBusy
			}), errBusy)
			began := w.computer.Elapsed()
			require.ErrorIs(t, c.Watch(ctx, func(r protocol.Response) error {
				again = r.Head().ResponseID
				return errBusy
			}), errBusy)
			assert.Equal(t, first, again)
			assert.Less(t, w.computer.Elapsed()-began, time.Second, "it was let go of at once")
		})
	})
}

// strangers puts messages on the response queue that no client can read, and a
// heartbeat behind them.
func strangers(ctx context.Context, w *world, bodies ...string) {
	q, err := w.endpoint().Open(ctx, w.responses())
	require.NoError(w.t, err)
	for i, body := range bodies {
		require.NoError(w.t, q.Send(ctx, bus.Message{Body: body, ID: fmt.Sprint(i), Group: "hdm-1"}))
	}
	w.say(ctx, q, beat(protocol.Ready, 0))
}

func TestAMessageThatIsNoResponseIsToldOnceAndLeftForAWhile(t *testing.T) {
	inWorlds(t, func(t *testing.T, w *world) {
		w.run(10*time.Minute, func(ctx context.Context, c *client.Client) {
			strangers(ctx, w, "hello", `{"v":1}`, `{"response_id":"x"}`, `{"v":"1","response_id":"x"}`)
			w.kernel.At(4*time.Minute, func() {
				assert.Len(t, w.heard, 1, "it keeps nothing else waiting")
				assert.Len(t, w.sqs.Messages(w.responses()), 4, "it may be another program's")
				assert.Empty(t, w.dropped)
			})
			assert.ErrorIs(t, c.Watch(ctx, func(protocol.Response) error { return nil }), context.Canceled)
		})
		assert.Len(t, w.unreadable, 4)
		assert.ElementsMatch(t, w.unreadable, w.dropped, "each is told once more when it is deleted")
		assert.Empty(t, w.sqs.Messages(w.responses()))
	})
}

func TestWhatANewerHDMSaysIsToldOnceAndDeleted(t *testing.T) {
	inWorlds(t, func(t *testing.T, w *world) {
		w.act = func(c sqs.Call) sqs.Act {
			if c.Operation == "DeleteMessage" && c.Nth == 1 {
				return sqs.Fail("ServiceUnavailable", 503) // it comes again
			}
			return sqs.Pass()
		}
		all := []string{`{"v":2,"type":"Heartbeat","response_id":"x","sent":5}`, `{"v":1,"type":"Heartbeat","response_id":"x","status":5}`}
		for i := range 10 {
			all = append(all, fmt.Sprintf(`{"v":1,"type":"Weather","response_id":"y%d"}`, i))
		}
		w.run(2*time.Minute, func(ctx context.Context, c *client.Client) {
			strangers(ctx, w, all...)
			_, err := c.AwaitReady(ctx)
			require.NoError(t, err)
			assert.Less(t, w.computer.Elapsed(), time.Minute)
		})
		assert.Len(t, w.dropped, len(all))
		assert.Empty(t, w.unreadable)
		assert.Len(t, w.troubles, 1)
	})
}

func TestNoNumberOfUnreadableMessagesKeepsAGroupWaitingForEver(t *testing.T) {
	inWorlds(t, func(t *testing.T, w *world) {
		w.run(20*time.Minute, func(ctx context.Context, c *client.Client) {
			all := make([]string, 25)
			for i := range all {
				all[i] = fmt.Sprint("hello ", i)
			}
			strangers(ctx, w, all...)
			_, err := c.AwaitReady(ctx)
			require.NoError(t, err)
		})
		assert.Len(t, w.unreadable, 25)
	})
}

func TestAQueueThatIsNotThereIsNamed(t *testing.T) {
	inWorlds(t, func(t *testing.T, w *world) {
		for _, missing := range []string{w.commands(), w.responses()} {
			require.NoError(t, w.sqs.DeleteQueue(missing))
			w.computer.Go(context.Background(), "program", func(ctx context.Context) {
				_, err := client.Open(ctx, w.config())
				assert.Equal(t, bus.Missing, bus.CauseOf(err))
				assert.ErrorContains(t, err, "the queue "+missing)
				assert.ErrorContains(t, err, "create the queue in SQS, or correct its name")
			})
			w.pass(time.Minute)
			w.pass(time.Hour) // SQS keeps the name for a minute
			require.NoError(t, w.sqs.CreateQueue(missing, nil))
		}
	})
}

func TestAClientWithoutTokenOrQueuesIsRefused(t *testing.T) {
	w := newWorld(t, "")
	for says, change := range map[string]func(*client.Config){
		"no message bus token":           func(c *client.Config) { c.Token = protocol.Secret{} },
		"the command queue and of the r": func(c *client.Config) { c.Responses = "" },
		"the names of the command queue": func(c *client.Config) { c.Commands = "" },
	} {
		config := w.config()
		change(&config)
		_, err := client.Open(context.Background(), config)
		assert.ErrorContains(t, err, says)
	}
}

func TestARequestIsSentAgainUntilTheInternetIsBack(t *testing.T) {
	inWorlds(t, func(t *testing.T, w *world) {
		w.startHDM()
		w.kernel.After(time.Minute, func() { w.offline = true })
		w.kernel.After(2*time.Minute, func() { w.offline = false })
		w.run(10*time.Minute, func(ctx context.Context, c *client.Client) {
			require.NoError(t, w.computer.Sleep(ctx, 65*time.Second))
			end, err := c.Migrate(ctx, cloneOf("r-1"))
			require.NoError(t, err)
			assert.Equal(t, "completed", end.State)
		})
		require.NotEmpty(t, w.troubles)
		assert.Equal(t, bus.Unreachable, bus.CauseOf(w.troubles[0]))
	})
}

func TestSendingGivesUpAfterAMinuteAndAHalf(t *testing.T) {
	w := newWorld(t, "")
	w.run(10*time.Minute, func(ctx context.Context, c *client.Client) {
		w.offline = true
		began := w.computer.Elapsed()
		err := c.Inventory(ctx, "i-1", 0)
		assert.Equal(t, bus.Unreachable, bus.CauseOf(err))
		assert.InDelta(t, 91, (w.computer.Elapsed() - began).Seconds(), 1)
	})
	assert.Equal(t, 8, w.fail)
}

func TestWhatStaysRefusedIsNotSentAgain(t *testing.T) {
	w := newWorld(t, "")
	w.run(time.Minute, func(ctx context.Context, c *client.Client) {
		w.act = func(sqs.Call) sqs.Act { return sqs.Fail("AccessDenied", 403) }
		assert.Equal(t, bus.Refused, bus.CauseOf(c.Inventory(ctx, "i-1", 0)))
		assert.Equal(t, bus.Refused, bus.CauseOf(c.Watch(ctx, func(protocol.Response) error { return nil })))
	})
	assert.Empty(t, w.troubles)
}

func TestWatchOutlastsAnOutage(t *testing.T) {
	inWorlds(t, func(t *testing.T, w *world) {
		w.startHDM()
		w.kernel.After(time.Minute, func() { w.offline = true })
		w.kernel.After(2*time.Hour, func() { w.offline = false })
		var last time.Time
		w.run(3*time.Hour, func(ctx context.Context, c *client.Client) {
			assert.ErrorIs(t, c.Watch(ctx, func(r protocol.Response) error {
				last = r.Head().Sent
				return nil
			}), context.Canceled)
		})
		assert.Less(t, w.computer.Now().Sub(last), time.Minute)
		assert.Less(t, len(w.troubles), 300, "it waits between its tries")
	})
}

func TestARequestThatHDMWouldRefuseIsNotSent(t *testing.T) {
	w := newWorld(t, "")
	w.run(time.Minute, func(ctx context.Context, c *client.Client) {
		refusal := new(protocol.Refusal)
		require.ErrorAs(t, c.Clone(ctx, cloneOf("a name with blanks")), &refusal)
		assert.NotContains(t, refusal.Error(), secret)
		require.ErrorAs(t, c.Inventory(ctx, "i-1", -1), &refusal)
	})
	assert.Empty(t, w.sqs.Messages(w.commands()))
}

func TestOneTaskListensAtATime(t *testing.T) {
	w := newWorld(t, "")
	w.run(time.Minute, func(ctx context.Context, c *client.Client) {
		hear := func(protocol.Response) error { return nil }
		task := w.computer.Go(ctx, "first", func(ctx context.Context) { _ = c.Watch(ctx, hear) })
		require.NoError(t, w.computer.Sleep(ctx, time.Second))
		assert.ErrorIs(t, c.Watch(ctx, hear), client.ErrListening)
		task.Cancel()
		require.NoError(t, task.Wait(ctx))
		_, err := c.AwaitReady(ctx)
		assert.ErrorIs(t, err, context.Canceled, "it may listen once the first is done")
	})
}

func TestAClientWithoutTheRightTokenIsToldSo(t *testing.T) {
	inWorlds(t, func(t *testing.T, w *world) {
		w.startHDM()
		w.run(5*time.Minute, func(ctx context.Context, c *client.Client) {
			c.Token = protocol.NewSecret("another")
			_, err := c.Migrate(ctx, cloneOf("r-1"))
			assert.ErrorContains(t, err, "token: it is missing, or not the message bus token of this appliance")
			_, err = c.Collect(ctx, "i-1", 0)
			assert.ErrorContains(t, err, "token: it is missing")
			_, err = c.TellBulkDone(ctx, "d-1", "r-1", true)
			assert.ErrorContains(t, err, "token: it is missing")
			assert.NotContains(t, err.Error(), "another")
		})
	})
}

func TestARefusalByTheNameOfTheMessageIsHeard(t *testing.T) {
	refusal := &protocol.ErrorResponse{MessageID: "m-1", Errors: []protocol.Problem{{What: "no token"}}}
	mine, others := client.Follow{Request: "r-1"}, client.Follow{Request: "r-2"}
	mine.Message, others.Message = "m-1", "m-2"
	require.NoError(t, mine.Hear(refusal))
	require.NoError(t, others.Hear(refusal))
	assert.True(t, mine.Complete())
	assert.False(t, others.Complete())
}

// conflict is HDM's answer to a message with another order under the name of a
// request that it has.
func conflict(request, message string) *protocol.ErrorResponse {
	r := &protocol.ErrorResponse{MessageID: message, Errors: []protocol.Problem{{Code: "request", Field: "request_id", What: "it is another order's"}}}
	r.RequestID = request
	return r
}

func TestAnErrorThatIsNotFinalEndsOnlyTheConversationOfItsMessage(t *testing.T) {
	first, second := client.Follow{Request: "r-1"}, client.Follow{Request: "r-1"}
	first.Message, second.Message = "m-1", "m-2"
	nameless, pages := client.Follow{Request: "r-1"}, client.Gather{Request: "r-1"}
	pages.Message = "m-1"
	for _, hear := range []func(protocol.Response) error{first.Hear, second.Hear, nameless.Hear, pages.Hear} {
		require.NoError(t, hear(conflict("r-1", "m-2")))
	}
	assert.False(t, first.Complete())
	assert.False(t, nameless.Complete())
	assert.False(t, pages.Complete())
	assert.True(t, second.Complete())

	pages.Message = "m-2"
	require.NoError(t, pages.Hear(conflict("r-1", "m-2")))
	assert.True(t, pages.Complete())
	final := conflict("r-1", "m-3")
	final.Final = true
	require.NoError(t, first.Hear(final))
	assert.True(t, first.Complete(), "this one is the end of the request")
}

func TestAnErrorToAnotherMessageDoesNotEndAConversation(t *testing.T) {
	inWorlds(t, func(t *testing.T, w *world) {
		asked := w.answer(func(string) []protocol.Response {
			done := &protocol.BulkDoneResponse{Clone: "r-1", Complete: true, Final: true}
			end := &protocol.CloneResponse{State: "completed", Percent: 100, Final: true}
			page := &protocol.InventoryResponse{Reading: "a", Page: 1, Pages: 1, VMs: []protocol.VM{}}
			return []protocol.Response{conflict("", "another"), end, done, page}
		})
		w.run(10*time.Minute, func(ctx context.Context, c *client.Client) {
			end, err := c.Migrate(ctx, cloneOf("r-1"))
			require.NoError(t, err)
			assert.Equal(t, "completed", end.State)
			_, err = c.Collect(ctx, "i-1", 0)
			require.NoError(t, err)
			done, err := c.TellBulkDone(ctx, "d-1", "r-1", true)
			require.NoError(t, err)
			assert.True(t, done.Complete)
		})
		assert.Equal(t, 3, *asked)
	})
}

func TestWhoeverTakesTheNameOfAnothersRequestIsRefused(t *testing.T) {
	inWorlds(t, func(t *testing.T, w *world) {
		w.answer(func(message string) []protocol.Response { return []protocol.Response{conflict("", message)} })
		w.run(10*time.Minute, func(ctx context.Context, c *client.Client) {
			refused := new(client.RefusedError)
			_, err := c.Migrate(ctx, cloneOf("r-1"))
			require.ErrorAs(t, err, &refused)
			assert.False(t, refused.Response.Final)
			_, err = c.Collect(ctx, "i-1", 0)
			assert.ErrorAs(t, err, &refused)
			_, err = c.TellBulkDone(ctx, "d-1", "r-1", true)
			assert.ErrorAs(t, err, &refused)
		})
	})
}

// beat is a heartbeat of that second.
func beat(status protocol.Status, second int) *protocol.Heartbeat {
	b := &protocol.Heartbeat{Status: status, Every: 30}
	b.Sent = time.Date(2026, 1, 1, 12, 0, second, 0, time.UTC)
	return b
}

// readyOf is the heartbeat that a client is content with, of these in this order
// and one that says Ready an hour later.
func readyOf(t *testing.T, end string, beats ...*protocol.Heartbeat) *protocol.Heartbeat {
	w, got := newWorld(t, end), (*protocol.Heartbeat)(nil)
	w.run(2*time.Hour, func(ctx context.Context, c *client.Client) {
		q, err := w.endpoint().Open(ctx, w.responses())
		require.NoError(t, err)
		w.computer.Go(ctx, "hdm", func(ctx context.Context) {
			for _, b := range beats {
				w.say(ctx, q, b)
			}
			if w.computer.Sleep(ctx, time.Hour) == nil {
				w.say(ctx, q, beat(protocol.Ready, 59))
			}
		})
		require.NoError(t, w.computer.Sleep(ctx, time.Minute)) // so that they come at once
		got, err = c.AwaitReady(ctx)
		require.NoError(t, err)
	})
	return got
}

func TestAnOlderHeartbeatThatComesLateIsNotBelieved(t *testing.T) {
	assert.Equal(t, 59, readyOf(t, "", beat(protocol.NotReady, 2), beat(protocol.Ready, 1)).Sent.Second())
	assert.Equal(t, 2, readyOf(t, "", beat(protocol.NotReady, 2), beat(protocol.Ready, 2)).Sent.Second(), "of one moment the last counts")
	assert.Equal(t, 3, readyOf(t, "", beat(protocol.Ready, 3), beat(protocol.NotReady, 2)).Sent.Second())
	assert.Equal(t, 1, readyOf(t, ".fifo", beat(protocol.NotReady, 2), beat(protocol.Ready, 1)).Sent.Second(), "in a FIFO queue the clock was set back")
}

// stopped listens until the first of three heartbeats comes, and is cancelled then.
func stopped(ctx context.Context, w *world, c *client.Client) {
	q, err := w.endpoint().Open(ctx, w.responses())
	require.NoError(w.t, err)
	for i := range 3 {
		w.say(ctx, q, beat(protocol.Ready, i))
	}
	within, cancel := w.computer.WithCancel(ctx)
	assert.ErrorIs(w.t, c.Watch(within, func(protocol.Response) error {
		cancel()
		return nil
	}), context.Canceled)
}

func TestWhatACancelledListenerHadComesToTheNextOneAtOnce(t *testing.T) {
	inWorlds(t, func(t *testing.T, w *world) {
		w.run(10*time.Minute, func(ctx context.Context, c *client.Client) {
			stopped(ctx, w, c)
			began, seen := w.computer.Elapsed(), 0
			next, err := client.Open(ctx, w.config())
			require.NoError(t, err)
			require.ErrorIs(t, next.Watch(ctx, func(protocol.Response) error {
				if seen++; seen < 3 {
					return nil
				}
				return errBusy
			}), errBusy)
			assert.Less(t, w.computer.Elapsed()-began, time.Second)
		})
	})
}

func TestACancelledListenerDoesNotTryForLong(t *testing.T) {
	for name, act := range map[string]struct {
		act   sqs.Act
		calls int
		last  float64 // seconds
	}{
		"SQS is busy":         {sqs.Fail("ServiceUnavailable", 503), 3, 0},
		"SQS refuses":         {sqs.Fail("ReceiptHandleIsInvalid", 400), 3, 0},
		"SQS does not answer": {sqs.Late(time.Hour), 1, 5},
	} {
		t.Run(name, func(t *testing.T) {
			w, calls := newWorld(t, ""), 0
			w.act = func(c sqs.Call) sqs.Act {
				if c.Operation != "ChangeMessageVisibility" {
					return sqs.Pass()
				}
				calls++
				return act.act
			}
			w.run(10*time.Minute, func(ctx context.Context, c *client.Client) {
				began := w.computer.Elapsed()
				stopped(ctx, w, c)
				assert.InDelta(t, act.last, (w.computer.Elapsed() - began).Seconds(), 1)
			})
			assert.Equal(t, act.calls, calls)
		})
	}
}
