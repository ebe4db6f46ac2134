package guest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/binary"
	"errors"
	"io"
	"sync"
)

// traceFile is the first 200,000 requests of the block trace w106 that
// CloudPhysics collected from a production virtual disk, as the Caffeine
// project (github.com/ben-manes/caffeine, Apache-2.0, simulator resource
// cloud_physics/w106.trace.xz) redistributes it: block numbers only, without
// times, sizes, or which of them were writes. A workload says how many a second
// it makes of them, and which share of them reads.
//
// It is a gzipped stream of signed varints (encoding/binary): each the
// difference to the block number before, from 0.
//
//go:embed trace-w106-200k.deltas.gz
var traceFile []byte

// recorded is the trace's block numbers, in order of request.
var recorded = sync.OnceValue(func() []uint32 {
	requests, err := decodeTrace(traceFile)
	if err != nil {
		panic("guest: the embedded trace: " + err.Error()) // built in, so a bug
	}
	return requests
})

func decodeTrace(file []byte) ([]uint32, error) {
	z, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	var requests []uint32
	block := int64(0)
	for r := bufio.NewReader(z); ; {
		d, err := binary.ReadVarint(r)
		if errors.Is(err, io.EOF) {
			return requests, nil
		}
		if err != nil {
			return nil, err
		}
		block += d
		requests = append(requests, uint32(block))
	}
}
