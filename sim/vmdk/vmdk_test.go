package vmdk_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	govmomi "github.com/vmware/govmomi/vmdk"
	"pgregory.net/rapid"

	"github.com/hdm-project/hdm/sim/disk"
	"github.com/hdm-project/hdm/sim/vmdk"
)

const (
	kib = int64(1) << 10
	mib = int64(1) << 20
	gib = int64(1) << 30
	tib = int64(1) << 40
)

// write puts n bytes drawn by r at off.
func write(t require.TestingT, d *disk.Disk, r *rand.Rand, off int64, n int) {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	_, err := d.WriteAt(p, off)
	require.NoError(t, err)
}

func encode(t require.TestingT, d *disk.Disk) []byte {
	var out bytes.Buffer
	require.NoError(t, vmdk.Encode(&out, vmdk.Header{DiskID: d.ID(), Capacity: d.Capacity()}, d))
	return out.Bytes()
}

// decode returns the disk that the stream holds. On an error it holds a part.
func decode(r io.Reader) (d *disk.Disk, err error) {
	_, err = vmdk.Decode(r, func(h vmdk.Header) (io.WriterAt, error) {
		d = disk.New(h.DiskID, h.Capacity)
		return d, nil
	})
	return d, err
}

// sample is a disk with data at both ends, in two grain tables, and a last
// block that the capacity cuts.
func sample(t require.TestingT) *disk.Disk {
	d := disk.New("db-01/boot", 96*mib+512)
	r := rand.New(rand.NewPCG(1, 2))
	write(t, d, r, 0, 10)
	write(t, d, r, 64*kib-5, 10)
	write(t, d, r, 70*mib, 9000)
	write(t, d, r, 96*mib, 512)
	return d
}

func TestADiskComesBackAsItWent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		capacity := rapid.SampledFrom([]int64{0, 512, 64 * kib, 100*kib + 512, 32 * mib, 33 * mib, 3 * gib}).Draw(t, "capacity")
		d := disk.New("d", capacity)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "data"), 0))
		for range rapid.IntRange(0, 8).Draw(t, "writes") {
			off := rapid.Int64Range(0, capacity).Draw(t, "off")
			write(t, d, r, off, int(min(capacity-off, rapid.Int64Range(1, 200*kib).Draw(t, "len"))))
		}
		got, err := decode(bytes.NewReader(encode(t, d)))
		require.NoError(t, err)
		equal, block := disk.Same(d, got)
		require.True(t, equal, "block %d", block)
		require.Equal(t, d.ID(), got.ID())
	})
}

func TestAnEmptyDiskOf62TiBTravelsAsItsDirectory(t *testing.T) {
	d := disk.New("huge", 62*tib)
	write(t, d, rand.New(rand.NewPCG(1, 1)), 61*tib, 1)
	stream := encode(t, d)
	assert.Less(t, int64(len(stream)), 8*mib, "four bytes for each 32 MiB, and little more")
	got, err := decode(bytes.NewReader(stream))
	require.NoError(t, err)
	assert.True(t, same(d.Equal(got)))
}

func TestZerosAreNotSent(t *testing.T) {
	d := disk.New("d", gib)
	empty := len(encode(t, d))
	_, err := d.WriteAt(make([]byte, mib), 5*mib)
	require.NoError(t, err)
	assert.Len(t, encode(t, d), empty)
}

func TestOnlyBlocksWithDataAreTouchedAtTheOtherEnd(t *testing.T) {
	d := disk.New("d", gib)
	write(t, d, rand.New(rand.NewPCG(1, 1)), 5*mib, 10)
	got, err := decode(bytes.NewReader(encode(t, d)))
	require.NoError(t, err)
	var extents []disk.Extent
	for x := range got.Extents() {
		extents = append(extents, x)
	}
	assert.Equal(t, []disk.Extent{{Off: 5 * mib, Len: disk.BlockSize}}, extents)
}

func TestEqualDisksGiveEqualStreams(t *testing.T) {
	assert.Equal(t, encode(t, sample(t)), encode(t, sample(t)))
}

func TestAStreamThatComesInPiecesIsRead(t *testing.T) {
	d := sample(t)
	got, err := decode(iotest.HalfReader(bytes.NewReader(encode(t, d))))
	require.NoError(t, err)
	assert.True(t, same(d.Equal(got)))
}

