package datapath

import (
	"fmt"
	"slices"
	"time"

	"github.com/hdm-project/hdm/core/cache"
	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/vsphere"
)

// How a reconcile goes.
const (
	copyBlocks  = 256       // at a time
	reconcileAt = 256 << 20 // bytes/s: the compute VM needs its disks, too
)

// reconcile is one pass over the blocks that changed and were not copied yet. A
// block that is written after it was taken is changed again, and so is left for
// the next pass; what was taken and not copied, when a pass fails, is the first
// of the next one.
type reconcile struct {
	job     *job
	binding *binding
	image   []Device
	total   int // blocks of this pass
	done    int
	batch   []cache.BlockRef // taken, in order, not copied
	waiting int              // reads of the batch that are not done
	failure error
	since   time.Duration // when the next batch may begin
}

func (c *CloudCache) startReconcile(j *job) {
	b, ok := c.named(j)
	switch {
	case !ok:
		return
	case j.command.Image == "":
		j.refuse("a reconcile needs an image", "")
		return
	case b.damage != nil:
		j.refuse(b.damage.Error(), "discard it")
		return
	case b.cache.Stats().Recovered:
		j.refuse("the cloud cache has restarted since the VM was bound, and does not know everything that was written", "transfer the VM again")
		return
	}
	if i := slices.IndexFunc(c.copying, func(r *reconcile) bool { return r.binding == b }); i >= 0 {
		c.copying[i].join(j)
		return
	}
	image, err := c.cfg.Images.OpenImage(j.command.Image)
	if err != nil {
		j.fail(vsphere.ClassOf(err), err.Error(), "")
		return
	}
	if len(image) != len(b.entry.Binding.Disks) {
		j.refuse(fmt.Sprintf("the image has %d disks, the VM %d", len(image), len(b.entry.Binding.Disks)), "transfer the VM again")
		return
	}
	for i, d := range b.entry.Binding.Disks {
		if image[i].Capacity() != d.Capacity {
			j.refuse(fmt.Sprintf("disk %d of the image has %d bytes, the VM's %d", i, image[i].Capacity(), d.Capacity), "transfer the VM again")
			return
		}
	}
	r := &reconcile{job: j, binding: b, image: image, total: b.cache.Changed() + len(b.pending), since: c.now}
	c.copying = append(c.copying, r)
	c.copyOn()
}

// join lets a pass that is under way answer to a later command: nobody waits for
// the first one any more once the appliance has restarted, and a pass may take
// longer than the tries of the second.
func (r *reconcile) join(j *job) {
	if j.command.Image != r.job.command.Image {
		j.fail(vsphere.Retryable, "it is being reconciled with another image", "wait until that is done")
		return
	}
	r.job.fail(vsphere.Retryable, "a later command goes on with it", "")
	r.job = j
	j.done.Progress = r.progress()
}

// copyOn goes on with every reconcile that has nothing to wait for.
func (c *CloudCache) copyOn() {
	for _, r := range slices.Clone(c.copying) {
		for r.waiting == 0 && r.job.done.State == component.Running && r.since <= c.now {
			if r.failure != nil || r.done >= r.total {
				c.endPass(r)
				break
			}
			r.next()
		}
	}
}

// next takes a batch and reads it through the cache: what is not held comes
// from the home.
func (r *reconcile) next() {
	b := r.binding
	n := min(copyBlocks, r.total-r.done)
	if missing := n - len(b.pending); missing > 0 {
		b.pending = append(b.pending, b.cache.TakeChanged(missing)...)
	}
	r.batch = slices.Clone(b.pending[:min(n, len(b.pending))])
	r.since = b.owner.now + time.Duration(len(r.batch))*cache.BlockSize*time.Second/reconcileAt
	r.waiting = len(r.batch) + 1 // and this function, so that nothing ends before all have begun
	if len(r.batch) == 0 {
		r.done = r.total // less has changed than was counted: it was copied by a pass before
	}
	for _, ref := range r.batch {
		at := ref.Block * cache.BlockSize
		data := make([]byte, min(cache.BlockSize, b.entry.Binding.Disks[ref.Disk].Capacity-at))
		b.submit(cache.Request{Kind: cache.Read, Disk: ref.Disk, Off: at, Data: data}, func(err error) {
			if err == nil {
				_, err = r.image[ref.Disk].WriteAt(data, at)
			}
			r.copied(err)
		})
	}
	r.copied(nil)
}

// copied counts a read of the batch as done. A batch that failed stays pending
// as a whole.
func (r *reconcile) copied(err error) {
	if err != nil && r.failure == nil {
		r.failure = err
	}
	r.waiting--
	if r.waiting > 0 || r.failure != nil {
		return
	}
	r.binding.pending = slices.Delete(r.binding.pending, 0, len(r.batch))
	r.done += len(r.batch)
	r.job.done.Progress = r.progress()
}

func (r *reconcile) progress() *vsphere.Progress {
	p := &vsphere.Progress{Bytes: int64(r.done) * cache.BlockSize, Total: int64(r.total) * cache.BlockSize, Percent: 100}
	if r.total > 0 {
		p.Percent = int32(min(100, int64(r.done)*100/int64(r.total)))
	}
	return p
}

// endPass makes what was copied durable in the image and ends the command.
func (c *CloudCache) endPass(r *reconcile) {
	c.copying = slices.DeleteFunc(c.copying, func(o *reconcile) bool { return o == r })
	for _, d := range r.image {
		if err := d.Flush(); err != nil && r.failure == nil {
			r.failure = err
		}
	}
	if r.failure != nil {
		r.job.fail(vsphere.Retryable, "copying into the image: "+r.failure.Error(), "")
		return
	}
	r.job.done.Left = r.binding.cache.Changed() + len(r.binding.pending)
	r.job.done.Progress = r.progress()
	r.job.succeed()
	c.tell(Event{Kind: EventReconciled, Binding: r.binding.entry.Binding.ID, Blocks: r.done, Left: r.job.done.Left})
}

// stopCopying ends the reconcile of a binding that is let go.
func (c *CloudCache) stopCopying(b *binding) {
	for _, r := range slices.Clone(c.copying) {
		if r.binding == b {
			r.job.refuse("the binding is released", "")
			c.copying = slices.DeleteFunc(c.copying, func(o *reconcile) bool { return o == r })
		}
	}
}
