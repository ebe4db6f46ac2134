package mutants

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Builder builds hdm from a tree, with a mistake or without.
type Builder struct {
	Root     string   // the module's folder
	Go       string   // the go command
	Archives Archives // of the sound program; none: mutants are built from their source
}

// flags of every build. The same source gives the same bytes, and no symbols
// are linked that nobody looks at.
var flags = []string{"-trimpath", "-buildvcs=false", "-ldflags=-s -w"}

// Sound builds the product as it is into dir and returns the program and a sum
// of its bytes: what was found with another program says nothing about this one.
func (b Builder) Sound(ctx context.Context, dir string) (to, sum string, err error) {
	to = filepath.Join(dir, "hdm")
	if out, err := b.run(ctx, "build", append([]string{"-o", to}, flags...), program); err != nil {
		return "", "", fmt.Errorf("building hdm: %w\n%s", err, out)
	}
	content, err := os.ReadFile(to)
	if err != nil {
		return "", "", fmt.Errorf("reading hdm: %w", err)
	}
	hash := sha256.Sum256(content)
	return to, hex.EncodeToString(hash[:8]), nil
}

// Mutant builds hdm with a mistake in it into dir and returns the program. A
// record that does not fit, or does not compile, is a *RecordError.
func (b Builder) Mutant(ctx context.Context, r *Record, dir string) (string, error) {
	overlay, err := b.overlay(r, dir)
	if err != nil {
		return "", err
	}
	to := filepath.Join(dir, "hdm")
	if b.relink(ctx, r, dir, to) {
		return to, nil
	}
	out, err := b.run(ctx, "build", append([]string{"-o", to, "-overlay", overlay}, flags...), program)
	return to, b.compiled(ctx, r, out, err)
}

// Tests runs a test with a mistake in the product and says whether it failed. A
// test that is not there, or that does not compile, is a *RecordError.
func (b Builder) Tests(ctx context.Context, r *Record, dir string) (failed bool, err error) {
	overlay, err := b.overlay(r, dir)
	if err != nil {
		return false, err
	}
	t := r.Notice.Test
	out, err := b.run(ctx, "test", []string{"-trimpath", "-overlay", overlay, "-count", "1", "-vet", "off", "-v", "-run", "^" + t.Name + "$"}, "./"+t.Package)
	if !strings.Contains(out, "=== RUN   "+t.Name+"\n") {
		if err := b.compiled(ctx, r, out, err); err != nil {
			return false, err
		}
		return false, &RecordError{r.Name, fmt.Sprintf("%s has no test %s", t.Package, t.Name), "name one that it has"}
	}
	return err != nil, ctx.Err()
}

// compiled says what kept the compiler from it.
func (b Builder) compiled(ctx context.Context, r *Record, out string, err error) error {
	exit := new(exec.ExitError)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &exit):
		return &RecordError{r.Name, "it does not compile:\n" + strings.TrimSpace(out), "fit the record to the product"}
	case err != nil:
		return fmt.Errorf("building %q: %w", r.Name, err)
	}
	return nil
}

// overlay writes the changed file, and the list that shows it to the compiler.
func (b Builder) overlay(r *Record, dir string) (string, error) {
	text, err := r.Apply(b.Root)
	if err != nil {
		return "", err
	}
	root, err := filepath.Abs(b.Root)
	if err != nil {
		return "", fmt.Errorf("finding the module: %w", err)
	}
	changed, list := filepath.Join(dir, r.File), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(root, filepath.FromSlash(r.Path())): changed}})
	if err != nil {
		panic(fmt.Sprintf("mutants: %v", err)) // strings can be written
	}
	if err := errors.Join(os.WriteFile(changed, []byte(text), 0o600), os.WriteFile(list, replace, 0o600)); err != nil {
		return "", fmt.Errorf("writing the mutant: %w", err)
	}
	return list, nil
}

// run runs the go command in the module and returns what it printed.
func (b Builder) run(ctx context.Context, verb string, args []string, packages string) (string, error) {
	cmd := exec.CommandContext(ctx, b.Go, append(append([]string{verb}, args...), packages)...)
	cmd.Dir = b.Root
	out, err := cmd.CombinedOutput()
	return string(out), err
}
