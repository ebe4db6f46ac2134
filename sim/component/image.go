package component

import (
	"iter"
	"slices"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/datapath"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/disk"
)

// image is what a guest would read of a served disk: the cache's blocks over
// those of the premises. To look changes nothing, and asks nobody.
type image struct {
	*shell
	fails bool // what fails in either place does so here
}

// of is a disk as the reader of the image meets it.
func (i image) of(d *disk.Disk) datapath.Device {
	if i.fails {
		return d
	}
	return disk.Seen{Disk: d}
}

// ReadAt reads what the guest sees, as io.ReaderAt: any alignment.
func (i image) ReadAt(p []byte, off int64) (int, error) {
	if held, err := i.one(p, off); held || err != nil {
		return len(p), err
	}
	if n, err := i.of(i.home).ReadAt(p, off); err != nil {
		return n, err
	}
	if err := i.cached(p, off); err != nil {
		return 0, err
	}
	for _, r := range i.held {
		if from := max(off, r.Off); from < min(off+int64(len(p)), r.Off+int64(len(r.Data))) {
			copy(p[from-off:], r.Data[from-r.Off:])
		}
	}
	return len(p), nil
}

// one reads one block if the cache holds it, as those ask who look at many: it
// need not be read on premises.
func (i image) one(p []byte, off int64) (held bool, err error) {
	if len(i.held) > 0 || len(p) != blockSize || off%blockSize != 0 || off+blockSize > i.Capacity() {
		return false, nil
	}
	view, dev := i.view()
	if view == nil {
		return false, nil
	}
	return view.Peek(i.binding, i.index, off/blockSize, p, dev)
}

// cached puts what the cache holds over p.
func (i image) cached(p []byte, off int64) error {
	view, dev := i.view()
	if view == nil {
		return nil
	}
	var part []byte // of a block that is asked for in part
	for at := off / blockSize; at*blockSize < off+int64(len(p)); at++ {
		if from := at*blockSize - off; from >= 0 && from+blockSize <= int64(len(p)) {
			if _, err := view.Peek(i.binding, i.index, at, p[from:from+blockSize], dev); err != nil {
				return err
			}
			continue
		}
		if part == nil {
			part = make([]byte, blockSize)
		}
		held, err := view.Peek(i.binding, i.index, at, part, dev)
		if err != nil {
			return err
		}
		if held {
			from := max(off, at*blockSize)
			copy(p[from-off:], part[from-at*blockSize:])
		}
	}
	return nil
}

// Extents are the runs of touched blocks, ascending.
func (i image) Extents() iter.Seq[disk.Extent] {
	var touched []int64
	for e := range i.home.Extents() {
		for b := e.Off / blockSize; b*blockSize < e.Off+e.Len; b++ {
			touched = append(touched, b)
		}
	}
	if view, _ := i.view(); view != nil {
		touched = append(touched, view.Held(i.binding, i.index)...)
	}
	for _, r := range i.held {
		touched = append(touched, r.Off/blockSize)
	}
	slices.Sort(touched)
	touched = slices.Compact(touched)
	return func(yield func(disk.Extent) bool) {
		for n := 0; n < len(touched); {
			first := n
			for n++; n < len(touched) && touched[n] == touched[n-1]+1; n++ {
			}
			off := touched[first] * blockSize
			if !yield(disk.Extent{Off: off, Len: min(int64(n-first)*blockSize, i.Capacity()-off)}) {
				return
			}
		}
	}
}

// view is the cloud cache as it is, or as it would come up from its device, and
// that device. Both are nil where there is none.
func (i image) view() (*datapath.CloudCache, datapath.Device) {
	if n := i.host.node(i.cacheVM); n != nil && n.memory() != nil {
		return n.memory(), i.of(n.device(deployment.Cache))
	}
	vm, ok := i.host.cfg.Cloud.VM(i.cacheVM)
	if !ok || vm.Marks[component.MarkComponent] == "" {
		return nil, nil
	}
	n, ok := i.host.described(vsphere.Cloud, vm)
	if !ok {
		return nil, nil
	}
	dev := i.of(n.device(deployment.Cache))
	c, err := datapath.NewCloudCache(datapath.CacheConfig{VM: n.name, Epoch: 1, Device: dev, Gateway: datapath.GatewayConfig(1, 1)})
	if err != nil {
		return nil, nil
	}
	return c, dev
}
