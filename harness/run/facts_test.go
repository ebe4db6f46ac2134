package run_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/reports/record"
)

// all is every clause, and part of one, that this version can show.
const all = "covers: [COLD-01, COLD-02, COLD-03, COLD-04, COLD-05, COLD-07, MIG-06, MIG-07/cold, MIG-08/cold, MIG-11, MIG-13, MIG-14, APP-01, APP-02, APP-03/cold, WAN-01/cold, SYS-02/cold]\n"

func TestACoverCountsOnlyIfWhatItIsAboutHappened(t *testing.T) {
	tests := []struct {
		name, sections string
		plain          bool     // it completes, and shows what any does that completes
		shows          []string // besides
		says           string   // of one that it does not show
	}{
		{"nothing goes wrong", "", true, nil, "it covers APP-03/cold, but no migration that was under way when the appliance restarted completed"},
		{"a restart", "faults:\n  - {when: {vm: vm-1, enters: snapshot}, appliance-restart: {}}\n", true,
			[]string{"APP-03/cold"}, "it covers APP-02, but the appliance never restarted during a bulk transfer"},
		{"a restart during the transfer", "faults:\n  - {when: {vm: vm-1, enters: bulk-transfer, after: 3s}, appliance-restart: {}}\n", true,
			[]string{"APP-02", "APP-03/cold"}, "it covers APP-01, but the appliance never restarted after"},
		{"a restart afterwards", "faults:\n  - {when: {vm: vm-1, enters: completed, after: 3m}, appliance-restart: {}}\n", true,
			[]string{"APP-01"}, "it covers APP-03/cold, but no migration that was under way"},
		{"an outage", "faults:\n  - {when: {vm: vm-1, enters: bulk-transfer, after: 3s}, wan-down: {for: 1m}}\n", true,
			[]string{"WAN-01/cold"}, "it covers COLD-02, but no migration waited"},
		{"an outage afterwards", "faults:\n  - {when: {vm: vm-1, enters: completed}, wan-down: {for: 1m}}\n", true,
			nil, "it covers WAN-01/cold, but no migration that ran when the WAN went down completed"},
		{"a transfer that fails once", "faults:\n  - {at: 0s, call-error: {site: cloud, method: ImportVApp, fault: TaskInProgress}}\n", true,
			[]string{"COLD-04"}, "it covers SYS-02/cold, but no step used up its tries"},
		{"the same request again", "  - {at: 2m, migrate: {vm: vm-1, type: cold, request: r-1, target: {networks: {VM Network: Cloud Net}}}}\n", true,
			[]string{"MIG-14"}, "it covers COLD-04, but no bulk transfer was tried again after it had failed"},
		{"tries that are used up", "faults:\n  - {at: 0s, call-error: {site: cloud, method: ImportVApp, fault: TaskInProgress, count: 3}}\n", false,
			[]string{"MIG-13", "COLD-04", "SYS-02/cold"}, "it covers COLD-05, but no disk was carried to the cloud"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := play(t, pair(t, test.sections+all), run.Options{})
			want := test.shows
			if test.plain {
				want = append(want, "COLD-01", "COLD-03", "COLD-05", "COLD-07", "MIG-06", "MIG-07/cold", "MIG-08/cold", "MIG-11", "MIG-13")
			}
			assert.ElementsMatch(t, want, r.Covers)
			assert.Equal(t, record.Failed, r.Verdict)
			require.Len(t, r.Violations, 17-len(want), "each of the others is told: %v", r.Violations)
			var told []string
			for _, v := range r.Violations {
				assert.Equal(t, "expect", v.Oracle)
				assert.Empty(t, v.Clauses)
				told = append(told, v.What)
			}
			assert.Contains(t, strings.Join(told, "\n"), test.says)
		})
	}
}

func TestARefusalShowsOnlyWhatIsAboutIt(t *testing.T) {
	const order = "title: refused\nworld: tiny\nsteps:\n  - {at: 1m, migrate: {vm: vm-1, type: cold, target: {networks: {VM Network: Moon}}}}\n"
	assert.Equal(t, []string{"MIG-06"}, play(t, parse(t, order+all), run.Options{}).Covers)
}

func TestARunThatWasCutCoversNothing(t *testing.T) {
	r := play(t, pair(t, "limit: 2m\ncovers: [MIG-13]\n"), run.Options{})
	assert.Empty(t, r.Covers, "so that it breaks nothing either")
	assert.Len(t, r.Violations, 1)
}
