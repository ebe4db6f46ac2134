package site

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Size is a number of bytes, written with a unit: "512 B", "40 GB". Units are
// those of vSphere: 1 KB is 1024 bytes.
type Size int64

// The units of Size.
const (
	B  Size = 1
	KB      = 1024 * B
	MB      = 1024 * KB
	GB      = 1024 * MB
	TB      = 1024 * GB
)

// Rate is a number of bytes a second, written in bits or bytes: "1 Gbit/s",
// "100 MB/s". Units of bits are decimal, as networks count; those of bytes are
// those of Size.
type Rate int64

// Mbit is a million bits a second.
const Mbit Rate = 1_000_000 / 8

// ValueError is a value that does not say what it should.
type ValueError struct {
	Line, Column int    // in the YAML that was read; 0 if it was not read from YAML
	Value        string // as written
	Want         string // what is expected, with an example
}

func (e *ValueError) Error() string {
	where := ""
	if e.Line > 0 {
		where = fmt.Sprintf("line %d, column %d: ", e.Line, e.Column)
	}
	return fmt.Sprintf("%s%q is not %s", where, e.Value, e.Want)
}

type unit struct {
	name  string
	bytes float64
}

// Largest first: printing takes the first that divides.
var sizeUnits = []unit{
	{"TB", float64(TB)}, {"GB", float64(GB)}, {"MB", float64(MB)}, {"KB", float64(KB)}, {"B", 1},
}

var rateUnits = []unit{
	{"Gbit/s", 1e9 / 8}, {"Mbit/s", 1e6 / 8}, {"kbit/s", 1e3 / 8},
	{"GB/s", float64(GB)}, {"MB/s", float64(MB)}, {"KB/s", float64(KB)}, {"B/s", 1},
}

const (
	wantSize = `a size with a unit, such as "40 GB" (B, KB, MB, GB, TB; 1 KB is 1024 B)`
	wantRate = `a rate with a unit, such as "1 Gbit/s" (kbit/s, Mbit/s, Gbit/s, B/s, KB/s, MB/s, GB/s)`
)

// parse reads a number and a unit, with or without a space between, in any case
// of letters that is not ambiguous.
func parse(s, want string, units []unit) (int64, error) {
	s = strings.TrimSpace(s)
	at := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if at <= 0 {
		return 0, &ValueError{Value: s, Want: want}
	}
	n, err := strconv.ParseFloat(s[:at], 64)
	name := strings.TrimSpace(s[at:])
	for _, u := range units {
		if err == nil && strings.EqualFold(u.name, name) {
			// 2^63 as a float is the first that does not fit.
			if bytes := math.Round(n * u.bytes); bytes < math.MaxInt64 {
				return int64(bytes), nil
			}
		}
	}
	return 0, &ValueError{Value: s, Want: want}
}

// format writes n in the largest unit that needs at most three decimals and
// reads back as exactly n.
func format(n int64, units []unit) string {
	for _, u := range units {
		text := strconv.FormatFloat(math.Round(float64(n)/u.bytes*1000)/1000, 'f', -1, 64) + " " + u.name
		if back, err := parse(text, "", units); err == nil && back == n {
			return text
		}
	}
	return fmt.Sprintf("%d %s", n, units[len(units)-1].name)
}

func (s Size) String() string { return format(int64(s), sizeUnits) }
func (r Rate) String() string { return format(int64(r), rateUnits) }

// MarshalText writes the size with its unit.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a size with a unit; its error is a *ValueError.
func (s *Size) UnmarshalText(text []byte) error {
	n, err := parse(string(text), wantSize, sizeUnits)
	if err == nil {
		*s = Size(n)
	}
	return err
}

// UnmarshalYAML is UnmarshalText that knows the place.
func (s *Size) UnmarshalYAML(node *yaml.Node) error {
	n, err := parseNode(node, wantSize, sizeUnits)
	if err == nil {
		*s = Size(n)
	}
	return err
}

// MarshalText writes the rate with its unit.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a rate with a unit; its error is a *ValueError.
func (r *Rate) UnmarshalText(text []byte) error {
	n, err := parse(string(text), wantRate, rateUnits)
	if err == nil {
		*r = Rate(n)
	}
	return err
}

// UnmarshalYAML is UnmarshalText that knows the place.
func (r *Rate) UnmarshalYAML(node *yaml.Node) error {
	n, err := parseNode(node, wantRate, rateUnits)
	if err == nil {
		*r = Rate(n)
	}
	return err
}

func parseNode(node *yaml.Node, want string, units []unit) (int64, error) {
	n, err := parse(node.Value, want, units)
	if err != nil {
		return 0, &ValueError{Line: node.Line, Column: node.Column, Value: node.Value, Want: want}
	}
	return n, nil
}
