package datapath

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/gateway"
	"github.com/hdm-project/hdm/core/home"
	"github.com/hdm-project/hdm/core/vsphere"
)

// Sources opens the disks of a VM on premises by their keys. It refuses a VM
// that is powered on. An error's class is that of vsphere.ClassOf.
type Sources interface {
	OpenSource(vm vsphere.Ref, disks []component.BoundDisk) ([]Device, error)
}

// mostPeers bounds the cloud caches that an IO manager talks to.
const mostPeers = 128

// HomeConfig of an IOManager. Everything is needed.
type HomeConfig struct {
	Epoch   uint64 // of this start of the service
	Stage   Device
	Sources Sources
	Gateway gateway.Config
}

// IOManager is the service of that name on premises: the homes of the VMs that
// run in the cloud.
type IOManager struct {
	cfg      HomeConfig
	volume   *volume
	homes    []*residence // in the order in which they were opened
	channels []*channel
	lanes    []bool
	jobs     jobs
	now      time.Duration
	room     home.Room // of the message that is being handled
}

// residence is one VM's home.
type residence struct {
	entry   *entry
	home    *home.Home // nil: its disks could not be opened yet
	why     error      // then
	staging bool       // a flush is open: its room on the stage is needed
}

// NewIOManager starts the service on its stage: with the homes that it had, or
// none. A home whose disks cannot be opened now, or whose stage is damaged,
// stays closed and says why to whoever asks for something. Errors wrap
// ErrDevice.
func NewIOManager(cfg HomeConfig) (*IOManager, error) {
	v, err := openVolume(cfg.Stage, false)
	if err != nil {
		return nil, err
	}
	m := &IOManager{cfg: cfg, volume: v, jobs: newJobs(cfg.Epoch)}
	v.reclaim = m.reclaim
	for _, e := range v.entries {
		r := &residence{entry: e}
		m.homes = append(m.homes, r)
		m.open(r)
	}
	return m, nil
}

// open the home of a binding.
func (m *IOManager) open(r *residence) {
	disks, err := m.cfg.Sources.OpenSource(r.entry.Binding.Source, r.entry.Binding.Disks)
	if err != nil {
		r.why = err
		return
	}
	opened := make([]home.Disk, len(disks))
	for i, d := range disks {
		opened[i] = d
	}
	r.home, r.why = home.Open(window{m.volume, r.entry}, opened)
}

// reclaim lets go of the room of homes that have no flush: the records at its
// head are all that counts then.
func (m *IOManager) reclaim() {
	for _, r := range m.homes {
		if r.home != nil && !r.staging {
			m.volume.release(r.entry, 1)
		}
	}
}

// Command takes a command, or tells what became of one that it knows.
func (m *IOManager) Command(now time.Duration, cmd component.Command) component.Completion {
	m.now = now
	j, fresh := m.jobs.take(cmd)
	if !fresh {
		return j.done
	}
	switch cmd.Verb {
	case component.Open:
		m.openHome(j)
	case component.Close:
		m.closeHome(j)
	case component.Report:
		for _, r := range m.homes {
			s := component.Status{ID: r.entry.Binding.ID, Group: r.entry.Binding.Group, Quota: r.entry.Binding.Quota}
			if r.home == nil { // then a flush that is decided may have to be completed
				m.open(r)
			}
			if r.home != nil {
				s.Last = r.home.Last()
			}
			j.done.Status = append(j.done.Status, s)
		}
		j.succeed()
	default:
		j.refuse(fmt.Sprintf("the IO manager does not know how to %s", cmd.Verb), "")
	}
	return j.done
}

func (m *IOManager) openHome(j *job) {
	b := j.command.Bind
	if b == nil {
		j.refuse("a home needs the VM's disks", "")
		return
	}
	i := slices.IndexFunc(m.homes, func(r *residence) bool { return r.entry.Binding.ID == b.ID })
	if i >= 0 {
		r := m.homes[i]
		if !same(r.entry.Binding, *b) {
			j.refuse("another VM is bound by that name", "release it first")
			return
		}
		if r.home == nil {
			m.open(r)
		}
		m.tellOpened(j, r)
		return
	}
	if len(m.homes) >= component.MaxBindings {
		j.refuse("this IO manager has no room for another VM", "migrate VMs back, or deploy a larger mode")
		return
	}
	r := &residence{entry: &entry{Binding: *b, Tag: m.volume.unique()}}
	r.entry.Stream = uint32(r.entry.Tag)
	if err := m.volume.add(r.entry, 1, blank); err != nil {
		class, hint := vsphere.Retryable, ""
		if errors.Is(err, ErrFull) {
			class, hint = vsphere.Refused, "migrate VMs back, or deploy a larger mode"
		}
		j.fail(class, "the stage: "+err.Error(), hint)
		return
	}
	m.open(r)
	if r.home == nil { // nothing half done
		m.tellOpened(j, r)
		if err := m.volume.remove(r.entry); err != nil {
			m.homes = append(m.homes, r) // it is written down, and stays closed
		}
		return
	}
	m.homes = append(m.homes, r)
	m.tellOpened(j, r)
}

