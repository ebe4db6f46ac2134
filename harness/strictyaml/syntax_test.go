package strictyaml

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTextThatIsNoSingleDocumentIsRefused(t *testing.T) {
	for _, c := range []struct{ name, text, what string }{
		{"nothing", "", "the file is empty"},
		{"a comment", "# nothing\n", "the file is empty"},
		{"two documents", "a: 1\n---\nb: 2\n", "second document"},
		{"a broken second document", "a: 1\n---\nb: [\n", "did not find"},
		{"broken YAML", "a: [", "did not find"},
		{"too much", strings.Repeat("#", MaxBytes+1), "bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, problem := Parse([]byte(c.text))
			require.NotNil(t, problem)
			assert.Contains(t, problem.What, c.what)
			assert.NotEmpty(t, problem.Fix)
		})
	}
}

func TestAMistakeOfSyntaxIsToldWithItsPlaceAndWhatToDo(t *testing.T) {
	for _, c := range []struct {
		name, text   string
		line, column int
		fix          string
	}{
		{"a tab that indents", "a:\n\t- b\n", 2, 1, "indent with spaces"},
		{"a tab in the first line", "\ta: b\n", 1, 1, "indent with spaces"},
		{"a tab that goes on", "a:\n  b: 1\n\tc: 2\n", 3, 1, "indent with spaces"},
		{"a character that begins nothing", "a: 1\nb: @x\n", 2, 1, "in quotes"},
		{"a bracket that is left open", "a: 1\nb: [1\nc: 2\n", 2, 1, "bracket"},
		{"a brace that is left open, below", "a: x\nb: y\nc:\n  - {a: 1\n  - {b: 2}\n", 4, 1, "bracket"},
		{"uneven indentation", "a: 1\nb:\n  - x\n - y\n", 4, 1, "indentation"},
		{"an alias of nothing", "a: 1\nb: *zz\n", 2, 4, "write the value out"},
		{"a control character", "a: 1\nb: x\x00y\n", 2, 5, "UTF-8"},
		{"no UTF-8", "a: 1\n\nb: \xff\n", 3, 4, "UTF-8"},
		{"more levels than the parser takes", "a: 1\nb: " + strings.Repeat("[", 20_000), 2, 4 + MaxDepth, "32 levels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, p := Parse([]byte(c.text))
			require.NotNil(t, p)
			assert.Equal(t, [2]int{c.line, c.column}, [2]int{p.Line, p.Column}, "%v", p)
			assert.Contains(t, p.Fix, c.fix)
		})
	}
}
