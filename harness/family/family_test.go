package family_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/family"
	"github.com/hdm-project/hdm/harness/outcome"
	"github.com/hdm-project/hdm/harness/scenario"
)

// families are all of them.
func families() map[string][]family.Member {
	pairs, _ := family.Pairs()
	return map[string][]family.Member{
		"pairs": pairs, "durations": family.Durations(), "components": family.Components(), "twos": family.Twos(),
	}
}

// Of a family with very many members, one in so many is looked at closely.
const manyMembers, part = 1000, 17

func TestEveryMemberIsAScenarioThatCanBeRunAndWrittenDown(t *testing.T) {
	seen := map[string]bool{}
	for name, members := range families() {
		require.NotEmpty(t, members, name)
		for i, m := range members {
			require.False(t, seen[m.Name], "%s is there twice", m.Name)
			seen[m.Name] = true
			if len(members) > manyMembers && i%part != 0 {
				continue // they differ in the step at which the same fault comes
			}
			text, err := scenario.Format(m.Scenario)
			require.NoError(t, err, m.Name)
			_, err = scenario.ParseText(m.Name, text)
			require.NoError(t, err, "%s:\n%s", m.Name, text)
		}
	}
}

func TestAPairIsOfTheCaseAndThePlaceThatItIsCalled(t *testing.T) {
	pairs, skipped := family.Pairs()
	assert.NotEmpty(t, skipped)
	n := 0
	for _, m := range pairs {
		last := m.Scenario.Faults[len(m.Scenario.Faults)-1]
		c := outcome.CaseOf(last)
		assert.Contains(t, outcome.Variants(c.Kind), c, m.Name)
		n++
	}
	for _, times := range skipped {
		n += times
	}
	t.Logf("%d pairs run, of %d", len(pairs), n)
}
