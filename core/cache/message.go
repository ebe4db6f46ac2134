package cache

// Kind is what a guest asks for.
type Kind uint8

const (
	Read  Kind = iota // fills Data
	Write             // acknowledged: it is what reads return; it outlives a crash only after a Flush, or with FUA
	Flush             // acknowledged: every write that was acknowledged before it outlives a crash
)

// Request is one request of a guest. Off and the length of Data are multiples
// of SectorSize. Data is the cache's until the request is done.
type Request struct {
	ID   uint64 // the owner's; it comes back in Done
	Kind Kind
	FUA  bool // of a Write: acknowledge it when it outlives a crash
	Disk int  // index into Config.Disks
	Off  int64
	Data []byte
}

// OpKind is what the owner has to do.
type OpKind uint8

const (
	DeviceRead  OpKind = iota // fill Data from Off of the cache device
	DeviceWrite               // write Data at Off of the cache device
	DeviceFlush               // make durable every write to the cache device that was completed
	Fetch                     // fill Data with the block of the disk, from the premises
)

// Op is an operation that the owner does and then completes. Those that are
// outstanding may be done at the same time and in any order. Data is the
// operation's until it is completed, and is not to be changed by a write.
type Op struct {
	ID    uint64
	Kind  OpKind
	Off   int64 // of DeviceRead and DeviceWrite: bytes from the begin of the cache's region
	Disk  int   // of Fetch
	Block int64 // of Fetch: number of the block in its disk
	Data  []byte
}

// Done tells that a request has ended. Err is nil, or an *Error.
type Done struct {
	ID  uint64
	Err error
}

// Block is the content of a block. The last block of a disk whose capacity is
// no multiple of BlockSize is filled up with zeros.
type Block struct {
	Disk  int
	Block int64 // number in its disk
	Data  []byte
}

// BlockRef names a block.
type BlockRef struct {
	Disk  int
	Block int64
}

// Chunk is a part of what a cut holds. Those of a cut come in order. With an
// Err (an *Error) the cut cannot be read: no more chunks come, abandon it. Its
// blocks are the owner's, until Return.
type Chunk struct {
	Cut    uint64
	Seq    int // from 0
	Blocks []Block
	Last   bool
	Err    error
}

// Out is what the owner has to do next: operations, answers to guests, and
// parts of a cut for the premises. It is the owner's.
type Out struct {
	Ops    []Op
	Done   []Done
	Chunks []Chunk
	// FlushWanted: a write waits for room, or so much is dirty that one soon
	// will. A flush to the premises (Cut, Pull, Applied) makes room. It is false
	// while a cut is open.
	FlushWanted bool
}

// Stats are figures of now, in blocks, and counts since New or Recover.
type Stats struct {
	Slots, Free         int // the quota, and what of it holds nothing
	Clean, Dirty        int // blocks that the guest sees
	Frozen              int // blocks that the open cut holds
	Stalled             int // writes that wait for room
	Outstanding         int // requests that are not done, those that wait included
	Hits, Misses        uint64
	Evictions           uint64
	Healed              uint64 // clean blocks that were rotten and fetched again
	Syncs, Checkpoints  uint64
	BytesRead, Absorbed uint64 // bytes that guests have read and written
	Overwritten         uint64 // bytes that were written over before the premises had to be told
	Recovered           bool   // by Recover: what was changed and flushed before is not known to TakeChanged
}
