package recording

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Recording is one that was read.
type Recording struct {
	Header
	Steps []Step
	// End is nil if the program that recorded was killed.
	End *End
	// Cut: the last line is not whole, and left out.
	Cut bool
}

// Error is something wrong with a recording.
type Error struct {
	File string
	Line int // from 1; 0 if the whole file is meant
	What string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.What)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.What)
}

// Is says whether a file begins as a recording does: a scenario never begins
// with a brace and this key.
func Is(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	const begins = `{"hdm-recording":`
	head := make([]byte, len(begins))
	_, err = io.ReadFull(file, head)
	return err == nil && string(head) == begins
}

// Read reads a recording. The error is an *Error.
func Read(path string) (*Recording, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, &Error{File: path, What: "it cannot be read: " + err.Error()}
	}
	defer file.Close()
	return Parse(path, file)
}

// Parse is Read of text that stands in file.
func Parse(file string, text io.Reader) (*Recording, error) {
	r := &Recording{}
	p := &parser{file: file, in: bufio.NewReaderSize(io.LimitReader(text, MaxBytes+1), 64<<10)}
	for {
		line, err := p.line()
		switch {
		case errors.Is(err, io.EOF):
			if p.number == 0 {
				return nil, p.wrong("it is empty: a recording begins with a header")
			}
			return r, nil
		case errors.Is(err, errCut) && p.number > 1:
			r.Cut = true
			return r, nil
		case err != nil:
			return nil, p.wrong(err.Error())
		case r.End != nil:
			return nil, p.wrong("there is something after the end")
		}
		if err := r.add(line, p.number == 1); err != nil {
			return nil, p.wrong(err.Error())
		}
	}
}

type parser struct {
	file   string
	in     *bufio.Reader
	number int // of the present line
	bytes  int
}

func (p *parser) wrong(what string) error { return &Error{p.file, p.number, what} }

// errCut says that the last line has no end.
var errCut = errors.New("the line is cut off")

// line is the next line without its end; io.EOF if there is none.
func (p *parser) line() ([]byte, error) {
	var line []byte
	for {
		part, err := p.in.ReadSlice('\n')
		p.bytes += len(part)
		line = append(line, part...)
		switch {
		case p.bytes > MaxBytes:
			p.number++
			return nil, fmt.Errorf("the recording is larger than %d bytes", MaxBytes)
		case len(line) > MaxLine:
			p.number++
			return nil, fmt.Errorf("the line is longer than %d bytes", MaxLine)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil, io.EOF
		}
		p.number++
		if errors.Is(err, io.EOF) {
			return nil, errCut
		}
		return line[:max(len(line)-1, 0)], err
	}
}

// add takes one line in.
func (r *Recording) add(line []byte, first bool) error {
	if first {
		if err := strict(line, &r.Header); err != nil {
			return fmt.Errorf("it is no header of a recording: %w", err)
		}
		if r.Version != Version {
			return fmt.Errorf("the recording has version %d of the format; this program reads version %d", r.Version, Version)
		}
		return nil
	}
	before := Place{}
	if n := len(r.Steps); n > 0 {
		before = r.Steps[n-1].Place
		before.Events++
	}
	if bytes.HasPrefix(line, []byte(`{"end":`)) {
		end := new(End)
		if err := strict(line, end); err != nil {
			return fmt.Errorf("it is no end of a recording: %w", err)
		}
		r.End = end
		return end.follows(before)
	}
	if len(r.Steps) >= MaxSteps {
		return fmt.Errorf("the recording has more than %d steps", MaxSteps)
	}
	var s Step
	if err := strict(line, &s); err != nil {
		return fmt.Errorf("it is no step of a recording: %w", err)
	}
	if err := s.check(); err != nil {
		return err
	}
	r.Steps = append(r.Steps, s)
	return s.follows(before)
}

// follows says whether a line can come after what is before it.
func (p Place) follows(before Place) error {
	if p.Events < before.Events || p.At < before.At {
		return fmt.Errorf("it is at %v after %d events, and so before the line above it", p.At, p.Events)
	}
	return nil
}

// strict reads one JSON value that has nothing unknown and nothing behind it.
func strict(line []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errors.New("it ends too early")
		}
		return err
	}
	if d.More() {
		return errors.New("there is something after it")
	}
	return nil
}
