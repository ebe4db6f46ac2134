package strictyaml

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

type colour string

func (c *colour) UnmarshalText(text []byte) error {
	if string(text) == "grey" {
		return errors.New(`"grey" is no colour`)
	}
	*c = colour(text)
	return nil
}

// either is a name, or a box.
type either struct {
	name string
	box  box
}

func (e *either) DecodeStrict(d *Decoder, node *yaml.Node, path string) {
	if node.Kind == yaml.ScalarNode {
		e.name = node.Value
		return
	}
	d.Into(node, path, &e.box)
}

type Base struct {
	ID string `yaml:"id"`
}

type box struct {
	Base   `yaml:",inline"`
	Size   int            `yaml:"size,omitempty"`
	Weight float64        `yaml:"weight,omitempty"`
	Open   *bool          `yaml:"open,omitempty"`
	Wait   time.Duration  `yaml:"wait,omitempty"`
	Shape  string         `yaml:"shape,omitempty" jsonschema:"enum=round,enum=square"`
	Colour colour         `yaml:"colour,omitempty"`
	Boxes  []box          `yaml:"boxes,omitempty"`
	Counts map[string]int `yaml:"counts,omitempty"`
	Parts  int            `yaml:"parts,omitempty" nonzero:"default"`
	Lids   []box          `yaml:"lids,omitempty" nonzero:"say open: true"`
	Ref    *either        `yaml:"ref,omitempty"`
}

func decode(t require.TestingT, text string) (box, []*Problem) {
	node, problem := Parse([]byte(text))
	require.Nil(t, problem, "%v", problem)
	var b box
	return b, Decode(node, &b)
}

func TestWhatIsWrittenIsDecoded(t *testing.T) {
	node, problem := Parse([]byte(`{id: 12, size: 3, weight: 2, open: false, wait: 1m30s, shape: round, colour: red, boxes: [{id: a}, {id: b}], counts: {x: 1}, ref: {id: c}}`))
	require.Nil(t, problem)
	var b box
	require.Empty(t, Decode(node, &b))
	no := false
	assert.Equal(t, box{
		Base: Base{"12"}, Size: 3, Weight: 2, Open: &no, Wait: 90 * time.Second, Shape: "round", Colour: "red",
		Boxes: []box{{Base: Base{"a"}}, {Base: Base{"b"}}}, Counts: map[string]int{"x": 1}, Ref: &either{box: box{Base: Base{"c"}}},
	}, b)
}

func TestWhatIsNotSaidIsRefusedWithItsPlace(t *testing.T) {
	for _, c := range []struct{ name, text, where, path, what, fix string }{
		{"an unknown key", "{id: a, sise: 3}", "1:9", "sise", `unknown key "sise"`, `did you mean "size"?`},
		{"a key like no other", "{id: a, x: 3}", "1:9", "x", `unknown key "x"`, "use one of id, size"},
		{"a key twice", "{id: a, id: b}", "1:9", "", "twice", "keep one"},
		{"a map key twice", "{id: a, counts: {x: 1, x: 2}}", "1:24", "counts", "twice", "keep one"},
		{"a missing key", "size: 3", "1:1", "", `"id" is missing`, "add id"},
		{"a missing key below", "{id: a, boxes: [{id: b}, {size: 1}]}", "1:26", "boxes[1]", `"id" is missing`, "add id"},
		{"no value", "id:", "1:4", "id", "id has no value", "leave the key out"},
		{"a word for a number", "{id: a, size: big}", "1:15", "size", `"big" is not a whole number`, "change size"},
		{"a fraction for a whole number", "{id: a, size: 0.5}", "1:15", "size", `"0.5" is not a whole number`, ""},
		{"a number for a truth", "{id: a, open: 1}", "1:15", "open", `"1" is not true or false`, ""},
		{"too large a number", "{id: a, size: 9223372036854775808}", "1:15", "size", "is not a whole number", ""},
		{"no duration", "{id: a, wait: 5}", "1:15", "wait", `"5" is not a duration`, "30s"},
		{"a value that is not allowed", "{id: a, shape: sqare}", "1:16", "shape", `"sqare" is not known as shape`, `"square"`},
		{"a value that its type refuses", "{id: a, colour: grey}", "1:17", "colour", "no colour", ""},
		{"a list for a value", "{id: [a]}", "1:6", "id", "id is a list", "a single value"},
		{"a value for a list", "{id: a, boxes: b}", "1:16", "boxes", "boxes is a single value", "a list"},
		{"a value for a mapping", "{id: a, boxes: [b]}", "1:17", "boxes[0]", "boxes[0] is a single value", "a mapping"},
		{"wrong within the other form", "{id: a, ref: {size: 1}}", "1:14", "ref", `"id" is missing`, ""},
		{"a 0 that would mean the default", "{id: a, parts: 0}", "1:16", "parts", "parts is 0", "leave the key out for the default"},
		{"a list of nothing that would mean the default", "{id: a, lids: []}", "1:15", "lids", "lids is empty", "say open: true"},
		{"a text of nothing", `{id: ""}`, "1:6", "id", "id is empty", "leave the key out"},
		{"no number", "{id: a, weight: .nan}", "1:17", "weight", `".nan" is not a number`, ""},
		{"a number without end", "{id: a, weight: -.inf}", "1:17", "weight", `"-.inf" is not a number`, ""},
		{"a control character", `{id: "a\e[31m"}`, "1:6", "id", "control character, U+001B", "leave it out"},
		{"a second line", `{id: "a\nb"}`, "1:6", "id", "control character, U+000A", "one line"},
		{"a turn of direction", `{id: "a\u202eb"}`, "1:6", "id", "control character, U+202E", "leave it out"},
		{"a control character in a key", `{id: a, counts: {"x\0": 1}}`, "1:18", "counts", "control character", "leave it out"},
		{"an anchor", "{id: &x a, colour: *x}", "1:6", "id", "anchors and aliases", "write the value out"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, problems := decode(t, c.text)
			require.NotEmpty(t, problems)
			p := problems[0]
			assert.Contains(t, p.Error(), "line "+strings.Replace(c.where, ":", ", column ", 1)+": ")
			assert.Equal(t, c.path, p.Path)
			assert.Contains(t, p.What, c.what)
			assert.Contains(t, p.Fix, c.fix)
		})
	}
}

func TestProblemsAreAllFoundAndBounded(t *testing.T) {
	_, problems := decode(t, "{size: big, open: 1, shape: x}")
	assert.Len(t, problems, 4)
	_, problems = decode(t, "{id: a, boxes: ["+strings.Repeat("{}, ", 2*MaxProblems)+"]}")
	assert.Len(t, problems, MaxProblems)
}

func TestDeepNestingIsRefused(t *testing.T) {
	text := "{id: a}"
	for range MaxDepth {
		text = "{id: a, boxes: [" + text + "]}"
	}
	_, problems := decode(t, text)
	require.NotEmpty(t, problems)
	assert.Contains(t, problems[0].What, "nested too deeply")
}

func TestNoTextMakesItPanic(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{
			"{", "}", "[", "]", ": ", ", ", "id", "size", "boxes", "ref", "counts", "colour", "1", "0.5", "~", "a", "\n", "  ", "- ", "&x ", "*x", "!!int ", "<<", `"`, "#",
		}), 0, 30).Draw(r, "text"), "")
		node, problem := Parse([]byte(text))
		if problem != nil {
			return
		}
		var b box
		for _, p := range Decode(node, &b) {
			require.NotEmpty(r, p.What)
			require.NotEmpty(r, p.Fix)
		}
	})
}
