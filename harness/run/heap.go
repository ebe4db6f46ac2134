package run

import (
	"runtime"
	"runtime/debug"
)

// heapGrowth is by how many percent of what is alive the heap grows before the
// garbage collector comes. A run throws away a few hundred megabytes and keeps
// some tens, so with Go's own 100 a fifth of the time would be the collector's.
const heapGrowth = 400

// reserve counts as alive, so that a small heap grows by heapGrowth of it more: a
// run of few VMs keeps so little that the collector would come again and again while
// the heap is small. Nobody writes to it, and it takes no memory itself. Far more of it
// would not pay: memory that is touched for the first time costs more than collecting.
const reserve = 24 << 20

var reserved []byte

// RoomyHeap makes this process collect garbage less often, for programs that do
// runs one after another and nothing else. Who has set GOGC has the last word.
func RoomyHeap() {
	if before := debug.SetGCPercent(heapGrowth); before != goDefault {
		debug.SetGCPercent(before)
		return
	}
	reserved = make([]byte, reserve)
	runtime.KeepAlive(reserved)
}

const goDefault = 100
