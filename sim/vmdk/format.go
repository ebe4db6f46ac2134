// Package vmdk writes and reads streamOptimized VMDKs: the form in which
// vSphere exports and imports disks over an HttpNfcLease.
//
// It decides how an image becomes a stream of bytes and back. It never decides
// where the bytes go or what they cost, and keeps no more than one grain and
// the grain directory in memory. The format is that of VMware's "Virtual Disk
// Format 5.0" technical note (streamOptimized, compressed grains with
// markers), all numbers little-endian, all parts padded to sectors of 512
// bytes:
//
//	header          magic, capacity, flags; "the grain directory is at the end"
//	descriptor      text: identity, capacity, adapter
//	grain           marker with its place, deflated 64 KiB      } for each 32 MiB
//	...                                                         } that holds any
//	grain table     marker, places of 512 grains in the stream  } data, ascending
//	...
//	grain directory marker, places of the grain tables
//	footer          marker, the header again with the directory's place
//	end of stream   marker
//
// Read this file, then encode.go and decode.go, each from its top.
package vmdk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

const (
	sectorSize   = 512
	grainSectors = 128
	grainSize    = grainSectors * sectorSize // 64 KiB, before compression
	tableEntries = 512
	tableSectors = tableEntries * 4 / sectorSize
	tableSpan    = tableEntries * grainSectors // sectors of the disk that one table covers

	// maxCapacity is the largest virtual disk of vSphere, 62 TiB.
	maxCapacity = 62 << 40
	// maxPacked bounds a compressed grain: deflate adds a little to what it cannot
	// compress.
	maxPacked = grainSize + grainSize/8

	magic             = 0x564d444b // "KDMV" as bytes
	version           = 3
	flags             = 1 | 1<<16 | 1<<17 // newline test, compressed grains, markers
	directoryAtEnd    = 1<<64 - 1
	deflated          = 1
	descriptorAt      = 1
	descriptorSectors = 20
	overhead          = descriptorAt + descriptorSectors // the first marker's sector
)

// The types of marker besides a grain.
const (
	markerEnd       = 0
	markerTable     = 1
	markerDirectory = 2
	markerFooter    = 3
)

// Header is what a stream says of its disk.
type Header struct {
	DiskID   string // the disk's identity (ddb.uuid): at most 128 printable ASCII characters, no quote
	Capacity int64  // bytes: a multiple of 512, at most 62 TiB
	Adapter  string // ddb.adapterType: "lsilogic", "buslogic", "ide", ...; "" is lsilogic
}

func (h *Header) validate() error {
	switch {
	case h.Capacity < 0 || h.Capacity > maxCapacity || h.Capacity%sectorSize != 0:
		return fmt.Errorf("a capacity of %d bytes: it must be a multiple of 512 and at most 62 TiB", h.Capacity)
	case !plain(h.DiskID):
		return fmt.Errorf("the disk id %q: it must be at most 128 printable ASCII characters without quotes", h.DiskID)
	case !plain(h.Adapter):
		return fmt.Errorf("the adapter %q: it must be at most 128 printable ASCII characters without quotes", h.Adapter)
	}
	return nil
}

func plain(s string) bool {
	return len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == '"' })
}

// Kinds of failure. They come wrapped in an *Error.
var (
	ErrTruncated   = errors.New("the stream ends before its end marker")
	ErrCorrupt     = errors.New("the stream contradicts itself")
	ErrUnsupported = errors.New("not a streamOptimized VMDK as vSphere writes it")
)

// Error is a stream that could not be written or read.
type Error struct {
	Offset int64  // bytes of the stream that were written or read before it
	Part   string // "header", "descriptor", "grain", "grain table", ...
	What   string // what is wrong, for people
	Err    error  // one of the above, or the reader's, the writer's or the disk's own
}

