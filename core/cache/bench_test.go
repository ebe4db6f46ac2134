package cache

import "testing"

// nothing is a device that does nothing, at no cost: what is measured is the
// cache.
func nothing(c *Cache, out Out) {
	for _, op := range out.Ops {
		nothing(c, c.Complete(op.ID, nil))
	}
}

func benchmark(b *testing.B, block func(i int) int64, r Request) {
	const blocks = 1 << 16 // 256 MiB
	c, out := New(Config{Disks: []int64{blocks * BlockSize}, Quota: 2 * blocks * BlockSize})
	nothing(c, out)
	r.Data = make([]byte, BlockSize)
	for i := range blocks {
		nothing(c, c.Submit(Request{Kind: Write, Off: int64(i) * BlockSize, Data: r.Data}))
	}
	b.ReportAllocs()
	b.SetBytes(BlockSize)
	for i := 0; b.Loop(); i++ {
		r.Off = block(i) % blocks * BlockSize
		nothing(c, c.Submit(r))
	}
}

func anywhere(i int) int64 { return int64(uint32(i) * 2654435761) }

func BenchmarkAWriteToABlockThatIsHeld(b *testing.B) {
	benchmark(b, anywhere, Request{Kind: Write})
}

func BenchmarkAReadOfABlockThatIsHeld(b *testing.B) {
	benchmark(b, anywhere, Request{Kind: Read})
}

func BenchmarkAWriteWithFUA(b *testing.B) {
	benchmark(b, anywhere, Request{Kind: Write, FUA: true})
}
