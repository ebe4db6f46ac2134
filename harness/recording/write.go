package recording

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// FullError says that a recording has come to its limit.
type FullError struct{ Path string }

func (e *FullError) Error() string {
	return fmt.Sprintf("the recording %s is full: it holds at most %d bytes and %d steps", e.Path, MaxBytes, MaxSteps)
}

// Writer writes a recording. It belongs to one goroutine.
type Writer struct {
	path  string
	file  *os.File
	bytes int64
	steps int
	err   error // the first one
}

// Begin makes the file, which must not be there yet, and writes the header.
func Begin(path string, h Header) (*Writer, error) {
	h.Version = Version
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("beginning a recording: %w", err)
	}
	w := &Writer{path: path, file: file}
	if err := w.line(h); err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(path))
	}
	return w, nil
}

// Path is where the recording is.
func (w *Writer) Path() string { return w.path }

// Step writes what is about to be done. After an error nothing more is written:
// what is there is a recording up to then.
func (w *Writer) Step(s Step) error {
	if w.err == nil && w.steps >= MaxSteps {
		w.err = &FullError{w.path}
	}
	w.steps++
	return w.line(s)
}

// End writes the last line, unless the recording broke before, and closes it.
func (w *Writer) End(at Place) error {
	if w.err == nil {
		_ = w.line(End{Ended: true, Place: at})
	}
	return errors.Join(w.err, w.file.Close())
}

// line writes one line in one go, and the machine's cache holds it then whatever
// becomes of this program.
func (w *Writer) line(v any) error {
	if w.err != nil {
		return w.err
	}
	text, err := json.Marshal(v)
	switch {
	case err != nil:
	case w.bytes+int64(len(text))+1 > MaxBytes-4096 && !isEnd(v), len(text) >= MaxLine: // the end has room
		err = &FullError{w.path}
	default:
		w.bytes += int64(len(text)) + 1
		_, err = w.file.Write(append(text, '\n'))
	}
	if err != nil {
		w.err = fmt.Errorf("recording to %s: %w", w.path, err)
	}
	return w.err
}

func isEnd(v any) bool { _, is := v.(End); return is }