func TestEveryTruncationIsAnError(t *testing.T) {
	stream := encode(t, sample(t))
	for n := range len(stream) {
		if n > 2000 && n%97 != 0 && n%512 > 1 {
			continue // every sector's edge, and some places between
		}
		_, err := decode(bytes.NewReader(stream[:n]))
		require.ErrorIs(t, err, vmdk.ErrTruncated, "cut at %d of %d", n, len(stream))
	}
}

func TestEveryBitFlipIsAnErrorOrChangesNoData(t *testing.T) {
	d := sample(t)
	stream := encode(t, d)
	flip := func(bit int) {
		altered := bytes.Clone(stream)
		altered[bit/8] ^= 1 << (bit % 8)
		got, err := decode(bytes.NewReader(altered))
		if err != nil {
			var typed *vmdk.Error
			require.ErrorAs(t, err, &typed, "bit %d", bit)
			return
		}
		equal, block := disk.Same(d, got)
		require.True(t, equal, "bit %d of byte %d went unnoticed and altered block %d", bit%8, bit/8, block)
	}
	for bit := range 8 * 512 { // all of the header
		flip(bit)
	}
	for bit := 8 * 512; bit < 8*len(stream); bit += 127 {
		flip(bit)
	}
}

func TestEverySectorThatIsSwappedIsNoticed(t *testing.T) {
	d := sample(t)
	stream := encode(t, d)
	const first = 21 // header and descriptor are before it
	for i := first; i < len(stream)/512-1; i++ {
		altered := bytes.Clone(stream)
		a, b := altered[i*512:(i+1)*512], altered[(i+1)*512:(i+2)*512]
		if bytes.Equal(a, b) {
			continue
		}
		swapped := append(bytes.Clone(b), a...)
		copy(a, swapped[:512])
		copy(b, swapped[512:])
		_, err := decode(bytes.NewReader(altered))
		require.Error(t, err, "sectors %d and %d", i, i+1)
	}
}

func TestBadStreamsAreToldApart(t *testing.T) {
	good := encode(t, sample(t))
	alter := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(good)) }
	for name, c := range map[string]struct {
		stream []byte
		is     error
		says   string
	}{
		"nothing":           {nil, vmdk.ErrTruncated, "header"},
		"not a VMDK":        {bytes.Repeat([]byte("x"), 1000), vmdk.ErrUnsupported, "header at byte 512"},
		"another version":   {alter(func(b []byte) []byte { b[4] = 9; return b }), vmdk.ErrUnsupported, "header"},
		"lying capacity":    {alter(func(b []byte) []byte { binary.LittleEndian.PutUint64(b[12:], 1<<50); return b }), vmdk.ErrCorrupt, "sectors"},
		"other disk form":   {alter(func(b []byte) []byte { return bytes.Replace(b, []byte("streamO"), []byte("streamX"), 1) }), vmdk.ErrUnsupported, "createType"},
		"more after it":     {append(bytes.Clone(good), 0), vmdk.ErrCorrupt, "bytes after the end"},
		"grain out of turn": {alter(func(b []byte) []byte { binary.LittleEndian.PutUint64(b[21*512:], 128<<20); return b }), vmdk.ErrCorrupt, "where none can be"},
		"no footer":         {append(bytes.Clone(good[:len(good)-3*512]), make([]byte, 512)...), vmdk.ErrCorrupt, "instead of the footer|else than the footer"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode(bytes.NewReader(c.stream))
			require.ErrorIs(t, err, c.is)
			assert.Regexp(t, c.says, err.Error())
		})
	}
}

// part is what one marker of a stream announces, marker included.
type part struct {
	kind  string
	bytes []byte
}

// parts takes a stream apart, and join puts one together.
func parts(stream []byte) []part {
	const front = 21 * 512
	list := []part{{"front", stream[:front]}}
	for at := front; at < len(stream); {
		m := stream[at:]
		val, size, kind := binary.LittleEndian.Uint64(m), binary.LittleEndian.Uint32(m[8:]), binary.LittleEndian.Uint32(m[12:])
		p := part{kind: "grain"}
		length := (12 + int(size) + 511) / 512 * 512
		if size == 0 {
			p.kind, length = []string{"end", "table", "directory", "footer"}[kind], 512*(1+int(val))
		}
		p.bytes = m[:length]
		list = append(list, p)
		at += len(p.bytes)
	}
	return list
}

