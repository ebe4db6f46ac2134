package gateway

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
)

const (
	// sparse is the shortest run of zeros that is left out: a block of a disk.
	sparse = 4096
	// stride is so long that a run of sparse zeros covers an aligned one.
	stride = sparse / 2
	// maxBodyOverhead is how much longer a body may be than its message.
	maxBodyOverhead = 2 * binary.MaxVarintLen32
)

var zeros [stride]byte

// bodyCodec turns messages into bodies and back. A body is runs: the length of
// what is there, that, and the length of the zeros after it, as varints; then
// perhaps DEFLATE over all.
type bodyCodec struct {
	writer *flate.Writer
	reader io.ReadCloser
	small  bytes.Buffer
	spare  spare
}

// encode returns the body, and what it weighs uncompressed.
func (c *bodyCodec) encode(message []byte, compress bool) (body []byte, weight int, compressed bool) {
	body = c.squeeze(message)
	weight = len(body)
	if !compress || weight < 64 {
		return body, weight, false
	}
	c.small.Reset()
	if c.writer == nil {
		c.writer, _ = flate.NewWriter(&c.small, flate.BestSpeed) // fails for a level that there is not
	} else {
		c.writer.Reset(&c.small)
	}
	// A buffer in memory takes every byte.
	_, _ = c.writer.Write(body)
	_ = c.writer.Close()
	if c.small.Len() >= weight {
		return body, weight, false
	}
	return bytes.Clone(c.small.Bytes()), weight, true
}

// decode a body of a message of that size; not ok if it is none.
func (c *bodyCodec) decode(body []byte, compressed bool, size int) (message []byte, ok bool) {
	if compressed {
		if c.reader == nil {
			c.reader = flate.NewReader(nil)
		}
		if err := c.reader.(flate.Resetter).Reset(bytes.NewReader(body), nil); err != nil {
			return nil, false
		}
		c.small.Reset()
		most := int64(size + maxBodyOverhead)
		if n, err := c.small.ReadFrom(io.LimitReader(c.reader, most+1)); err != nil || n > most {
			return nil, false
		}
		body = c.small.Bytes()
	}
	return c.unsqueeze(body, size)
}

// squeeze leaves the zeros of a message out.
func (c *bodyCodec) squeeze(message []byte) []byte {
	size := 0
	for rest := message; len(rest) > 0; {
		from, to := zeroRun(rest)
		size += from + maxBodyOverhead
		rest = rest[to:]
	}
	body := c.spare.take(size)
	for len(message) > 0 {
		from, to := zeroRun(message)
		body = binary.AppendUvarint(body, uint64(from))
		body = append(body, message[:from]...)
		body = binary.AppendUvarint(body, uint64(to-from))
		message = message[to:]
	}
	return body
}

// zeroRun finds the first run of zeros that is left out; at the end, none.
func zeroRun(p []byte) (from, to int) {
	for at := 0; at+stride <= len(p); at += stride {
		if !bytes.Equal(p[at:at+stride], zeros[:]) {
			continue
		}
		from, to = at, at+stride
		for from > 0 && p[from-1] == 0 {
			from--
		}
		for to+stride <= len(p) && bytes.Equal(p[to:to+stride], zeros[:]) {
			to += stride
		}
		for to < len(p) && p[to] == 0 {
			to++
		}
		if to-from >= sparse {
			return from, to
		}
	}
	return len(p), len(p)
}

// unsqueeze is total: not ok if the body is none of a message of that size.
func (c *bodyCodec) unsqueeze(body []byte, size int) (message []byte, ok bool) {
	message = c.spare.take(size)
	for len(body) > 0 {
		n, used := binary.Uvarint(body)
		if used <= 0 || n > uint64(len(body)-used) || n > uint64(size-len(message)) {
			return nil, false
		}
		message = append(message, body[used:used+int(n)]...)
		body = body[used+int(n):]
		n, used = binary.Uvarint(body)
		if used <= 0 || n > uint64(size-len(message)) {
			return nil, false
		}
		message = message[:len(message)+int(n)]
		clear(message[len(message)-int(n):])
		body = body[used:]
	}
	return message, len(message) == size
}