func (m *IOManager) tellOpened(j *job, r *residence) {
	if r.home == nil {
		j.fail(vsphere.ClassOf(r.why), "opening the VM's disks: "+r.why.Error(), "")
		return
	}
	j.done.Stream = r.entry.Stream
	j.succeed()
}

func (m *IOManager) closeHome(j *job) {
	for _, id := range j.command.IDs {
		i := slices.IndexFunc(m.homes, func(r *residence) bool { return r.entry.Binding.ID == id })
		if i < 0 {
			continue
		}
		// A flush that is decided and not applied as a whole is on the stage alone:
		// whoever lets go of it leaves the disks torn.
		if r := m.homes[i]; r.home == nil {
			if m.open(r); r.home == nil {
				j.fail(vsphere.ClassOf(r.why), "opening the VM's disks, to see whether a flush has to be completed: "+r.why.Error(), "see that the VM is there and off, on premises")
				return
			}
		}
		if err := m.volume.remove(m.homes[i].entry); err != nil {
			j.fail(vsphere.Retryable, err.Error(), "")
			return
		}
		// Its cache may have died, or have been let go of, before it heard of this one.
		j.done.Flushed = append(j.done.Flushed, component.Flushed{ID: id, Number: m.homes[i].home.Last()})
		m.homes = slices.Delete(m.homes, i, i+1)
	}
	j.succeed()
}

// Arrived takes a frame from a component VM that has a cloud cache.
func (m *IOManager) Arrived(now time.Duration, from string, lane int, frame []byte) {
	m.now = now
	i := slices.IndexFunc(m.channels, func(c *channel) bool { return c.peer == from })
	if i < 0 {
		if len(m.channels) >= mostPeers {
			return
		}
		i = len(m.channels)
		c := newChannel(from, m.cfg.Gateway)
		for lane, up := range m.lanes {
			c.end.Lane(now, lane, up)
		}
		m.channels = append(m.channels, c)
	}
	m.channels[i].end.Arrived(now, lane, frame)
	m.channels[i].wake = 0
}

// Lane says that a lane is down or up.
func (m *IOManager) Lane(now time.Duration, lane int, up bool) {
	for len(m.lanes) <= lane {
		m.lanes = append(m.lanes, true)
	}
	m.lanes[lane] = up
	for _, c := range m.channels {
		c.end.Lane(now, lane, up)
		c.wake = 0
	}
}

// Failure is why the service cannot go on: its stage cannot be read or written,
// again and again. It says nothing from then on, and whoever runs it must end
// it: another start finds what is on the stage. One that is full only makes
// flushes fail.
func (m *IOManager) Failure() error { return m.volume.dev.failed }

// Poll does what is due at now: after Arrived, Lane and Command, and at Wake.
func (m *IOManager) Poll(now time.Duration) Out {
	m.now = now
	out := m.poll(now)
	if m.Failure() != nil {
		return Out{Wake: Never}
	}
	return out
}

func (m *IOManager) poll(now time.Duration) Out {
	out := Out{Wake: Never}
	for range mostRounds {
		active := false
		for _, c := range m.channels {
			if c.wake > now {
				continue
			}
			got := c.poll(now)
			out.Frames = frames(c.peer, got.Frames, out.Frames)
			for _, msg := range got.Delivered {
				m.delivered(c, msg)
				c.end.Return(msg.Payload)
			}
			active = active || len(got.Delivered) > 0 || got.Room || c.wake <= now
		}
		if !active {
			break
		}
	}
	for _, c := range m.channels {
		out.Wake = min(out.Wake, c.wake)
	}
	return out
}

// delivered does what a cloud cache asks for. What cannot be read is no
// message of ours.
func (m *IOManager) delivered(c *channel, msg gateway.Message) {
	asked, err := m.room.Decode(msg.Payload)
	if err != nil {
		return
	}
	i := slices.IndexFunc(m.homes, func(r *residence) bool { return r.entry.Stream == msg.Stream/2 })
	if i < 0 || m.homes[i].home == nil {
		why := "no VM is at home here under that stream"
		if i >= 0 {
			why = m.homes[i].why.Error()
		}
		c.send(msg.Stream, home.Message{
			Kind: home.Failed, ID: asked.ID, Number: asked.Number, Code: home.Device, Text: why[:min(len(why), home.MaxText)],
		})
		return
	}
	r := m.homes[i]
	if asked.Kind == home.Begin {
		r.staging = true
	}
	if answer, ok := r.home.Handle(asked); ok {
		if answer.Kind == home.Applied {
			r.staging = false
		}
		c.send(msg.Stream, answer)
	}
}
