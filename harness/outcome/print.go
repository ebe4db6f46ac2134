package outcome

import (
	"fmt"
	"io"
	"strings"
)

// Print writes the table as the page that docs/outcomes.md is.
func Print(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`# What may become of it

What follows from a failure depends on what fails and on where a migration is then. This table says what is documented,
with the clauses that promise it. It is printed from harness/outcome, which the oracle "faithful" holds every run
against; ` + "`make pairs`" + ` runs each line. The first line that speaks of a fault and a place counts.

A migration *goes on* (it completes; steps may be tried again, or wait for a repair), is *undone* (it fails, and the VM
is as it was, on premises), *stops* (it fails after the last step that can be taken back, and lists what is left), or
*comes back*: off, at the last flush, in the recovery-success pool, or *not to boot*, in the recovery-failed pool. A VM
on the cloud cache *stays in the cloud*, or comes back. HDM *recovers* by itself, or *needs a reset* and says so.

Parts of HDM are named by what VMs need them for: cache (Cloud Cache, IO Interceptor), home (On Prem IO Manager, On
Prem ESXi Manager), gateway (the message gateways), manager (Cloud IO Manager), sync (SyncD).

| what fails | where | what may follow | clauses |
| --- | --- | --- | --- |
`)
	for _, r := range rules {
		var places []string
		for _, s := range r.places {
			places = append(places, s.String())
		}
		follows := "does not apply: " + r.verdict.Because
		if r.verdict.Applies() {
			var all []string
			for _, o := range r.verdict.Allowed {
				all = append(all, string(o))
			}
			follows = strings.Join(all, "; ")
		}
		where := strings.Join(places, ", ")
		if len(r.places) == len(everywhere) {
			where = "anywhere else"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", strings.ReplaceAll(strings.Join(r.cases, ", "), "*", `\*`), where, follows, strings.Join(r.verdict.Clauses, ", "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
