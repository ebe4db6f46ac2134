//go:build check

package sqsclients

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/bus"
	"github.com/hdm-project/hdm/core/client"
	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/protocol"
	"github.com/hdm-project/hdm/core/runtime"
	"github.com/hdm-project/hdm/core/vsphere"
)

// TestBothEndsOfTheBusWorkOnAServiceOfOtherHands: HDM's and ours, unchanged but
// for the address.
func TestBothEndsOfTheBusWorkOnAServiceOfOtherHands(t *testing.T) {
	endpoint := bus.Endpoint{URL: startFauxqs(t), Region: "us-east-1"}
	for _, end := range []string{".fifo", ""} {
		t.Run("queues"+end, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			defer cancel()
			c, heard := talk(ctx, t, endpoint, "commands"+end, "responses"+end)

			beat, err := c.AwaitReady(ctx)
			require.NoError(t, err)
			assert.Equal(t, "All the components are deployed and up.", beat.Details)

			vms, err := c.Collect(ctx, "inventory-1", 10)
			require.NoError(t, err)
			require.Len(t, vms, 25)
			for i, vm := range vms {
				assert.Equal(t, fmt.Sprintf("vm-%02d", i), vm.Name)
			}

			order := protocol.CloneRequest{RequestHead: protocol.RequestHead{RequestID: "clone-1"}, VM: "vm-01", Mode: protocol.Cold}
			done, err := c.Migrate(ctx, order)
			require.NoError(t, err)
			assert.Equal(t, "completed", done.State)
			assert.EqualValues(t, 100, done.Percent)

			_, err = c.TellBulkDone(ctx, "done-1", "clone-1", true)
			refused := new(client.RefusedError)
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, bus.CodeNotWaiting, refused.Response.Errors[0].Code)

			assert.Equal(t, 3, heard.pages, "25 VMs, 10 on a page")
			assert.Positive(t, heard.beats)
			assert.Greater(t, heard.statuses, 1, "a status on the way, and the end")
			assert.Empty(t, heard.trouble)
		})
	}
}

// talk starts HDM's end on queues of these names, and opens ours.
func talk(ctx context.Context, t *testing.T, endpoint bus.Endpoint, commands, responses string) (*client.Client, *listener) {
	for _, name := range []string{commands, responses} {
		_, err := endpoint.Create(ctx, name)
		require.NoError(t, err)
	}
	rt, token, heard := runtime.NewLive(), protocol.NewSecret("a token"), &listener{}
	_, err := bus.Start(ctx, bus.Config{
		Runtime: rt, Appliance: &quick{runtime: rt}, ID: "hdm-1", Endpoint: endpoint, Commands: commands, Responses: responses, Token: token,
	})
	require.NoError(t, err)
	c, err := client.Open(ctx, client.Config{
		Runtime: rt, Endpoint: endpoint, Commands: commands, Responses: responses, Token: token, Observer: heard,
	})
	require.NoError(t, err)
	return c, heard
}

// listener counts what a client hears.
type listener struct {
	beats, pages, statuses int
	trouble                []string
}

func (l *listener) Heard(r protocol.Response) {
	switch r.(type) {
	case *protocol.Heartbeat:
		l.beats++
	case *protocol.InventoryResponse:
		l.pages++
	case *protocol.CloneResponse:
		l.statuses++
	}
}
func (l *listener) Unreadable(_ string, err error) { l.trouble = append(l.trouble, err.Error()) }
func (l *listener) Trouble(err error)              { l.trouble = append(l.trouble, err.Error()) }

// quick is an appliance with 25 VMs, whose one migration takes twelve seconds.
type quick struct {
	runtime runtime.Runtime

	mu    sync.Mutex
	one   appliance.Status
	known bool
	began time.Duration
}

func (q *quick) Health() health.State { return health.Of(nil, nil) }
func (q *quick) Booted() bool         { return true }
func (q *quick) Epoch() int           { return 1 }
func (q *quick) Incarnation() string  { return "00c0ffee" }

func (q *quick) Order(o migration.Order) (appliance.Answer, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.known {
		return appliance.Answer{Outcome: appliance.Duplicate}, nil
	}
	q.known, q.began = true, q.runtime.Elapsed()
	q.one.ID, q.one.Order, q.one.State, q.one.Step = "m-0001", o, migration.Running, migration.StepTransfer
	return appliance.Answer{Migration: q.one.ID}, nil
}

func (q *quick) Find(request string) (appliance.Status, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.one, q.known && q.one.Order.Request == request
}

func (q *quick) Unanswered() []appliance.Status {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.known || q.one.Responses.Final {
		return nil
	}
	if q.runtime.Elapsed()-q.began > 12*time.Second {
		q.one.State = migration.Completed
	}
	return []appliance.Status{q.one}
}

func (q *quick) Responded(_ migration.ID, told migration.Responded) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.one.Responses.Count++
	q.one.Responses.Percent, q.one.Responses.Final = told.Percent, told.Final
	return nil
}

func (q *quick) Inventory(context.Context) ([]migration.Offered, error) {
	all := make([]migration.Offered, 25)
	for i := range all {
		all[i].VM = vsphere.VM{Name: fmt.Sprintf("vm-%02d", i)}
	}
	return all, nil
}

func (q *quick) Say(context.Context, string, migration.Word) (appliance.Answer, error) {
	return appliance.Answer{Outcome: appliance.Rejected, Reasons: []migration.Reason{{Code: migration.CodeOrder, What: "it waits for nothing"}}}, nil
}
