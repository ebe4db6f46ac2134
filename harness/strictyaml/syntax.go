package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Parse reads text as one YAML document. Its problem, if any, is one of syntax.
func Parse(text []byte) (*yaml.Node, *Problem) {
	if len(text) > MaxBytes {
		return nil, &Problem{What: fmt.Sprintf("the file has more than %d bytes", MaxBytes), Fix: "split it, or name the file that you meant"}
	}
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&doc); err != nil {
		return nil, syntax(text, err)
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil, empty()
	}
	var second yaml.Node
	switch err := dec.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, syntax(text, err)
	default:
		return nil, &Problem{Line: second.Line, Column: max(second.Column, 1), What: "a second document begins here", Fix: "keep one document in a file"}
	}
	return doc.Content[0], nil
}

func empty() *Problem {
	return &Problem{Line: 1, Column: 1, What: "the file is empty", Fix: "see hdm schema for what it can hold"}
}

// unknownAnchor is the parser's message for an alias of nothing.
var unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced`)

// tabbed is a line that is indented with a tab.
var tabbed = regexp.MustCompile(`(?m)^ *\t`)

const spaces = "indent with spaces: YAML knows no tabs there"

// syntax makes a problem of an error of the YAML parser, which has the line in
// its text only, or not at all.
func syntax(text []byte, err error) *Problem {
	if errors.Is(err, io.EOF) {
		return empty()
	}
	// Without a line, the parser means the first.
	p := &Problem{Line: 1, Column: 1, What: strings.TrimPrefix(err.Error(), "yaml: "), Fix: "mend the YAML"}
	var line int
	if n, _ := fmt.Sscanf(p.What, "line %d:", &line); n == 1 {
		p.Line = line
		_, p.What, _ = strings.Cut(p.What, ": ")
	}
	switch {
	case strings.Contains(p.What, "control characters are not allowed"), strings.Contains(p.What, "invalid"), strings.Contains(p.What, "incomplete"):
		p.Line, p.Column = place(text, notText(text))
		p.What, p.Fix = "there is something here that is no text", "give a YAML file, in UTF-8, without control characters"
	case unknownAnchor.MatchString(p.What):
		p.Line, p.Column = place(text, bytes.Index(text, []byte("*"+unknownAnchor.FindStringSubmatch(p.What)[1])))
		p.Fix = "anchors and aliases are not supported: write the value out"
	case strings.Contains(p.What, "exceeded max depth"):
		p.Line, p.Column = place(text, deepest(text))
		p.What, p.Fix = "it is nested too deeply", fmt.Sprintf("use at most %d levels", MaxDepth)
	case strings.Contains(p.What, "found character that cannot start any token"):
		p.Column, p.Fix = startless(text, p.Line)
	case strings.Contains(p.What, "tab character"):
		if at := tabbed.FindIndex(text); at != nil {
			p.Line, p.Column = place(text, at[1]-1)
		}
		p.Fix = spaces
	case strings.Contains(p.What, "did not find expected"):
		// The parser counts these lines from 0, and means where the block or the
		// list begins in which it got lost.
		if line > 0 {
			p.Line++
		}
		p.What += " in what begins here"
		p.Fix = "mend the YAML from here on: look for a bracket, quote, comma or colon that is missing, or for uneven indentation"
	}
	return p
}

// startless tells of a character that nothing can begin with.
func startless(text []byte, line int) (column int, fix string) {
	lines := bytes.Split(text, []byte("\n"))
	if line > len(lines) {
		return 1, "mend the YAML"
	}
	is := lines[line-1]
	indent := is[:len(is)-len(bytes.TrimLeft(is, " \t"))]
	if tab := bytes.IndexByte(indent, '\t'); tab >= 0 {
		return tab + 1, spaces
	}
	return len(indent) + 1, "put the text that begins with @, ` or % in quotes"
}

// notText is the first byte that cannot stand in YAML.
func notText(text []byte) int {
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size <= 1 || r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f {
			return at
		}
		at += size
	}
	return 0
}

// deepest is the bracket that opens one level more than can be decoded.
func deepest(text []byte) int {
	depth := 0
	for at, c := range text {
		switch c {
		case '[', '{':
			if depth++; depth > MaxDepth {
				return at
			}
		case ']', '}':
			depth--
		}
	}
	return 0
}

// place is the line and the column of a byte, from 1.
func place(text []byte, at int) (line, column int) {
	before := text[:max(at, 0)]
	return 1 + bytes.Count(before, []byte("\n")), 1 + len(before) - (bytes.LastIndexByte(before, '\n') + 1)
}
