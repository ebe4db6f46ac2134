package cache

import "math/bits"

// changed are the blocks that the guest wrote and that were not taken yet: a
// bit each, in pages of 32,768 blocks (128 MiB of a disk) that exist where
// something was written.
type changed struct {
	disks [][]*page
	count int
}

type page struct {
	bits  [pageBlocks / 64]uint64
	count int
}

const pageBlocks = 1 << 15

func newChanged(c Config) changed { return changed{disks: make([][]*page, len(c.Disks))} }

func (c *changed) add(k key) {
	at, bit := int(k.block()/pageBlocks), k.block()%pageBlocks
	pages := c.disks[k.disk()]
	for len(pages) <= at {
		pages = append(pages, nil)
	}
	c.disks[k.disk()] = pages
	if pages[at] == nil {
		pages[at] = &page{}
	}
	p, mask := pages[at], uint64(1)<<(bit%64)
	if p.bits[bit/64]&mask == 0 {
		p.bits[bit/64] |= mask
		p.count++
		c.count++
	}
}

// take removes the first blocks, in the order of disks and numbers.
func (c *changed) take(most int) []BlockRef {
	var taken []BlockRef
	for disk, pages := range c.disks {
		for at, p := range pages {
			if p == nil {
				continue
			}
			for w := 0; w < len(p.bits) && p.count > 0; w++ {
				for p.bits[w] != 0 {
					if len(taken) >= most {
						return taken
					}
					bit := bits.TrailingZeros64(p.bits[w])
					p.bits[w] &^= 1 << bit
					p.count--
					c.count--
					taken = append(taken, BlockRef{disk, int64(at)*pageBlocks + int64(w*64+bit)})
				}
			}
			pages[at] = nil
		}
	}
	return taken
}

// TakeChanged returns blocks that were written since New and not taken since
// they were last written, at most so many, in the order of disks and numbers.
// What they hold is read with Submit. After Recover it knows only of those
// that were dirty (Stats.Recovered).
func (c *Cache) TakeChanged(most int) []BlockRef { return c.changed.take(most) }

// Changed is the number of blocks that TakeChanged would return in all.
func (c *Cache) Changed() int { return c.changed.count }