func join(list []part) (stream []byte) {
	for _, p := range list {
		stream = append(stream, p.bytes...)
	}
	return stream
}

// nth is the place of the nth part of that kind, from 0.
func nth(list []part, kind string, n int) int {
	for i, p := range list {
		if p.kind == kind {
			if n == 0 {
				return i
			}
			n--
		}
	}
	return -1
}

func TestAStreamMustAgreeWithItself(t *testing.T) {
	for name, c := range map[string]struct {
		alter func(list []part) []part
		says  string
	}{
		"a grain twice": {func(l []part) []part { return slices.Insert(l, 2, l[1]) }, "where none can be"},
		"a grain of a table that is over": {func(l []part) []part {
			return slices.Insert(l, nth(l, "table", 0)+1, l[1])
		}, "where none can be"},
		"bytes behind a grain's end": {func(l []part) []part {
			binary.LittleEndian.PutUint32(l[1].bytes[8:], binary.LittleEndian.Uint32(l[1].bytes[8:])+1)
			return l
		}, "1 bytes after its end"},
		"a grain of no size that fits": {func(l []part) []part {
			binary.LittleEndian.PutUint32(l[1].bytes[8:], 1<<30)
			return l
		}, "of 1073741824 bytes"},
		"a table left out": {func(l []part) []part {
			i := nth(l, "table", 0)
			return slices.Delete(l, i, i+1)
		}, "before the grain table"},
		"the last table left out": {func(l []part) []part {
			i := nth(l, "directory", 0) - 1
			return slices.Delete(l, i, i+1)
		}, "before the last grain table"},
		"a table twice": {func(l []part) []part {
			i := nth(l, "table", 0)
			return slices.Insert(l, i, l[i])
		}, "no grain before it"},
		"a wrong place in a table": {func(l []part) []part {
			l[nth(l, "table", 0)].bytes[512]++
			return l
		}, "not those of the grains"},
		"a wrong place in the directory": {func(l []part) []part {
			l[nth(l, "directory", 0)].bytes[512]++
			return l
		}, "not those of the tables"},
		"a directory of another length": {func(l []part) []part {
			l[nth(l, "directory", 0)].bytes[0]++
			return l
		}, "of 2 sectors for 4 tables"},
		"another footer": {func(l []part) []part {
			l[nth(l, "footer", 0)].bytes[512+12]++
			return l
		}, "not the header"},
		"the footer before the directory": {func(l []part) []part {
			i := nth(l, "directory", 0)
			l[i], l[i+1] = l[i+1], l[i]
			return l
		}, "before the grain directory"},
		"the end before the footer": {func(l []part) []part { return slices.Insert(l, 1, l[len(l)-1]) }, "before its footer"},
		"an unknown marker": {func(l []part) []part {
			l[nth(l, "footer", 0)].bytes[12] = 9
			return slices.Delete(l, 1, nth(l, "footer", 0))
		}, "unknown type 9"},
		"two footers": {func(l []part) []part { return slices.Insert(l, nth(l, "footer", 0), l[nth(l, "footer", 0)]) }, "not the header|another marker"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode(bytes.NewReader(join(c.alter(parts(encode(t, sample(t)))))))
			require.ErrorIs(t, err, vmdk.ErrCorrupt)
			assert.Regexp(t, c.says, err.Error())
		})
	}
}

func TestDataBeyondTheEndOfTheDiskIsNoticed(t *testing.T) {
	d := disk.New("d", 64*kib+1024)
	_, err := d.WriteAt([]byte("x"), 64*kib+600)
	require.NoError(t, err)
	stream := encode(t, d)
	// One sector less in header, descriptor and footer.
	binary.LittleEndian.PutUint64(stream[12:], 129)
	binary.LittleEndian.PutUint64(stream[len(stream)-1024+12:], 129)
	stream = bytes.Replace(stream, []byte("RDONLY 130 "), []byte("RDONLY 129 "), 1)
	_, err = decode(bytes.NewReader(stream))
	require.ErrorIs(t, err, vmdk.ErrCorrupt)
	assert.ErrorContains(t, err, "beyond the end of the disk")
}

