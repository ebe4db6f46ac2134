package strictyaml

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// field is a key that a struct can hold.
type field struct {
	key      string
	index    []int
	tag      reflect.StructTag
	required bool
}

// fields are the keys of a struct type, those of inlined structs included, in
// their order.
func fields(t reflect.Type) (all []field) {
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case key == "-":
		case strings.Contains(options, "inline"):
			for _, in := range fields(f.Type) {
				in.index = append([]int{i}, in.index...)
				all = append(all, in)
			}
		default:
			if key == "" {
				key = strings.ToLower(f.Name)
			}
			all = append(all, field{key, []int{i}, f.Tag, !strings.Contains(options, "omitempty")})
		}
	}
	return all
}

func (d *Decoder) structure(node *yaml.Node, path string, v reflect.Value) {
	if !d.isKind(node, path, yaml.MappingNode) {
		return
	}
	known := fields(v.Type())
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		at := slices.IndexFunc(known, func(f field) bool { return f.key == key.Value })
		switch {
		case at < 0:
			var names []string
			for _, f := range known {
				names = append(names, f.key)
			}
			d.Unknown(key, path, names)
		case seen[key.Value]:
			d.Fail(key, path, fmt.Sprintf("%q is there twice", key.Value), "keep one of them")
		default:
			d.value(value, Below(path, key.Value), v.FieldByIndex(known[at].index), known[at].tag)
		}
		seen[key.Value] = true
	}
	for _, f := range known {
		if f.required && !seen[f.key] {
			d.Fail(node, path, fmt.Sprintf("%q is missing", f.key), "add "+f.key+": ...")
		}
	}
}

// Unknown reports a key that is not among known.
func (d *Decoder) Unknown(key *yaml.Node, path string, known []string) {
	fix := "use one of " + strings.Join(known, ", ")
	if near := nearest(key.Value, known); near != "" {
		fix = fmt.Sprintf("did you mean %q? known here: %s", near, strings.Join(known, ", "))
	}
	where := ""
	if path != "" {
		where = " in " + path
	}
	d.Fail(key, Below(path, key.Value), fmt.Sprintf("unknown key %q%s", key.Value, where), fix)
}

func (d *Decoder) list(node *yaml.Node, path string, v reflect.Value) {
	if !d.isKind(node, path, yaml.SequenceNode) {
		return
	}
	list := reflect.MakeSlice(v.Type(), len(node.Content), len(node.Content))
	for i, item := range node.Content {
		d.value(item, fmt.Sprintf("%s[%d]", path, i), list.Index(i), "")
	}
	v.Set(list)
}

func (d *Decoder) mapping(node *yaml.Node, path string, v reflect.Value) {
	if !d.isKind(node, path, yaml.MappingNode) {
		return
	}
	m := reflect.MakeMap(v.Type())
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := reflect.New(v.Type().Key()).Elem()
		value := reflect.New(v.Type().Elem()).Elem()
		d.value(node.Content[i], path, key, "")
		if m.MapIndex(key).IsValid() {
			d.Fail(node.Content[i], path, fmt.Sprintf("%q is there twice", node.Content[i].Value), "keep one of them")
			continue
		}
		d.value(node.Content[i+1], Below(path, node.Content[i].Value), value, "")
		m.SetMapIndex(key, value)
	}
	v.Set(m)
}

func (d *Decoder) text(node *yaml.Node, path string, t encoding.TextUnmarshaler) {
	if !d.isKind(node, path, yaml.ScalarNode) {
		return
	}
	if err := t.UnmarshalText([]byte(node.Value)); err != nil {
		d.Fail(node, path, err.Error(), "change "+name(path))
	}
}

func (d *Decoder) duration(node *yaml.Node, path string, v reflect.Value) {
	if !d.isKind(node, path, yaml.ScalarNode) {
		return
	}
	t, err := time.ParseDuration(node.Value)
	if err != nil {
		d.Fail(node, path, fmt.Sprintf("%q is not a duration", node.Value), "write it with units, such as 500ms, 30s or 2h")
		return
	}
	v.SetInt(int64(t))
}

func (d *Decoder) scalar(node *yaml.Node, path string, v reflect.Value, tag reflect.StructTag) {
	if !d.isKind(node, path, yaml.ScalarNode) {
		return
	}
	if v.Kind() == reflect.String {
		if !d.isPlain(node, path) {
			return
		}
		// A VM may be called 123 or true; asking for quotes would help nobody.
		v.SetString(node.Value)
		if allowed := enum(tag); len(allowed) > 0 && !slices.Contains(allowed, node.Value) {
			fix := "use one of " + strings.Join(allowed, ", ")
			if near := nearest(node.Value, allowed); near != "" {
				fix = fmt.Sprintf("did you mean %q? known here: %s", near, strings.Join(allowed, ", "))
			}
			d.Fail(node, path, fmt.Sprintf("%q is not known as %s", node.Value, name(path)), fix)
		}
		return
	}
	want, ok := wants[v.Kind()]
	if !ok {
		panic(fmt.Sprintf("strictyaml: %s cannot be decoded into a %s", path, v.Type()))
	}
	// The YAML package would cut 0.5 down to 0 for an int.
	fits := node.ShortTag() != "!!float" || v.Kind() == reflect.Float64
	if !fits || node.Decode(v.Addr().Interface()) != nil || v.Kind() == reflect.Float64 && !finite(v.Float()) {
		d.Fail(node, path, fmt.Sprintf("%q is not %s", node.Value, want), "change "+name(path))
	}
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// isPlain says whether the text is there, and can be shown on one line as it is:
// names end up in messages, on terminals and in file names.
func (d *Decoder) isPlain(node *yaml.Node, path string) bool {
	if node.Value == "" {
		d.Fail(node, path, name(path)+" is empty", "give it a value, or leave the key out")
		return false
	}
	if at := strings.IndexFunc(node.Value, Unprintable); at >= 0 {
		r, _ := utf8.DecodeRuneInString(node.Value[at:])
		d.Fail(node, path, fmt.Sprintf("%s has a control character, %U", name(path), r), "leave it out, and keep the text on one line")
		return false
	}
	return true
}

// Unprintable are the characters that act on what shows them: control
// characters, ends of lines, and those that turn the direction of writing.
func Unprintable(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

var wants = map[reflect.Kind]string{
	reflect.Bool: "true or false", reflect.Float64: "a number",
	reflect.Int: "a whole number", reflect.Int32: "a whole number", reflect.Int64: "a whole number",
	reflect.Uint32: "a whole number of 0 or more", reflect.Uint64: "a whole number of 0 or more",
}

// enum are the values that a jsonschema tag allows.
func enum(tag reflect.StructTag) (allowed []string) {
	for _, part := range strings.Split(tag.Get("jsonschema"), ",") {
		if value, ok := strings.CutPrefix(part, "enum="); ok {
			allowed = append(allowed, value)
		}
	}
	return allowed
}

// nearest is the known word that was most likely meant, or "".
func nearest(word string, known []string) string {
	best, least := "", len(word)/2+1
	for _, k := range known {
		if n := distance(word, k); n < least {
			best, least = k, n
		}
	}
	return best
}

// distance is the Levenshtein distance of two words, by bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
