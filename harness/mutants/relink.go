package mutants

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Archives are what the compiler made of the packages of the sound program.
//
// A mutant is that program with one package changed. Where nothing has changed
// that other packages were compiled against (what is exported, and the bodies that
// are inlined), that package is compiled alone and all are linked: a quarter of
// the work. The linker holds what a package was compiled against to what it is
// linked with and refuses if they differ; then everything is built anew.
type Archives []archive

// archive is a package as go list tells of it.
type archive struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	EmbedFiles []string
	Export     string // the compiler's output
	Module     struct{ GoVersion string }
}

const program = "./cmd/hdm"

// Archived finds what the build of the sound program left in the compiler's cache.
func (b Builder) Archived(ctx context.Context) (Archives, error) {
	cmd := exec.CommandContext(ctx, b.Go, append(append([]string{"list", "-export", "-deps", "-json=ImportPath,Dir,GoFiles,EmbedFiles,Export,Module"}, flags...), program)...)
	cmd.Dir = b.Root
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing the packages of hdm: %w", err)
	}
	var all Archives
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p archive
		switch err := d.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("reading the packages of hdm: %w", err)
		case p.Export != "": // package unsafe has none
			all = append(all, p)
		}
	}
}

// config is the list of packages that the compiler and the linker take, with
// another archive in place of a package's own.
func (all Archives) config(of, instead string) []byte {
	var b bytes.Buffer
	for _, p := range all {
		if p.ImportPath == of {
			p.Export = instead
		}
		fmt.Fprintf(&b, "packagefile %s=%s\n", p.ImportPath, p.Export)
	}
	return b.Bytes()
}

// relink compiles the record's package and links it with the others. False says
// that it cannot be done so, or that the mutant does not compile: the whole build
// tells which.
func (b Builder) relink(ctx context.Context, r *Record, dir, to string) bool {
	i := slices.IndexFunc(b.Archives, func(p archive) bool { return strings.HasSuffix(p.ImportPath, "/"+r.Package) })
	if i < 0 || len(b.Archives[i].EmbedFiles) > 0 {
		return false
	}
	p, main := b.Archives[i], b.Archives[len(b.Archives)-1]
	list, changed := filepath.Join(dir, "packages"), filepath.Join(dir, "package.a")
	if err := os.WriteFile(list, b.Archives.config(p.ImportPath, changed), 0o600); err != nil {
		return false
	}
	compile := []string{
		"tool", "compile", "-p", p.ImportPath, "-complete", "-nolocalimports", "-pack", "-lang", version.Lang("go" + p.Module.GoVersion),
		"-trimpath", p.Dir + "=>" + p.ImportPath + ";" + dir + "=>" + p.ImportPath, "-importcfg", list, "-o", changed,
	}
	for _, name := range p.GoFiles {
		from := p.Dir
		if name == r.File {
			from = dir
		}
		compile = append(compile, filepath.Join(from, name))
	}
	link := []string{"tool", "link", "-s", "-w", "-importcfg", list, "-o", to, main.Export}
	for _, args := range [][]string{compile, link} {
		if err := exec.CommandContext(ctx, b.Go, args...).Run(); err != nil {
			return false
		}
	}
	return true
}
