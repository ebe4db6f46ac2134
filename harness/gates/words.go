package gates

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// unwanted words, spelt so that this file does not have them, and why.
var unwanted = []struct{ word, why string }{
	{"TO" + "DO", "finish it, or write down what is missing where people look"},
	{"FIX" + "ME", "fix it, or write down what is missing where people look"},
	{"/wo" + "rk/", "a path of somebody's machine: the project stands alone"},
	{"/ho" + "me/", "a path of somebody's machine: the project stands alone"},
	{"C:" + `\Users`, "a path of somebody's machine: the project stands alone"},
}

// texts are the names of files that people read, by their ends.
var texts = []string{".go", ".md", ".yaml", ".yml", ".json", ".sh", ".mod", ".html", ".css", ".js", ".ts", "Makefile"}

// elsewhere are folders with what others wrote, or what a run left.
var elsewhere = []string{".git", "out", "bin", "node_modules", "vendor"}

func words(dir string) ([]Finding, error) {
	var found []Finding
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains(elsewhere, d.Name()):
			return fs.SkipDir
		case d.IsDir() || !slices.ContainsFunc(texts, func(end string) bool { return strings.HasSuffix(path, end) }):
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		found = append(found, wordsIn(filepath.ToSlash(name), content)...)
		return nil
	})
	return found, err
}

func wordsIn(file string, content []byte) []Finding {
	var found []Finding
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, len(content)+1)
	for n := 1; lines.Scan(); n++ {
		for _, u := range unwanted {
			if strings.Contains(lines.Text(), u.word) {
				found = append(found, Finding{file, n, Word, fmt.Sprintf("%s: %s", u.word, u.why)})
			}
		}
	}
	return found
}
