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
type image struct{ *shell }

// ReadAt reads what the guest sees, as io.ReaderAt: any alignment.
func (i image) ReadAt(p []byte, off int64) (int, error) {
	if n, err := i.home.ReadAt(p, off); err != nil {
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

// cached puts what the cache holds over p.
func (i image) cached(p []byte, off int64) error {
	view := i.view()
	if view == nil {
		return nil
	}
	var part []byte // of a block that is asked for in part
	for at := off / blockSize; at*blockSize < off+int64(len(p)); at++ {
		if from := at*blockSize - off; from >= 0 && from+blockSize <= int64(len(p)) {
			if _, err := view.Peek(i.binding, i.index, at, p[from:from+blockSize]); err != nil {
				return err
			}
			continue
		}
		if part == nil {
			part = make([]byte, blockSize)
		}
		held, err := view.Peek(i.binding, i.index, at, part)
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
	if view := i.view(); view != nil {
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

// view is the cloud cache as it is, or as it would come up from its device.
func (s *shell) view() *datapath.CloudCache {
	if n := s.host.node(s.cacheVM); n != nil && n.memory() != nil {
		return n.memory()
	}
	vm, ok := s.host.cfg.Cloud.VM(s.cacheVM)
	if !ok || vm.Marks[component.MarkComponent] == "" {
		return nil
	}
	n, ok := s.host.described(vsphere.Cloud, vm)
	if !ok {
		return nil
	}
	c, err := datapath.NewCloudCache(datapath.CacheConfig{VM: n.name, Epoch: 1, Device: n.device(deployment.Cache), Gateway: datapath.GatewayConfig(1, 1)})
	if err != nil {
		return nil
	}
	return c
}
