// Package strictyaml decodes YAML into Go values and refuses everything that
// they do not say: unknown and duplicate keys, missing values, wrong kinds.
//
// It decides where the problem is and how to say it: every problem has a line,
// a column and a fix, and all of them are found at once. It never judges what a
// value means, that is for whoever decodes.
//
// Fields are named by their yaml tags. A field without omitempty must be there.
// A jsonschema tag with enum= lists what a string may be: the same tag makes the
// schema, so that editor and program agree. A nonzero tag refuses a 0 or an
// empty list that is written out, where leaving the key out means a default: it
// says what to write instead, or just "default".
//
// Read this file (what is decoded how), then kinds.go, then syntax.go (what is
// no YAML at all, and where).
package strictyaml

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Limits of a document. Aliases are refused, so that a small file cannot grow.
const (
	MaxBytes    = 4 << 20
	MaxDepth    = 32
	MaxProblems = 20 // more are not collected: they are mostly echoes
)

// Problem is one thing wrong with a document.
type Problem struct {
	Line, Column int    // from 1; 0 if the whole document is meant
	Path         string // such as "faults[2].wan-down.for"; "" at the top
	What         string // is wrong
	Fix          string // what to do about it
}

func (p *Problem) Error() string {
	return fmt.Sprintf("line %d, column %d: %s; %s", p.Line, p.Column, p.What, p.Fix)
}

// Custom is a type that is written in more than one form, and says itself how.
type Custom interface {
	// DecodeStrict reads node by d.Into and reports by d.Fail.
	DecodeStrict(d *Decoder, node *yaml.Node, path string)
}

// Decode reads node into v, a pointer, and returns what is wrong in the order of
// the document. With a problem, v is not to be used.
func Decode(node *yaml.Node, v any) []*Problem {
	d := &Decoder{}
	d.Into(node, "", v)
	return d.problems
}

// Decoder collects the problems of one document.
type Decoder struct {
	problems []*Problem
	depth    int
}

// Fail adds a problem at a node.
func (d *Decoder) Fail(node *yaml.Node, path, what, fix string) {
	if len(d.problems) < MaxProblems {
		d.problems = append(d.problems, &Problem{Line: node.Line, Column: node.Column, Path: path, What: what, Fix: fix})
	}
}

// Into reads node into v, a pointer.
func (d *Decoder) Into(node *yaml.Node, path string, v any) {
	d.value(node, path, reflect.ValueOf(v).Elem(), "")
}

func (d *Decoder) value(node *yaml.Node, path string, v reflect.Value, tag reflect.StructTag) {
	d.depth++
	defer func() { d.depth-- }()
	switch {
	case d.depth > MaxDepth:
		d.Fail(node, path, "it is nested too deeply", fmt.Sprintf("use at most %d levels", MaxDepth))
		return
	case node.Kind == yaml.AliasNode || node.Anchor != "":
		d.Fail(node, path, "anchors and aliases are not supported", "write the value out")
		return
	case node.Tag == "!!null":
		d.Fail(node, path, fmt.Sprintf("%s has no value", name(path)), "give it one, or leave the key out")
		return
	}
	before := len(d.problems)
	d.kind(node, path, v, tag)
	if hint := tag.Get("nonzero"); hint != "" && len(d.problems) == before && nothing(v) {
		fix := "give more, or leave the key out for the default"
		if hint != "default" {
			fix = hint
		}
		what := fmt.Sprintf("%s is %s", name(path), node.Value)
		if node.Kind != yaml.ScalarNode {
			what = name(path) + " is empty"
		}
		d.Fail(node, path, what, fix)
	}
}

// nothing says whether v holds 0, or a list of nothing.
func nothing(v reflect.Value) bool {
	return v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0
}

// kind decodes a node that has a value, by what it is to become.
func (d *Decoder) kind(node *yaml.Node, path string, v reflect.Value, tag reflect.StructTag) {
	if c, ok := v.Addr().Interface().(Custom); ok {
		c.DecodeStrict(d, node, path)
		return
	}
	if t, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.text(node, path, t)
		return
	}
	if v.Type() == reflect.TypeFor[time.Duration]() {
		d.duration(node, path, v)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(node, path, v.Elem(), tag)
	case reflect.Struct:
		d.structure(node, path, v)
	case reflect.Slice:
		d.list(node, path, v)
	case reflect.Map:
		d.mapping(node, path, v)
	default:
		d.scalar(node, path, v, tag)
	}
}

func (d *Decoder) isKind(node *yaml.Node, path string, kind yaml.Kind) bool {
	if node.Kind == kind {
		return true
	}
	d.Fail(node, path, fmt.Sprintf("%s is %s", name(path), kindName(node.Kind)), "write "+kindName(kind))
	return false
}

func kindName(k yaml.Kind) string {
	switch k {
	case yaml.MappingNode:
		return "a mapping, such as {key: value}"
	case yaml.SequenceNode:
		return "a list, such as [one, two]"
	}
	return "a single value"
}

// name is the last part of a path, as people would point at it.
func name(path string) string {
	if path == "" {
		return "the document"
	}
	return path[strings.LastIndexByte(path, '.')+1:]
}

// Below is the path of a key below path.
func Below(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
