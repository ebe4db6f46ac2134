package component

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hdm-project/hdm/core/vsphere"
)

// request is one command with what is said of it to people.
type request struct {
	op, object, vm string
	progress       func(vsphere.Progress) // may be nil
}

// do has a command done: it sends it, again if need be, and asks until it is
// known what became of it. The key makes every repetition the same command.
//
//	not taken up --- completion: running ---> taken up --- done, failed --> over
//	  |  unreachable: give up at once           |  silent for Patience: give up
//	  |  no answer: send again, tries times     |  else ask again
func (c *Client) do(ctx context.Context, r request, cmd Command) (Completion, error) {
	cmd.Key = c.key()
	asked := asking{client: c, request: r, began: c.cfg.Runtime.Elapsed()}
	for {
		done, err := c.cfg.Link.Call(ctx, r.vm, cmd)
		if err != nil {
			if err := asked.silent(err); err != nil {
				return Completion{}, err
			}
		} else {
			asked.heard(done)
			cmd.Epoch = done.Epoch // another incarnation has forgotten the command
			switch done.State {
			case Done:
				return done, nil
			case Failed:
				return Completion{}, fail(r, done.Error.Class, done.Error, done.Error.Hint)
			}
		}
		if err := c.cfg.Runtime.Sleep(ctx, asked.pause()); err != nil {
			return Completion{}, fail(r, vsphere.Cancelled, err, "")
		}
	}
}

func (c *Client) key() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys++
	return fmt.Sprintf("%s/%d", c.cfg.Name, c.keys)
}

// asking is how far a command is.
type asking struct {
	client  *Client
	request request
	began   time.Duration
	polls   int
	taken   bool
	sent    int
	// quiet is since when nothing was heard, and downSince since when the way was
	// found down; negative: it is not so.
	isQuiet, isDown  bool
	quiet, downSince time.Duration
}

func (a *asking) heard(c Completion) {
	a.taken, a.isQuiet, a.isDown = true, false, false
	if a.request.progress != nil && c.Progress != nil {
		a.request.progress(*c.Progress)
	}
}

// silent notes that a call got no answer, and returns an error once it is time
// to give up.
func (a *asking) silent(err error) error {
	now := a.client.cfg.Runtime.Elapsed()
	class := vsphere.ClassOf(err)
	a.sent++
	if !a.isQuiet {
		a.isQuiet, a.quiet = true, now
	}
	switch {
	case class != vsphere.Unreachable:
		a.isDown = false
	case !a.isDown:
		// The link tells it after it has waited for the way to come up.
		a.isDown, a.downSince = true, max(a.began, now-waited(err))
	}
	switch {
	case class != vsphere.Unreachable && class != vsphere.Retryable:
	case a.taken && now-a.quiet < Patience:
		return nil
	case !a.taken && class == vsphere.Retryable && a.sent < tries:
		return nil
	}
	e := fail(a.request, class, err, "")
	if a.isDown {
		e.Down = now - a.downSince
	}
	e.Unknown = a.taken || class == vsphere.Retryable
	return e
}

// waited is for how long a link had waited when it returned err.
func waited(err error) time.Duration {
	var w interface{ Waited() time.Duration }
	if errors.As(err, &w) {
		return w.Waited()
	}
	return 0
}

// pause is how long to wait before the next call: twice as long each time.
func (a *asking) pause() time.Duration {
	d := min(firstPoll<<min(a.polls, 10), lastPoll)
	a.polls++
	return d
}

func fail(r request, class vsphere.Class, err error, hint string) *vsphere.Error {
	if hint == "" && class == vsphere.Unreachable {
		hint = "check the network between the appliance and " + r.vm
	}
	return &vsphere.Error{Site: SiteOf(r.vm), Op: r.op, Object: r.object, Class: class, Hint: hint, Err: err}
}
