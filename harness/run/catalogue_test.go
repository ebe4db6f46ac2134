package run

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hdm-project/hdm/scenarios"
)

func TestTheCatalogueNeedsFactsThatRunsCanEstablishAndAllOfThem(t *testing.T) {
	needed := map[string]bool{}
	for _, c := range scenarios.Clauses() {
		assert.True(t, len(c.Needs) == 0 || len(c.Parts) == 0, "%s: its parts need what they need", c.ID)
		needs := c.Needs
		for _, p := range c.Parts {
			needs = append(needs, p.Needs...)
		}
		for _, fact := range needs {
			assert.NotEmpty(t, absent[fact], "%s needs %q, which no run can establish", c.ID, fact)
			needed[fact] = true
		}
	}
	for fact := range absent {
		assert.True(t, needed[fact], "no clause needs %q", fact)
	}
}
