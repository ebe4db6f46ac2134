package cache

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The contract names tests of this package and of core/home.
func TestEachTestThatTheContractNamesExists(t *testing.T) {
	text, err := os.ReadFile("../../docs/consistency.md")
	require.NoError(t, err)
	exist := map[string]bool{}
	for _, folder := range []string{".", "../home"} {
		files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
		require.NoError(t, err)
		for _, file := range files {
			source, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`).FindAllSubmatch(source, -1) {
				exist[string(m[1])] = true
			}
		}
	}
	for _, m := range regexp.MustCompile("`(Test\\w+)`").FindAllSubmatch(text, -1) {
		assert.True(t, exist[string(m[1])], "docs/consistency.md names %s, and there is no such test", m[1])
	}
}

func TestEachSentenceOfTheContractNamesATest(t *testing.T) {
	text, err := os.ReadFile("../../docs/consistency.md")
	require.NoError(t, err)
	sentences := regexp.MustCompile(`(?ms)^\d+\. .*?(?:^\d+\. |^$)`)
	count := 0
	for rest := text; ; count++ {
		at := regexp.MustCompile(`(?m)^\d+\. `).FindIndex(rest)
		if at == nil {
			break
		}
		found := sentences.Find(rest[at[0]:])
		assert.Regexp(t, "`Test\\w+`", string(found))
		rest = rest[at[1]:]
	}
	assert.Greater(t, count, 20)
}
