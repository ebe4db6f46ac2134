package vmdk

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/hdm-project/hdm/sim/disk"
)

// Decode reads a streamOptimized VMDK from r to its end. open gets the header
// before any data and returns the disk to write to, which must read as zeros:
// only blocks of 4 KiB that hold something else are written, ascending.
//
// It is strict: a stream that was cut, or altered in anything that matters
// (tables and directory must say what was read), gives an *Error. What r, open
// and the disk return comes wrapped in one, too. After an error the disk holds
// a part of the image, and nobody may use it.
func Decode(r io.Reader, open func(Header) (io.WriterAt, error)) (Header, error) {
	d := &decoder{r: r}
	h, err := d.head()
	if err != nil {
		return Header{}, err
	}
	if d.dst, err = open(h); err != nil {
		return h, d.fail("header", "the disk cannot be made", err)
	}
	return h, d.body()
}

type decoder struct {
	r   io.Reader
	dst io.WriterAt

	read    int64        // bytes of the stream
	header  sparseHeader // as read
	sectors uint64       // of the disk

	next    uint64   // the first sector of the disk that the next grain may have
	table   []uint32 // of the present 32 MiB, as it must be; nil before its first grain
	tableAt uint64
	tables  []entry // of the directory, as they must be
	dirAt   uint64  // 0: not read yet

	sector   [sectorSize]byte
	packed   [maxPacked]byte
	grain    [grainSize]byte
	unpacker io.ReadCloser
}

// entry is one of the directory that is not 0.
type entry struct {
	index uint64
	at    uint32
}

func (d *decoder) fail(part, what string, err error) error {
	return &Error{Offset: d.read, Part: part, What: what, Err: err}
}

func (d *decoder) corrupt(part, format string, args ...any) error {
	return d.fail(part, fmt.Sprintf(format, args...), ErrCorrupt)
}

func (d *decoder) fill(part string, b []byte) error {
	n, err := io.ReadFull(d.r, b)
	d.read += int64(n)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = ErrTruncated
	}
	if err != nil {
		return d.fail(part, "", err)
	}
	return nil
}

// head reads header and descriptor and all that comes before the first marker.
func (d *decoder) head() (Header, error) {
	if err := d.fill("header", d.sector[:]); err != nil {
		return Header{}, err
	}
	s := parseSparseHeader(d.sector[:])
	d.header, d.sectors = s, s.Capacity
	want := newSparseHeader(0, directoryAtEnd)
	want.Capacity, want.Overhead, want.DescriptorSize, want.RedundantDirectory = s.Capacity, s.Overhead, s.DescriptorSize, s.RedundantDirectory
	switch {
	case s != want:
		return Header{}, d.fail("header", "", ErrUnsupported)
	case s.Capacity > maxCapacity/sectorSize:
		return Header{}, d.corrupt("header", "a capacity of %d sectors", s.Capacity)
	case s.DescriptorSize == 0 || s.DescriptorSize > 128 || s.Overhead < descriptorAt+s.DescriptorSize || s.Overhead > 1024:
		return Header{}, d.corrupt("header", "a descriptor of %d sectors before sector %d", s.DescriptorSize, s.Overhead)
	}
	text := make([]byte, (s.Overhead-descriptorAt)*sectorSize)
	if err := d.fill("descriptor", text); err != nil {
		return Header{}, err
	}
	h, sectors, err := parseDescriptor(string(text[:s.DescriptorSize*sectorSize]))
	if err != nil {
		return Header{}, d.fail("descriptor", err.Error(), ErrUnsupported)
	}
	if sectors != s.Capacity {
		return Header{}, d.corrupt("descriptor", "an extent of %d sectors in a disk of %d", sectors, s.Capacity)
	}
	h.Capacity = int64(s.Capacity) * sectorSize
	if err := h.validate(); err != nil {
		return Header{}, d.fail("descriptor", err.Error(), ErrUnsupported)
	}
	return h, nil
}

// body reads from the first marker to the end of the stream.
func (d *decoder) body() error {
	for {
		if err := d.fill("marker", d.sector[:]); err != nil {
			return err
		}
		val, size := binary.LittleEndian.Uint64(d.sector[:]), binary.LittleEndian.Uint32(d.sector[8:])
		var err error
		switch kind := binary.LittleEndian.Uint32(d.sector[12:]); {
		case d.dirAt != 0 && (size != 0 || kind != markerFooter):
			err = d.corrupt("marker", "something else than the footer after the grain directory")
		case size != 0:
			err = d.readGrain(val, int(size))
		case kind == markerTable:
			err = d.readTable(val)
		case kind == markerDirectory:
			err = d.readDirectory(val)
		case kind == markerFooter:
			return d.readFooter(val)
		case kind == markerEnd:
			err = d.corrupt("marker", "the end of the stream before its footer")
		default:
			err = d.corrupt("marker", "of an unknown type %d", kind)
		}
		if err != nil {
			return err
		}
	}
}

