package deployment

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/cache"
	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/vsphere"
)

func parsed(t *testing.T, text string) Mode {
	t.Helper()
	m, err := Parse(text)
	require.NoError(t, err)
	return m
}

func TestAModeIsReadAsPeopleWriteIt(t *testing.T) {
	for text, want := range map[string]Mode{
		"standard":                     {Standard, Standalone, 0},
		"Standard Standalone":          {Standard, Standalone, 0},
		"lite cluster 3":               {Lite, Cluster, 3},
		"Performance-Cluster-64":       {Performance, Cluster, 64},
		"Appliance Only":               {UltraLite, Standalone, 0},
		"Ultra Lite":                   {UltraLite, Standalone, 0},
		"ultralite cluster 2":          {UltraLite, Cluster, 2},
		"  performance   standalone  ": {Performance, Standalone, 0},
	} {
		m := parsed(t, text)
		assert.Equal(t, want, m, text)
		assert.Equal(t, want, parsed(t, m.String()), "what it prints is read again")
	}
}

func TestAModeThatCannotBeIsRefusedAndSaysWhatToGive(t *testing.T) {
	for text, why := range map[string]string{
		"":                     "it begins with no class",
		"huge":                 "it begins with no class",
		"standard cluster":     "needs the number of its hosts",
		"standard cluster one": `"one" is no number`,
		"standard cluster 1":   "has no redundancy",
		"lite cluster 65":      "more than a cluster has",
		"lite standalone 3":    "is no topology",
		"performance cluster 3 with more words than any mode has, and then some": "too long",
	} {
		_, err := Parse(text)
		var typed *ModeError
		if assert.ErrorAs(t, err, &typed, text) {
			assert.Contains(t, err.Error(), why)
			assert.NotEmpty(t, typed.Hint)
		}
	}
	for _, m := range []Mode{{}, {Standard, "", 0}, {Standard, Standalone, 2}, {"huge", Cluster, 2}} {
		_, err := Plan(m)
		var typed *ModeError
		assert.ErrorAs(t, err, &typed, "%v", m)
	}
}

func TestThePlanOfEachModeIsThatOfThePlanningGuide(t *testing.T) {
	for text, want := range map[string]map[component.Kind]int{
		"appliance only":         {component.Appliance: 1},
		"lite":                   {component.Appliance: 1, component.PremESXi: 1, component.CloudCacheVM: 1},
		"lite cluster 5":         {component.Appliance: 1, component.PremESXi: 2, component.CloudCacheVM: 2},
		"standard":               {component.Appliance: 1, component.PremManager: 1, component.PremESXi: 1, component.CloudManager: 1, component.CloudCacheVM: 1},
		"standard cluster 3":     {component.Appliance: 1, component.PremManager: 2, component.PremESXi: 3, component.CloudManager: 2, component.CloudCacheVM: 3},
		"performance":            {component.Appliance: 1, component.PremManager: 1, component.PremESXi: 1, component.CloudManager: 1, component.CloudCacheVM: 1},
		"performance cluster 10": {component.Appliance: 1, component.PremManager: 2, component.PremESXi: 10, component.CloudManager: 2, component.CloudCacheVM: 10},
	} {
		plan, err := Plan(parsed(t, text))
		require.NoError(t, err, text)
		got := map[component.Kind]int{}
		for _, vm := range plan {
			got[vm.Kind]++
		}
		assert.Equal(t, want, got, text)
		assert.Equal(t, component.Appliance, plan[0].Kind, "the appliance deploys the others")
	}
}

func TestEveryServiceOfAModeRunsAtItsSiteUnderANameOfItsOwn(t *testing.T) {
	lite, err := Plan(parsed(t, "lite cluster 2"))
	require.NoError(t, err)
	standard, err := Plan(parsed(t, "standard cluster 2"))
	require.NoError(t, err)
	services := func(plan []VM) map[component.Service]vsphere.Site {
		at := map[component.Service]vsphere.Site{}
		names := map[string]bool{}
		for _, vm := range plan {
			assert.False(t, names[vm.Name], vm.Name)
			names[vm.Name] = true
			for _, s := range vm.Services {
				at[s] = vm.Site
			}
		}
		return at
	}
	assert.Len(t, services(lite), 15)
	assert.Equal(t, services(standard), services(lite), "fewer VMs have the same services")
	assert.True(t, names(lite)["HDM_OnPrem_ESXi_Manager-0"])
	assert.True(t, names(standard)["HDM_Cloud_Cache-1"])
}

func names(plan []VM) map[string]bool {
	all := map[string]bool{}
	for _, vm := range plan {
		all[vm.Name] = true
	}
	return all
}

func TestSizesAreThoseOfThePlanningGuide(t *testing.T) {
	plan, err := Plan(parsed(t, "performance"))
	require.NoError(t, err)
	for _, vm := range plan {
		switch vm.Kind {
		case component.CloudCacheVM:
			assert.Equal(t, int32(8), vm.CPUs)
			assert.Equal(t, int32(40<<10), vm.MemoryMB)
			assert.Equal(t, []Disk{{System, 32 * GB}, {Cache, 2048 * GB}}, vm.Disks)
		case component.PremESXi:
			assert.Equal(t, []Disk{{System, 288 * GB}}, vm.Disks)
		}
	}
}

func TestLimitsAreThoseOfThePlanningGuide(t *testing.T) {
	for text, want := range map[string]Limits{
		"appliance only":         {8, 0, 0},
		"lite":                   {8, 2, 10},
		"lite cluster 5":         {8, 10, 20},
		"standard":               {8, 4, 20},
		"standard cluster 3":     {8, 12, 60},
		"performance":            {8, 8, 25},
		"performance cluster 10": {8, 80, 250},
	} {
		assert.Equal(t, want, parsed(t, text).Limits(), text)
	}
}

func TestCacheIsGivenByTheGuidesRule(t *testing.T) { // CACHE-02, CACHE-03
	for text, want := range map[string]struct{ small, large int64 }{
		"lite":                  {5 * GB, 25 * GB},
		"lite cluster 2":        {5 * GB, 25 * GB},
		"standard":              {3 * GB, 15 * GB},
		"standard cluster 8":    {3 * GB, 15 * GB},
		"performance":           {5 * GB, 15 * GB},
		"performance cluster 2": {5 * GB, 15 * GB},
	} {
		rule, has := parsed(t, text).Cache()
		require.True(t, has, text)
		assert.Equal(t, want.small, cache.Quota(rule, 10*GB, 0), text)
		assert.Equal(t, want.large, cache.Quota(rule, 100*GB, 0), text)
	}
	_, has := parsed(t, "appliance only").Cache()
	assert.False(t, has)
}

func TestAComponentVMSaysWhatItIs(t *testing.T) {
	m := parsed(t, "lite cluster 2")
	plan, err := Plan(m)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"hdm.component": "onprem-esxi-manager", "hdm.deployment": "lite cluster 2"}, m.Marks(plan[1]))
}
