package scenarios

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryClauseSaysAllThereIsToSay(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Clauses() {
		assert.Regexp(t, regexp.MustCompile(`^[A-Z]+-\d\d$`), c.ID)
		assert.False(t, seen[c.ID], "%s is there twice", c.ID)
		seen[c.ID] = true
		assert.NotEmpty(t, c.Guide, c.ID)
		assert.Regexp(t, `\.$`, c.Must, "%s is a sentence", c.ID)
		assert.NotEmpty(t, c.See, c.ID)
		assert.Contains(t, []How{ByScenario, ByProperty, ByFamily, BySurface}, c.How, c.ID)
		assert.NotEqual(t, 1, len(c.Parts), "%s: one part is the whole", c.ID)
		parts := map[string]bool{}
		for _, p := range c.Parts {
			assert.NotEmpty(t, p.What, "%s/%s", c.ID, p.ID)
			assert.False(t, parts[p.ID], "%s/%s is there twice", c.ID, p.ID)
			parts[p.ID] = true
		}
	}
	assert.GreaterOrEqual(t, len(seen), 100, "the catalogue holds every promise")
}

func TestAClauseAndItsPartsAreFoundByName(t *testing.T) {
	c, ok := FindClause("MIG-08")
	require.True(t, ok)
	part, ok := c.Part("cold")
	require.True(t, ok)
	assert.Equal(t, "after a cold migration", part.What)
	_, ok = c.Part("hot")
	assert.False(t, ok)
	_, ok = FindClause("MIG-99")
	assert.False(t, ok)
}

func TestAWorldIsFoundByNameAndAnUnknownOneNamesTheKnown(t *testing.T) {
	for _, name := range Worlds() {
		_, text, err := World(name)
		require.NoError(t, err)
		assert.NotEmpty(t, text, name)
	}
	_, _, err := World("atlantis")
	require.Error(t, err)
	for _, name := range Worlds() {
		assert.ErrorContains(t, err, name)
	}
}