// readGrain reads the rest of the grain whose first sector is in d.sector.
func (d *decoder) readGrain(lba uint64, size int) error {
	const marker = 12
	at := uint32(d.read/sectorSize - 1)
	switch {
	case lba%grainSectors != 0 || lba < d.next || lba >= d.sectors:
		return d.corrupt("grain", "at sector %d of the disk, where none can be", lba)
	case size > maxPacked-2*sectorSize:
		return d.corrupt("grain", "of %d bytes, compressed", size)
	case d.table != nil && d.tableAt != lba/tableSpan:
		return d.corrupt("grain", "at sector %d of the disk, before the grain table of sector %d", lba, d.next-1)
	}
	n := copy(d.packed[:], d.sector[marker:])
	whole := padded(marker+size) - marker
	if whole > n {
		if err := d.fill("grain", d.packed[n:whole]); err != nil {
			return err
		}
	}
	if err := d.unpack(d.packed[:size]); err != nil {
		return err
	}
	if d.table == nil {
		d.table, d.tableAt = make([]uint32, tableEntries), lba/tableSpan
	}
	d.table[lba/grainSectors%tableEntries] = at
	d.next = lba + grainSectors
	return d.store(int64(lba) * sectorSize)
}

// unpack inflates into d.grain, exactly.
func (d *decoder) unpack(packed []byte) (err error) {
	in := bytes.NewReader(packed)
	if d.unpacker == nil {
		d.unpacker, err = zlib.NewReader(in)
	} else {
		err = d.unpacker.(zlib.Resetter).Reset(in, nil)
	}
	if err != nil {
		return d.corrupt("grain", "%v", err)
	}
	if _, err := io.ReadFull(d.unpacker, d.grain[:]); err != nil {
		return d.corrupt("grain", "%v", err)
	}
	// The end is where the checksum is looked at.
	var more [1]byte
	if n, err := d.unpacker.Read(more[:]); n != 0 || !errors.Is(err, io.EOF) {
		if err == nil {
			err = errors.New("it inflates to more than 64 KiB")
		}
		return d.corrupt("grain", "%v", err)
	}
	if in.Len() != 0 {
		return d.corrupt("grain", "it has %d bytes after its end", in.Len())
	}
	return nil
}

// store writes what d.grain holds to the disk at off.
func (d *decoder) store(off int64) error {
	inside := min(grainSize, int64(d.sectors)*sectorSize-off)
	if !bytes.Equal(d.grain[inside:], zeroGrain[inside:]) {
		return d.corrupt("grain", "it has data beyond the end of the disk")
	}
	for at := int64(0); at < inside; at += disk.BlockSize {
		b := d.grain[at:min(at+disk.BlockSize, inside)]
		if bytes.Equal(b, zeroGrain[:len(b)]) {
			continue
		}
		if _, err := d.dst.WriteAt(b, off+at); err != nil {
			return d.fail("grain", "the disk cannot be written", err)
		}
	}
	return nil
}

func (d *decoder) readTable(sectors uint64) error {
	if sectors != tableSectors || d.table == nil {
		return d.corrupt("grain table", "of %d sectors, or with no grain before it", sectors)
	}
	at := uint32(d.read / sectorSize)
	got := make([]byte, tableSectors*sectorSize)
	if err := d.fill("grain table", got); err != nil {
		return err
	}
	if !bytes.Equal(got, words(d.table)) {
		return d.corrupt("grain table", "its places are not those of the grains")
	}
	d.tables = append(d.tables, entry{d.tableAt, at})
	d.next = (d.tableAt + 1) * tableSpan
	d.table = nil
	return nil
}

// readDirectory compares sector by sector: a header that lies about the
// capacity must not cost memory.
func (d *decoder) readDirectory(sectors uint64) error {
	entries := directoryEntries(d.sectors)
	if d.table != nil {
		return d.corrupt("grain directory", "before the last grain table")
	}
	if sectors != (entries*4+sectorSize-1)/sectorSize {
		return d.corrupt("grain directory", "of %d sectors for %d tables", sectors, entries)
	}
	d.dirAt = uint64(d.read / sectorSize)
	const perSector = sectorSize / 4
	left := d.tables
	for s := range sectors {
		if err := d.fill("grain directory", d.sector[:]); err != nil {
			return err
		}
		var want [sectorSize]byte
		for len(left) > 0 && left[0].index < (s+1)*perSector {
			binary.LittleEndian.PutUint32(want[left[0].index%perSector*4:], left[0].at)
			left = left[1:]
		}
		if d.sector != want {
			return d.corrupt("grain directory", "its places are not those of the tables")
		}
	}
	return nil
}

// readFooter reads the footer, the end marker, and that nothing follows.
func (d *decoder) readFooter(sectors uint64) error {
	if sectors != 1 || d.dirAt == 0 {
		return d.corrupt("footer", "of %d sectors, or before the grain directory", sectors)
	}
	if err := d.fill("footer", d.sector[:]); err != nil {
		return err
	}
	want := d.header
	want.Directory = d.dirAt
	if parseSparseHeader(d.sector[:]) != want {
		return d.corrupt("footer", "it is not the header with the directory's place")
	}
	if err := d.fill("end of stream", d.sector[:]); err != nil {
		return err
	}
	if d.sector != [sectorSize]byte{} {
		return d.corrupt("end of stream", "another marker after the footer")
	}
	switch n, err := io.ReadFull(d.r, d.sector[:1]); {
	case n != 0:
		return d.corrupt("end of stream", "bytes after the end")
	case err != io.EOF:
		return d.fail("end of stream", "", err)
	}
	return nil
}
