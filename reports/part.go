package reports

import (
	"bufio"
	"errors"
	"io"
	"os"
)

// part is a file of one run that becomes a piece of a larger one at Finish. It
// belongs to one goroutine at a time.
//
// Some of what is written may be bulk, and whether it is wanted is known only at
// the end. So all is written, and thin leaves the bulk out afterwards.
type part struct {
	folder string
	file   *os.File // nil once it has ended
	w      *bufio.Writer
	path   string
	size   int64  // bytes added
	slim   []span // what is not bulk, in order, neighbours joined
	err    error  // the first one
}

// span is a piece of a file.
type span struct{ from, size int64 }

const partBuffer = 128 << 10

func newPart(folder string) (*part, error) {
	p := &part{folder: folder}
	return p, p.begin()
}

func (p *part) begin() error {
	file, err := os.CreateTemp(p.folder, "trace-*.part")
	if err != nil {
		return err
	}
	p.file, p.path, p.w = file, file.Name(), bufio.NewWriterSize(file, partBuffer)
	return nil
}

// add appends to the part. After an error it does nothing.
func (p *part) add(line []byte, bulk bool) {
	if p.err != nil {
		return
	}
	_, p.err = p.w.Write(line)
	if n := int64(len(line)); !bulk {
		p.keep(span{p.size, n})
	}
	p.size += int64(len(line))
}

func (p *part) keep(s span) {
	if last := len(p.slim) - 1; last >= 0 && p.slim[last].from+p.slim[last].size == s.from {
		p.slim[last].size += s.size
		return
	}
	p.slim = append(p.slim, s)
}

// end says that nothing follows. A part that could not be written whole gives its
// place on disk to what is more important.
func (p *part) end() {
	if p.file == nil {
		return
	}
	if p.err == nil {
		p.err = p.w.Flush()
	}
	p.err = errors.Join(p.err, p.file.Close())
	p.file, p.w = nil, nil
	if p.err != nil {
		os.Remove(p.path) // what is left of it shows in discard
	}
}

// thin leaves out the bulk of a part that has ended, and gives its place on disk
// back.
func (p *part) thin() {
	p.end()
	if p.err != nil {
		return
	}
	whole := p.path
	err := p.copySlim(whole)
	p.err = errors.Join(err, os.Remove(whole))
	p.slim = nil
}

func (p *part) copySlim(whole string) error {
	from, err := os.Open(whole)
	if err != nil {
		return err
	}
	defer from.Close()
	if err := p.begin(); err != nil {
		return err
	}
	for _, s := range p.slim {
		if _, err := io.Copy(p.w, io.NewSectionReader(from, s.from, s.size)); err != nil {
			return err
		}
	}
	p.end()
	return p.err
}

// read hands the part to somebody.
func (p *part) read(to func(io.Reader) error) error {
	p.end()
	if p.err != nil {
		return p.err
	}
	file, err := os.Open(p.path)
	if err != nil {
		return err
	}
	defer file.Close()
	return to(file)
}

// discard removes the file, if it is there.
func (p *part) discard() error {
	p.end()
	if err := os.Remove(p.path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
