package mutants

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Ledger keeps what was found out, a JSON object a line, so that work which was
// interrupted goes on where it stopped. It knows a finding again by a key of
// everything that it depends on: another product, or another record, has others.
type Ledger struct {
	mu    sync.Mutex
	file  *os.File
	known map[string]json.RawMessage
}

// maxLine bounds a line of a ledger.
const maxLine = 1 << 20

type line struct {
	Key   string          `json:"key"`
	Found json.RawMessage `json:"found"`
}

// OpenLedger opens the ledger at path, or begins one. A last line that was cut
// short is dropped.
func OpenLedger(path string) (*Ledger, error) {
	l := &Ledger{known: map[string]json.RawMessage{}}
	whole, err := l.read(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s (remove it to begin anew): %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of %s: %w", path, err)
	}
	if l.file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644); err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	if err := l.file.Truncate(whole); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), l.file.Close())
	}
	_, err = l.file.Seek(whole, 0)
	return l, err
}

// read takes the lines in and tells how many bytes are whole lines.
func (l *Ledger) read(path string) (whole int64, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var at line
		if err := json.Unmarshal(lines.Bytes(), &at); err != nil {
			return whole, nil
		}
		whole += int64(len(lines.Bytes())) + 1
		l.known[at.Key] = at.Found
	}
	return whole, lines.Err()
}

// Known fills in what was found under a key.
func (l *Ledger) Known(key string, found any) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	text, ok := l.known[key]
	return ok && json.Unmarshal(text, found) == nil
}

// Keep writes down what was found.
func (l *Ledger) Keep(key string, found any) error {
	text, err := json.Marshal(found)
	if err != nil {
		return fmt.Errorf("keeping what was found: %w", err)
	}
	whole, err := json.Marshal(line{key, text})
	if err != nil {
		return fmt.Errorf("keeping what was found: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known[key] = text
	if _, err := l.file.Write(append(whole, '\n')); err != nil {
		return fmt.Errorf("keeping what was found: %w", err)
	}
	return nil
}

// Close closes the file.
func (l *Ledger) Close() error { return l.file.Close() }

// Key of what is found out about a record with a program of that sum.
func Key(sum, what string, r *Record) string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("mutants: %v", err)) // strings can be written
	}
	hash := sha256.Sum256(append([]byte(sum+"\n"+what+"\n"), text...))
	return hex.EncodeToString(hash[:12])
}
