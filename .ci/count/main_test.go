package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestItSaysWhatHappenedAndWhetherAllIsWell(t *testing.T) {
	const passes = `{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Elapsed":0.25}
`
	tests := []struct {
		name, in string
		ok       bool
		says     []string
		silent   []string
	}{
		{"all pass", passes, true, []string{"ok    p  1 tests  0.2s", "1 passed, 0 failed, 0 skipped"}, []string{"noise"}},
		{"one is skipped", passes + `{"Action":"output","Package":"p","Test":"TestB","Output":"needs qemu\n"}
{"Action":"skip","Package":"p","Test":"TestB"}`, true, []string{"needs qemu", "1 passed, 0 failed, 1 skipped"}, nil},
		{"one fails", passes + `{"Action":"output","Package":"q","Test":"TestC","Output":"want 1, got 2\n"}
{"Action":"fail","Package":"q","Test":"TestC"}
{"Action":"fail","Package":"q"}`, false, []string{"want 1, got 2", "FAIL  q", "1 passed, 1 failed, 0 skipped", "1 packages failed"}, nil},
		{"a package does not build", passes + `{"ImportPath":"r","Action":"build-output","Output":"undefined: x\n"}
{"ImportPath":"r","Action":"build-fail"}
{"Action":"fail","Package":"r","FailedBuild":"r"}`, false, []string{"undefined: x", "FAIL  r", "1 passed, 0 failed, 0 skipped"}, nil},
		{"a package dies outside of any test", passes + `{"Action":"output","Package":"s","Output":"panic: boom\n"}
{"Action":"fail","Package":"s"}`, false, []string{"panic: boom", "FAIL  s"}, nil},
		{"the go command fails", "go: cannot find main module\n", false, []string{"cannot find main module", "0 passed"}, nil},
		{"there is no test", "", false, []string{"0 passed, 0 failed, 0 skipped"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			c := newCount(&out)
			require.NoError(t, c.read(strings.NewReader(test.in)))
			assert.Equal(t, test.ok, c.summary())
			for _, s := range test.says {
				assert.Contains(t, out.String(), s)
			}
			for _, s := range test.silent {
				assert.NotContains(t, out.String(), s)
			}
		})
	}
}
