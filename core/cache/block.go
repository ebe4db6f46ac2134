package cache

// BlockSize is the unit in which content travels, in bytes.
const BlockSize = 4096

// Block is the content of one block of one disk.
type Block struct {
	Disk  int
	Block int64
	Data  []byte
}
