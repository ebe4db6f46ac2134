package run

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
	"github.com/hdm-project/hdm/sim/event"
)

// Recovering implements appliance.Observer.
func (t *teller) Recovering(r recovery.Recovery) {
	told := t.recovering(r)
	if strings.Join(told, "\n") == t.recovered {
		return
	}
	t.recovery, t.recovered = r, strings.Join(told, "\n")
	t.kernel.Emit(event.Recovery, applianceVM, told...)
}

// recovering is a recovery as the trace has it.
func (t *teller) recovering(r recovery.Recovery) []string {
	phase := string(r.Phase)
	if r.Phase == recovery.Healthy {
		phase = "healthy"
	}
	kv := []string{"number", strconv.Itoa(r.Number), "phase", phase}
	add := func(key, value string) {
		if value != "" {
			kv = append(kv, key, value)
		}
	}
	var failed []string
	for _, f := range r.Failures {
		what := f.VM
		switch {
		case f.VM == "":
			what = "link"
		case f.Service != "":
			what += "/" + string(f.Service)
		}
		what += "=" + string(f.Cause)
		if f.Repaired {
			what += "+repaired"
		}
		failed = append(failed, what)
	}
	add("failed", strings.Join(failed, ";"))
	add("affected", t.vmsOf(r.Affected))
	add("held", t.vmsOf(r.Held))
	if r.Multiple {
		add("multiple", "true")
	}
	add("offered", r.Offered)
	add("fatal", r.Fatal)
	if t.recovery.Phase == recovery.Resetting && r.Phase == recovery.Healthy {
		r.Reset.Step = recovery.ResetDone
	}
	add("reset", string(r.Reset.Step))
	return kv
}

// vmsOf are the names of the VMs of migrations.
func (t *teller) vmsOf(ids []migration.ID) string {
	var names []string
	for _, id := range ids {
		names = append(names, t.known[id].Order.VM)
	}
	return strings.Join(names, ",")
}

// Noted implements appliance.Observer. A note that a boot before told is not told
// again.
func (t *teller) Noted(n appliance.Note) {
	if n.Number <= t.noted {
		return
	}
	t.noted = n.Number
	t.kernel.Emit(event.Note, applianceVM, "number", strconv.Itoa(n.Number), "type", n.Type, "text", n.Text)
}

// HealthChanged implements appliance.Observer.
func (t *teller) HealthChanged(p health.Panel) {
	var poor []string
	for _, c := range p.Components {
		if c.Level != health.Healthy {
			poor = append(poor, fmt.Sprintf("%s/%s=%s", c.VM, c.Name, c.Level))
		}
	}
	kv := []string{"status", string(p.Status), "details", p.Details}
	if len(poor) > 0 {
		kv = append(kv, "components", strings.Join(poor, ";"))
	}
	if p.Reset != "" {
		kv = append(kv, "reset", p.Reset)
	}
	t.kernel.Emit(event.Health, applianceVM, kv...)
}
