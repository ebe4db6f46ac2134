package inventory

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
)

// node is an element of a file: what it is called, its xsi:type or type, and
// either text or elements. A nil node has nothing, so that paths can be followed
// without asking at each step.
type node struct {
	name, kind, text string
	line             int
	children         []*node
}

// at follows a path of names, taking the first of each.
func (n *node) at(path ...string) *node {
	for _, name := range path {
		if n == nil {
			return nil
		}
		var next *node
		for _, c := range n.children {
			if c.name == name {
				next = c
				break
			}
		}
		n = next
	}
	return n
}

// all are the children of that name.
func (n *node) all(name string) (list []*node) {
	if n == nil {
		return nil
	}
	for _, c := range n.children {
		if c.name == name {
			list = append(list, c)
		}
	}
	return list
}

func (n *node) str(path ...string) string {
	if n = n.at(path...); n == nil {
		return ""
	}
	return n.text
}

func (n *node) is(path ...string) bool { s := n.str(path...); return s == "true" || s == "1" }

// ref is a reference to an object, such as "VirtualMachine:vm-7"; "" if there is
// none.
func (n *node) ref(path ...string) string {
	if n = n.at(path...); n == nil || n.text == "" {
		return ""
	}
	return n.kind + ":" + n.text
}

// refs are the references in a list.
func (n *node) refs() (list []string) {
	if n == nil {
		return nil
	}
	for _, c := range n.children {
		if c.text != "" {
			list = append(list, c.kind+":"+c.text)
		}
	}
	return list
}

// tree reads the XML of one file.
type tree struct {
	file  string
	dec   *xml.Decoder
	nodes int
}

func (t *tree) fail(fix, what string, args ...any) error {
	line, _ := t.dec.InputPos()
	return &Error{File: t.file, Line: line, What: fmt.Sprintf(what, args...), Fix: fix}
}

// broken is the error of a file that is no XML, or ends too early.
func (t *tree) broken(err error) error {
	if syntax := new(xml.SyntaxError); errors.As(err, &syntax) {
		return &Error{File: t.file, Line: syntax.Line, What: "it is broken XML: " + syntax.Msg, Fix: again}
	}
	if errors.Is(err, io.EOF) {
		return t.fail(again, "it ends too early")
	}
	return t.fail(again, "it cannot be read: %s", plain(err))
}

// start goes on to the next element, and says whether there is one before the
// end of what is around it.
func (t *tree) start() (*xml.StartElement, error) {
	for {
		token, err := t.dec.RawToken()
		if err != nil {
			return nil, t.broken(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			return &token, nil
		case xml.EndElement:
			return nil, nil
		}
	}
}

// element reads the rest of an element that has begun.
func (t *tree) element(start *xml.StartElement, depth int) (*node, error) {
	line, _ := t.dec.InputPos()
	n := &node{name: start.Name.Local, line: line}
	if t.nodes++; t.nodes > MaxNodes {
		return nil, t.fail("take it out of the folder if it is none of govc's", "it has more than %d elements", MaxNodes)
	}
	if depth > MaxDepth {
		return nil, t.fail("take it out of the folder if it is none of govc's", "its elements are nested more than %d deep", MaxDepth)
	}
	for _, a := range start.Attr {
		// A reference in a property has both, and its own says the kind of object.
		if a.Name.Local == "type" && (n.kind == "" || a.Name.Space == "") {
			_, kind, prefixed := strings.Cut(a.Value, ":")
			if !prefixed {
				kind = a.Value
			}
			n.kind = kind
		}
	}
	var text strings.Builder
	for {
		token, err := t.dec.RawToken()
		if err != nil {
			return nil, t.broken(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			child, err := t.element(&token, depth+1)
			if err != nil {
				return nil, err
			}
			n.children = append(n.children, child)
		case xml.CharData:
			if len(n.children) == 0 {
				text.Write(token)
			}
		case xml.EndElement:
			if token.Name.Local != n.name {
				return nil, t.fail(again, "it is broken XML: element <%.40s> is closed by </%.40s>", n.name, token.Name.Local)
			}
			if len(n.children) == 0 {
				n.text = strings.TrimSpace(text.String())
			}
			return n, nil
		}
	}
}

// object is one saved object: its reference and its properties by name.
type object struct {
	file  string
	ref   string
	kind  string
	props map[string]*node
	lines int // where the object stands in the file
}

func (o *object) prop(name string, path ...string) *node { return o.props[name].at(path...) }

// number reads a whole number of a property; 0 if there is none.
func (o *object) number(n *node) (int64, error) {
	if n == nil || n.text == "" {
		return 0, nil
	}
	v, err := strconv.ParseInt(n.text, 10, 64)
	if err != nil {
		return 0, &Error{File: o.file, Line: n.line, What: fmt.Sprintf("%s is %.40q, which is no whole number", n.name, n.text), Fix: again}
	}
	return v, nil
}

// readObject reads a file. Of a kind that is not wanted it reads no more than the
// reference.
func readObject(folder fs.FS, file string, wanted func(kind string) bool) (*object, error) {
	f, err := folder.Open(file)
	if err != nil {
		return nil, &Error{File: file, What: "it cannot be read: " + plain(err), Fix: "see to it that you may read it"}
	}
	defer f.Close()
	t := &tree{file: file, dec: xml.NewDecoder(io.LimitReader(f, MaxFile))}
	root, err := t.start()
	if err != nil {
		return nil, err
	}
	const foreign = "take it out of the folder if it is none of govc's, or " + again
	if root == nil || root.Name.Local != "ObjectContent" {
		return nil, t.fail(foreign, "it is no saved object: it does not begin with <ObjectContent>")
	}
	o := &object{file: file, props: map[string]*node{}}
	for {
		start, err := t.start()
		if err != nil {
			return nil, err
		}
		if start == nil {
			break
		}
		n, err := t.element(start, 1)
		if err != nil {
			return nil, err
		}
		switch n.name {
		case "obj":
			o.ref, o.kind, o.lines = n.ref(), n.kind, n.line
			if !wanted(o.kind) {
				return o, nil
			}
		case "propSet":
			if name := n.str("name"); name != "" {
				o.props[name] = n.at("val")
			}
		}
	}
	if o.ref == "" || o.kind == "" {
		return nil, t.fail(foreign, "it does not say which object it is: <obj type=...> is missing")
	}
	return o, nil
}
