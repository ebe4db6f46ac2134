package reports

import (
	"bufio"
	"io"
)

// mostLine is longer than an event can be: what others say in it is cut where it
// is told.
const mostLine = 4 << 20

func newLines(r io.Reader) *bufio.Scanner {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), mostLine)
	return lines
}
