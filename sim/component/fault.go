package component

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/event"
)

// Act is what becomes of a command on its way.
type Act uint8

// The acts.
const (
	Pass       Act = iota
	LoseAnswer     // it is taken up, and the answer does not arrive
	Hang           // it is taken up once whoever sent it has stopped waiting
)

// act is what becomes of a command.
func (h *Host) act(vm string, c component.Command) Act {
	if h.Intercept == nil {
		return Pass
	}
	return h.Intercept(vm, c)
}

// failure is what a device can do to whoever uses it.
type failure struct {
	err  error
	name string // in the trace
}

var failures = []failure{{disk.ErrIO, "EIO"}, {disk.ErrNoSpace, "ENOSPC"}, {disk.ErrTorn, "torn"}, {disk.ErrLost, "lost"}}

// FailDevice makes the next n operations of a kind on a disk of a component VM
// end with err, or all until HealDevice if n is 0: disk.ErrIO, disk.ErrNoSpace,
// and of those that nobody is told of disk.ErrTorn (writes) and disk.ErrLost
// (writes, and flushes: a disk that lies). The disk has one such fault at a
// time. The first operation that it hits is in the trace; met hears of each, by
// its number from 1, and must leave the disk alone; nil: nobody does.
func (h *Host) FailDevice(vm string, use deployment.Use, op disk.Op, err error, n int, met func(hit int)) error {
	d, known := h.Disk(vm, use)
	if known != nil {
		return known
	}
	i := slices.IndexFunc(failures, func(f failure) bool { return errors.Is(err, f.err) })
	switch {
	case i < 0:
		return fmt.Errorf("%w is not what a device does: give EIO, ENOSPC, torn or lost", err)
	case op != disk.Read && op != disk.Write && op != disk.Flush, errors.Is(err, disk.ErrTorn) && op != disk.Write, errors.Is(err, disk.ErrLost) && op == disk.Read:
		return fmt.Errorf("a %q of a disk cannot be %s", op, failures[i].name)
	case n < 0:
		return fmt.Errorf("%d operations cannot fail: give 0 for all, or more", n)
	}
	hit := 0
	d.SetFault(func(o disk.Op, _ int64, _ int) error {
		if o != op || n > 0 && hit >= n {
			return nil
		}
		if hit++; hit == 1 {
			h.cfg.Kernel.Emit(event.DiskError, vm, "disk", string(use), "op", string(op), "error", failures[i].name)
		}
		if met != nil {
			met(hit)
		}
		return err
	})
	return nil
}

// HealDevice ends what FailDevice began. What was lost stays lost.
func (h *Host) HealDevice(vm string, use deployment.Use) error {
	d, err := h.Disk(vm, use)
	if err == nil {
		d.Heal()
	}
	return err
}

// Disk is the disk of that use of a component VM, whether that is on or not.
func (h *Host) Disk(vm string, use deployment.Use) (*disk.Disk, error) {
	site := component.SiteOf(vm)
	v, ok := h.at(site).VM(vm)
	if !ok {
		return nil, fmt.Errorf("there is no component VM %s", vm)
	}
	n, ok := h.described(site, v)
	if !ok {
		return nil, fmt.Errorf("%s is no component VM", vm)
	}
	d, ok := n.disk(use)
	if !ok {
		return nil, fmt.Errorf("%s has no disk for its %s", vm, use)
	}
	return d, nil
}
