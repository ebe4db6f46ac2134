package run

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
)

// meddling is a person who powers on a VM that HDM does not guard: one whose
// migration is over, one beside which another VM of the same guest runs already,
// or one that HDM still fills. What follows says nothing about HDM.
type meddling struct {
	step   int
	at     time.Duration
	vm     string   // that was powered on
	guest  string   // the VM that it is, or is made of
	family []string // what there may be of that VM, as "<site>/<name>"
	when   string   // in words
}

// suffixes end the names of what HDM makes of a VM, the longest first.
var suffixes = []string{migration.ImageName(""), migration.ComputeName(""), migration.CloneName("")}

// meddle notes that step i powers a VM on, if HDM does not guard that one.
func (st *stage) meddle(i int, p *scenario.Power) {
	m := meddling{step: i, at: st.kernel.Now(), vm: string(p.Site) + "/" + p.VM, guest: p.VM}
	last, migrated := st.last(p.VM)
	for _, suffix := range suffixes {
		if of, made := strings.CutSuffix(p.VM, suffix); !migrated && made {
			m.guest = of
			last, migrated = st.last(of)
		}
	}
	if !migrated {
		return
	}
	family := []struct {
		at   vsphere.Site
		name string
	}{
		{vsphere.OnPremises, m.guest}, {vsphere.OnPremises, migration.CloneName(m.guest)},
		{vsphere.Cloud, m.guest}, {vsphere.Cloud, migration.ComputeName(m.guest)}, {vsphere.Cloud, migration.ImageName(m.guest)},
	}
	beside := ""
	for _, f := range family {
		name := string(f.at) + "/" + f.name
		m.family = append(m.family, name)
		if vm, there := st.world.At(f.at).VCenter.VM(f.name); there && name != m.vm && vm.Power == vsphere.On {
			beside = name
		}
	}
	switch {
	case last.State.Final() && p.VM == m.guest:
		m.when = fmt.Sprintf("after its migration %s was over", last.ID)
	case beside != "":
		m.when = fmt.Sprintf("while the same VM ran as %s", beside)
	case !last.State.Final() && (p.VM == migration.ImageName(m.guest) || p.VM == migration.CloneName(m.guest)):
		m.when = fmt.Sprintf("while its migration %s had still to do with it", last.ID)
	default:
		return
	}
	st.meddled = append(st.meddled, m)
}

// follows says whether a breach follows from it. That another VM was powered on
// afterwards does not: HDM has to look first.
func (m meddling) follows(v record.Violation) bool {
	if v.At < m.at || len(v.Clauses) == 0 {
		return false
	}
	if v.Oracle == "one-copy" && slices.Contains(m.family, v.Subject) {
		return v.Subject == m.vm
	}
	return slices.Contains(m.family, v.Subject) || slices.Contains(strings.Split(v.Subject, "/"), m.guest)
}

// explain tells one cause in place of all breaches that follow from it.
func (st *stage) explain(m meddling) {
	var by []string
	var evidence []uint64
	rest := slices.DeleteFunc(slices.Clone(st.violations), func(v record.Violation) bool {
		if !m.follows(v) {
			return false
		}
		by, evidence = append(by, v.Oracle), append(evidence, v.Evidence...)
		return true
	})
	if len(by) == 0 {
		return // it did no harm
	}
	breaches := len(by)
	slices.Sort(by)
	st.violations = rest
	_, name, _ := strings.Cut(m.vm, "/")
	st.violate("expect", fmt.Sprintf("step %d", m.step+1),
		"it powers on %s by hand %s, which HDM does not guard: %d breaches that follow (%s) are the person's, and say nothing about HDM",
		name, m.when, breaches, strings.Join(slices.Compact(by), ", "))
	slices.Sort(evidence)
	st.violations[len(st.violations)-1].Evidence = slices.Compact(evidence)
}
