package run

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hdm-project/hdm/core/protocol"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/harness/scenario"
)

// expectBus holds a promise about the message bus against what its client was
// told and what is in the queues, and says whether it is one.
func (st *stage) expectBus(p scenario.Promise, broken breach) bool {
	switch p := p.(type) {
	case *scenario.Responded:
		st.expectResponded(p, broken)
	case *scenario.Beats:
		if !st.bus.beat(p) {
			broken("no heartbeat said %s %q; there were %q", p.Heartbeat, p.Details, slices.Sorted(maps.Keys(st.bus.beats)))
		}
	case *scenario.Errors:
		st.expectErrors(p, broken)
	case *scenario.DeadLetters:
		if n := len(st.world.SQS.Messages(st.bus.queues[faults.DeadLetters])); n != p.DeadLetters {
			broken("it holds %d messages, not %d", n, p.DeadLetters)
		}
	case *scenario.SetUp:
		if !st.bus.needed[p.Needed] {
			broken("no try to set it up failed for want of %s; what it failed for: %q", p.Needed, slices.Sorted(maps.Keys(st.bus.needed)))
		}
		if st.bus.setUp != p.SetUp {
			broken("in the end it is set up: %v, not %v", st.bus.setUp, p.SetUp)
		}
	default:
		return false
	}
	return true
}

func (m *messages) beat(p *scenario.Beats) bool {
	for said := range m.beats { //hdm:order-safe whether there is one
		if said == p.Heartbeat+": "+p.Details || p.Details == "" && len(said) > len(p.Heartbeat) && said[:len(p.Heartbeat)+1] == p.Heartbeat+":" {
			return true
		}
	}
	return false
}

func (st *stage) expectErrors(p *scenario.Errors, broken breach) {
	n := 0
	for _, r := range st.bus.responsesTo("") {
		if e, is := r.(*protocol.ErrorResponse); is && slices.ContainsFunc(e.Errors, func(p1 protocol.Problem) bool { return p1.Code == p.Errors }) {
			n++
		}
	}
	if n != p.Count {
		broken("there were %d error responses %q that name no request, not %d", n, p.Errors, p.Count)
	}
}

func (st *stage) expectResponded(p *scenario.Responded, broken breach) {
	all := st.bus.responsesTo(p.Responses)
	var finals []protocol.Response
	listed := false
	for _, r := range all {
		_, inventory := r.(*protocol.InventoryResponse)
		// An inventory may be read again for a command that comes again: its client
		// takes the first reading.
		if protocol.Final(r) && !protocol.Repeats(r) && !(inventory && listed) {
			finals = append(finals, r)
			listed = listed || inventory
		}
	}
	want := 1
	if p.Finals != nil {
		want = *p.Finals
	}
	if len(finals) != want {
		broken("it had %d final responses, not %d", len(finals), want)
		return
	}
	if p.Progress != "" && !rises(all, p.Progress == scenario.Steady) {
		broken("its responses told of no %s progress: %q", p.Progress, told(all))
	}
	if want == 0 {
		return
	}
	last := finals[len(finals)-1]
	if clone, is := last.(*protocol.CloneResponse); p.State != "" && (!is || clone.State != p.State) {
		broken("its final response is %q, not that it is %s", told(finals), p.State)
	}
	st.expectRefused(p, last, broken)
	if p.VMs != nil {
		expectListed(p, all, broken)
	}
}

// expectRefused looks at an error that was to be told.
func (st *stage) expectRefused(p *scenario.Responded, last protocol.Response, broken breach) {
	if p.Code == "" && p.Field == "" && p.Status == "" {
		return
	}
	var problems []protocol.Problem
	status := ""
	switch r := last.(type) {
	case *protocol.ErrorResponse:
		problems, status = r.Errors, string(r.Status)
	case *protocol.CloneResponse:
		problems = r.Reasons
	}
	if !slices.ContainsFunc(problems, func(e protocol.Problem) bool {
		return (p.Code == "" || e.Code == p.Code) && (p.Field == "" || e.Field == p.Field)
	}) {
		broken("its final response tells no error %s of field %q, but %+v", p.Code, p.Field, problems)
	}
	if p.Status != "" && status != p.Status {
		broken("its final response tells the state %q, not %q", status, p.Status)
	}
}

// expectListed looks at the pages of one reading of the inventory.
func expectListed(p *scenario.Responded, all []protocol.Response, broken breach) {
	pages := map[int]*protocol.InventoryResponse{}
	reading := ""
	for _, r := range all {
		if page, is := r.(*protocol.InventoryResponse); is {
			if reading == "" {
				reading = page.Reading
			}
			if page.Reading == reading {
				pages[page.Page] = page
			}
		}
	}
	var vms []protocol.VM
	for _, n := range slices.Sorted(maps.Keys(pages)) {
		vms = append(vms, pages[n].VMs...)
	}
	if len(vms) != *p.VMs || p.Pages > 0 && len(pages) != p.Pages {
		broken("the inventory lists %d VMs on %d pages, not %d on %d", len(vms), len(pages), *p.VMs, p.Pages)
	}
	for _, vm := range vms {
		code, not := p.Not[vm.Name]
		switch {
		case slices.Contains(p.Migratable, vm.Name) && !vm.Migratable:
			broken("the inventory says that %s cannot be migrated: %+v", vm.Name, vm.Reasons)
		case not && (vm.Migratable || !slices.ContainsFunc(vm.Reasons, func(e protocol.Problem) bool { return e.Code == code })):
			broken("the inventory does not say of %s that it cannot be migrated for %q, but %+v", vm.Name, code, vm.Reasons)
		}
	}
	listed := slices.Concat(slices.Sorted(maps.Keys(p.Not)), p.Migratable)
	for _, name := range listed {
		if !slices.ContainsFunc(vms, func(vm protocol.VM) bool { return vm.Name == name }) {
			broken("the inventory does not list %s", name)
		}
	}
}

// rises says whether responses told at several values how far a migration was;
// within a step, if that is asked for: to begin a step is told in any case, to get
// on with it only by responses that come periodically (SQS-06).
func rises(all []protocol.Response, within bool) bool {
	type value struct {
		step    string
		percent int32
	}
	seen, of := map[value]bool{}, map[string]int{}
	for _, r := range all {
		clone, is := r.(*protocol.CloneResponse)
		if !is || clone.Percent <= 0 || clone.Percent >= 100 {
			continue
		}
		v := value{percent: clone.Percent}
		if within {
			v.step = clone.Step
		}
		if !seen[v] {
			seen[v] = true
			of[v.step]++
		}
		if of[v.step] >= leastSeen {
			return true
		}
	}
	return false
}

// mostNamed bounds how many responses a message names.
const mostNamed = 8

func told(all []protocol.Response) (said []string) {
	for _, r := range all[:min(len(all), mostNamed)] {
		switch r := r.(type) {
		case *protocol.CloneResponse:
			said = append(said, fmt.Sprintf("%s %d%%", r.State, r.Percent))
		case *protocol.ErrorResponse:
			said = append(said, fmt.Sprintf("error %+v", r.Errors))
		default:
			said = append(said, string(protocol.TypeOf(r)))
		}
	}
	return said
}