func (e *Error) Error() string {
	s := fmt.Sprintf("vmdk: %s at byte %d", e.Part, e.Offset)
	if e.What != "" {
		s += ": " + e.What
	}
	return s + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// sparseHeader is the SparseExtentHeader of the format.
type sparseHeader struct {
	Magic, Version, Flags            uint32
	Capacity, GrainSize              uint64 // sectors
	DescriptorOffset, DescriptorSize uint64 // sectors
	EntriesPerTable                  uint32
	RedundantDirectory, Directory    uint64 // sectors
	Overhead                         uint64 // sectors
	Unclean                          uint8
	Newlines                         [4]byte // broken when a file transfer in text mode "repairs" line ends
	Compression                      uint16
	_                                [433]byte
}

func newSparseHeader(capacity int64, directory uint64) sparseHeader {
	return sparseHeader{
		Magic: magic, Version: version, Flags: flags,
		Capacity: uint64(capacity) / sectorSize, GrainSize: grainSectors,
		DescriptorOffset: descriptorAt, DescriptorSize: descriptorSectors,
		EntriesPerTable: tableEntries, Directory: directory, Overhead: overhead,
		Newlines: [4]byte{'\n', ' ', '\r', '\n'}, Compression: deflated,
	}
}

func (h *sparseHeader) bytes() []byte {
	b := make([]byte, sectorSize)
	if _, err := binary.Encode(b, binary.LittleEndian, h); err != nil {
		panic("vmdk: the header is not one sector: " + err.Error())
	}
	return b
}

func parseSparseHeader(b []byte) (h sparseHeader) {
	if _, err := binary.Decode(b, binary.LittleEndian, &h); err != nil {
		panic("vmdk: the header is not one sector: " + err.Error())
	}
	return h
}

// directoryEntries is the length of the grain directory of a disk of so many
// sectors.
func directoryEntries(sectors uint64) uint64 { return (sectors + tableSpan - 1) / tableSpan }

func padded(n int) int { return (n + sectorSize - 1) / sectorSize * sectorSize }

// descriptor is the text that describes the disk. Its content id is made from
// what it says, so that equal disks give equal streams.
func descriptor(h Header) string {
	adapter := h.Adapter
	if adapter == "" {
		adapter = "lsilogic"
	}
	sectors := h.Capacity / sectorSize
	const heads, track = 255, 63
	return fmt.Sprintf(`# Disk DescriptorFile
version=1
CID=%08x
parentCID=ffffffff
createType="streamOptimized"

# Extent description
RDONLY %d SPARSE "stream.vmdk"

# The Disk Data Base
#DDB

ddb.adapterType = "%s"
ddb.geometry.cylinders = "%d"
ddb.geometry.heads = "%d"
ddb.geometry.sectors = "%d"
ddb.uuid = "%s"
ddb.virtualHWVersion = "4"
`, contentID(h), sectors, adapter, sectors/(heads*track), heads, track, h.DiskID)
}

// contentID must not be one of the two values that mean "none".
func contentID(h Header) uint32 {
	return crc32.ChecksumIEEE(fmt.Appendf(nil, "%s %d", h.DiskID, h.Capacity)) & 0x7fffffff
}

// parseDescriptor reads what Header holds and returns the sectors of the
// extent too.
func parseDescriptor(text string) (h Header, sectors uint64, err error) {
	text, _, _ = strings.Cut(text, "\x00")
	kind := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if rest, ok := cutAccess(line); ok {
			size, form, _ := strings.Cut(rest, " ")
			if sectors, err = strconv.ParseUint(size, 10, 63); err != nil || !strings.HasPrefix(form, "SPARSE ") {
				return h, 0, fmt.Errorf("the extent %q", line)
			}
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		switch strings.TrimSpace(key) {
		case "createType":
			kind = value
		case "ddb.uuid":
			h.DiskID = value
		case "ddb.adapterType":
			h.Adapter = value
		}
	}
	if kind != "streamOptimized" {
		return h, 0, fmt.Errorf("the createType %q instead of streamOptimized", kind)
	}
	return h, sectors, nil
}

func cutAccess(line string) (rest string, ok bool) {
	for _, access := range []string{"RDONLY ", "RW "} {
		if rest, ok = strings.CutPrefix(line, access); ok {
			return rest, true
		}
	}
	return "", false
}