func TestErrorsOfTheEndsComeThrough(t *testing.T) {
	broken := errors.New("the link is down")
	d := sample(t)
	stream := encode(t, d)

	_, err := decode(io.MultiReader(bytes.NewReader(stream[:20000]), iotest.ErrReader(broken)))
	assert.ErrorIs(t, err, broken, "of the reader")

	_, err = vmdk.Decode(bytes.NewReader(stream), func(vmdk.Header) (io.WriterAt, error) { return nil, broken })
	assert.ErrorIs(t, err, broken, "of open")

	full := disk.New("full", d.Capacity())
	full.FailWrites(disk.Range{Off: 70 * mib, Len: 1}, disk.ErrNoSpace)
	_, err = vmdk.Decode(bytes.NewReader(stream), func(vmdk.Header) (io.WriterAt, error) { return full, nil })
	assert.ErrorIs(t, err, disk.ErrNoSpace, "of the disk written")

	d.FailReads(disk.Range{Off: 70 * mib, Len: 1}, disk.ErrIO)
	err = vmdk.Encode(io.Discard, vmdk.Header{DiskID: "d", Capacity: d.Capacity()}, d)
	assert.ErrorIs(t, err, disk.ErrIO, "of the disk read")

	err = vmdk.Encode(shortWriter{}, vmdk.Header{DiskID: "d", Capacity: mib}, disk.New("d", mib))
	assert.ErrorIs(t, err, io.ErrClosedPipe, "of the writer")
}

type shortWriter struct{}

func (shortWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestHeadersThatNoStreamCanCarryAreRefused(t *testing.T) {
	for name, h := range map[string]vmdk.Header{
		"odd capacity": {DiskID: "d", Capacity: 1000},
		"quote":        {DiskID: `a"b`, Capacity: mib},
		"line break":   {DiskID: "a\nddb.uuid = b", Capacity: mib},
		"long":         {DiskID: strings.Repeat("x", 129), Capacity: mib},
		"adapter":      {DiskID: "d", Adapter: "a\nb", Capacity: mib},
		"other disk's": {DiskID: "d", Capacity: 2 * mib},
	} {
		t.Run(name, func(t *testing.T) {
			capacity := h.Capacity
			if name == "other disk's" {
				capacity = mib
			}
			err := vmdk.Encode(io.Discard, h, disk.New("d", capacity))
			assert.ErrorIs(t, err, vmdk.ErrUnsupported)
		})
	}
}

func TestGovmomiReadsTheHeaderAndDescriptor(t *testing.T) {
	d := sample(t)
	info, err := govmomi.Seek(bytes.NewReader(encode(t, d)))
	require.NoError(t, err)
	assert.Equal(t, d.Capacity(), info.Capacity)
	assert.Equal(t, "streamOptimized", info.Descriptor.Type)
	assert.Equal(t, d.Capacity(), info.Descriptor.Capacity())
	assert.Equal(t, "lsilogic", info.Descriptor.DDB["adapterType"])
}

func FuzzDecodeNeverPanics(f *testing.F) {
	f.Add(encode(f, sample(f)))
	f.Add(encode(f, disk.New("d", 0)))
	f.Fuzz(func(t *testing.T, stream []byte) {
		d, err := decode(bytes.NewReader(stream))
		if err != nil {
			return
		}
		// What was accepted must survive another journey.
		again, err := decode(bytes.NewReader(encode(t, d)))
		require.NoError(t, err)
		require.True(t, same(d.Equal(again)))
	})
}

func same(yes bool, _ int64) bool { return yes }

func BenchmarkEncode1000Blocks(b *testing.B) {
	d := disk.New("d", 40*gib)
	r := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		write(b, d, r, r.Int64N(40*gib-64), 64)
	}
	for b.Loop() {
		require.NoError(b, vmdk.Encode(io.Discard, vmdk.Header{DiskID: "d", Capacity: d.Capacity()}, d))
	}
}

func BenchmarkDecode1000Blocks(b *testing.B) {
	d := disk.New("d", 40*gib)
	r := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		write(b, d, r, r.Int64N(40*gib-64), 64)
	}
	stream := encode(b, d)
	for b.Loop() {
		_, err := decode(bytes.NewReader(stream))
		require.NoError(b, err)
	}
}
