package transfer

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"sync"

	"github.com/hdm-project/hdm/core/vsphere"
)

// pipe reads a disk's stream and counts what passes. The HTTP client may read
// it on a goroutine of its own, even for a moment after the upload has
// returned: so it has a lock.
type pipe struct {
	mu     sync.Mutex
	source io.Reader
	meter  *diskMeter
	sha1   hash.Hash // for vCenters that know no other
	sha256 hash.Hash
	size   int64
	whole  bool  // read to its end
	broke  error // the source's, if it broke
}

func newPipe(source io.Reader, m *diskMeter) *pipe {
	return &pipe{source: source, meter: m, sha1: sha1.New(), sha256: sha256.New()}
}

func (p *pipe) Read(b []byte) (int, error) {
	n, err := p.source.Read(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sha1.Write(b[:n]) // a hash.Hash never fails
	p.sha256.Write(b[:n])
	p.size += int64(n)
	p.meter.add(int64(n))
	switch {
	case errors.Is(err, io.EOF):
		p.whole = true
	case err != nil:
		p.broke = err
	}
	return n, err
}

// result is what has passed, whether that is all, and how the source broke.
func (p *pipe) result() (sums vsphere.Checksums, whole bool, broke error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return vsphere.Checksums{
		Size: p.size, SHA1: hex.EncodeToString(p.sha1.Sum(nil)), SHA256: hex.EncodeToString(p.sha256.Sum(nil)),
	}, p.whole, p.broke
}
