//go:build check

package explore_test

// mutant is a mistake that somebody could make in the product.
type mutant struct {
	name    string
	file    string // below the module's folder
	edits   []edit
	matters string   // what it does to a user
	oracles []string // one of these sees it first, if not an expectation of the scenario
}

// edit replaces a text that the file has exactly once.
type edit struct{ old, new string }

var mutants = []mutant{
	{
		name: "bulk transfer is redone without starting from the beginning", file: "core/migration/cold.go",
		edits:   []edit{{"{StepTransfer, Transfer, 3, FromBeginning,", "{StepTransfer, Transfer, 3, Again,"}},
		matters: "what an earlier attempt left in the cloud is built upon", oracles: []string{"effects-once"},
	},
	{
		name: "a restart leaves alone what is being undone", file: "core/migration/machine.go",
		edits: []edit{{
			"\tcase d.m.Asked && d.m.State != Undoing:\n",
			"\tcase d.m.State == Undoing:\n\t\td.ignore(\"it is being undone already\")\n\tcase d.m.Asked:\n",
		}},
		matters: "the migration never ends and its VM stays off", oracles: []string{"liveness"},
	},
	{
		name: "the snapshot's mark is not looked for", file: "core/vsphere/snapshot.go",
		edits:   []edit{{"\tif found, ok := marked(tree, mark); ok {\n\t\treturn found, nil\n\t}\n\tname :=", "\tname :="}},
		matters: "a second attempt takes a second snapshot", oracles: []string{"effects-once", "nothing-left-behind"},
	},
	{
		name: "the copy bears no mark", file: "core/vsphere/import.go",
		edits:   []edit{{"\tvm.ConfigSpec.ExtraConfig = append(vm.ConfigSpec.ExtraConfig, option(MarkImport, spec.Mark))\n", ""}},
		matters: "what a failed migration made in the cloud is not found and stays", oracles: []string{"nothing-left-behind", "effects-once"},
	},
	{
		name: "a cancel undoes at once, and the late answer of what it stopped is accepted", file: "core/migration/machine.go",
		edits: []edit{
			{"\t\td.cancelKey = d.m.Effect // it ends, and then everything is put back\n", "\t\td.cancelKey = d.m.Effect\n\t\tif d.m.State == Running {\n\t\t\td.giveUp(asked)\n\t\t}\n"},
			{"if d.m.Effect != key || key == \"\" {", "if d.m.Effect == \"\" || key == \"\" {"},
		},
		matters: "two effects act on one VM at once", oracles: []string{"effects-once", "one-copy"},
	},
	{
		name: "sessions of earlier boots are not ended", file: "core/appliance/execute.go",
		edits:   []edit{{"\tif err := client.EndOtherSessions(ctx); err != nil {\n\t\treturn err\n\t}\n", ""}},
		matters: "a call that an earlier boot sent acts long after it was given up", oracles: []string{"effects-once", "nothing-left-behind", "one-copy"},
	},
	{
		name: "a session is not logged out", file: "core/vsphere/client.go",
		edits:   []edit{{"\t_, err := methods.Logout(ctx, s.vim, &types.Logout{This: *s.vim.ServiceContent.SessionManager})\n", "\tvar err error\n"}},
		matters: "a call that was given up acts after the attempt that followed it", oracles: []string{"effects-once", "nothing-left-behind", "one-copy"},
	},
	{
		name: "a session whose logout was lost is forgotten", file: "core/vsphere/client.go",
		edits:   []edit{{"\ts.client.unended = append(s.client.unended, s.key)\n", ""}},
		matters: "a call that was given up acts after the attempt that followed it", oracles: []string{"effects-once", "nothing-left-behind", "one-copy"},
	},
	{
		name: "a site out of reach uses up tries", file: "core/migration/machine.go",
		edits: []edit{{
			"\t\t\td.redo(d.Backoff) // waits, and uses up no try (A-13)\n\t\t\treturn\n",
			"\t\t\tif d.m.Tries++; d.m.Tries < d.table.row(d.current()).Tries {\n\t\t\t\td.redo(d.Backoff)\n\t\t\t\treturn\n\t\t\t}\n",
		}},
		matters: "a short outage of the WAN makes a migration fail",
	},
	{
		name: "an outage counts as permanent after one minute", file: "core/migration/machine.go",
		edits:   []edit{{"Outage:  5 * time.Minute,", "Outage:  1 * time.Minute,"}},
		matters: "a transient outage of the WAN makes a migration fail",
	},
	{
		name: "a step is tried five times", file: "core/migration/machine.go",
		edits:   []edit{{"if f.Class == vsphere.Retryable && d.m.Tries < row.Tries {", "if f.Class == vsphere.Retryable && d.m.Tries < row.Tries+2 {"}},
		matters: "an operator waits longer than documented", oracles: []string{"limits"},
	},
	{
		name: "the journal is written behind the effects", file: "core/appliance/appliance.go",
		edits: []edit{{
			"\tif err := a.write(d, cause); err != nil {\n\t\ta.failed = fmt.Errorf(\"%w: %w\", ErrJournal, err)\n\t\ta.stop()\n\t\treturn Decision{}, a.failed\n\t}\n",
			"\ta.Runtime.Go(a.ctx, \"write\", func(context.Context) { _ = a.write(d, cause) })\n",
		}},
		matters: "what was done when the power went is not known afterwards", oracles: []string{"legal-moves", "effects-once"},
	},
	{
		name: "the journal acknowledges before it syncs", file: "core/journal/memory.go",
		edits:   []edit{{"\tm.sync()\n\tm.at(Synced, batch)\n", "\tm.at(Synced, batch)\n"}},
		matters: "a power cut takes back what was promised", oracles: []string{"legal-moves", "effects-once", "nothing-left-behind"},
	},
	{
		name: "nine migrations run at once", file: "core/migration/planner.go",
		edits:   []edit{{"if active[q] >= k.slots(q) ||", "if active[q] > k.slots(q) ||"}},
		matters: "more exports at once than documented", oracles: []string{"limits"},
	},
	{
		name: "the youngest in the queue goes first", file: "core/migration/planner.go",
		edits:   []edit{{"\tfor _, q := range queues {\n", "\tlive = slices.Clone(live)\n\tslices.Reverse(live)\n\tfor _, q := range queues {\n"}},
		matters: "an order can wait for ever", oracles: []string{"limits"},
	},
	{
		name: "the source is put right before the copy is known to be off", file: "core/migration/undo.go",
		edits:   []edit{{"slices.Concat(first, here, there)", "slices.Concat(here, first, there)"}},
		matters: "the VM runs at both sites", oracles: []string{"one-copy", "no-lost-vm"},
	},
	{
		name: "a copy that runs is taken for off", file: "core/migration/undo.go",
		edits:   []edit{{"undone(r Result) {\n", "undone(r Result) {\n\tr.Running = r.Running && !d.m.Asked\n"}},
		matters: "the VM runs at both sites", oracles: []string{"one-copy", "nothing-left-behind"},
	},
	{
		name: "the snapshot is not taken back", file: "core/migration/cold.go",
		edits:   []edit{{"TakeSnapshot, 3, Again, Resumes, Never, RemoveSnapshot,", "TakeSnapshot, 3, Again, Resumes, Never, Nothing,"}},
		matters: "a failed migration leaves a snapshot that grows", oracles: []string{"nothing-left-behind"},
	},
	{
		name: "the source is not started again", file: "core/migration/cold.go",
		edits:   []edit{{"ShutDown, 3, Again, Resumes, Never, RestartSource,", "ShutDown, 3, Again, Resumes, Never, Nothing,"}},
		matters: "after a failed migration the VM stays off", oracles: []string{"one-copy", "nothing-left-behind", "no-lost-vm"},
	},
	{
		name: "the source stays in the migrate pool", file: "core/migration/cold.go",
		edits:   []edit{{"MoveToPool, 3, Again, Resumes, Never, ReturnToPool,", "MoveToPool, 3, Again, Resumes, Never, Nothing,"}},
		matters: "a failed migration leaves the VM in another pool than before", oracles: []string{"nothing-left-behind"},
	},
	{
		name: "only the first disk is carried", file: "core/transfer/bulk.go",
		edits:   []edit{{"for i := range b.export.Disks {", "for i := range b.export.Disks[:1] {"}},
		matters: "the copy's other disks are empty", oracles: []string{"no-lost-vm"},
	},
	{
		name: "a request that is repeated is a new order", file: "core/appliance/order.go",
		edits:   []edit{{"ok && o.Request != \"\" {", "ok && o.Request == \"\" {"}},
		matters: "an order that got no answer and is given again becomes two", oracles: []string{"effects-once"},
	},
	{
		name: "the requests of ended migrations are forgotten", file: "core/appliance/state.go",
		edits:   []edit{{"if m.Order.Request != \"\" && s.byName[m.Order.Request] == \"\" {", "if m.State.Final() {\n\t\tdelete(s.byName, m.Order.Request)\n\t} else if m.Order.Request != \"\" && s.byName[m.Order.Request] == \"\" {"}},
		matters: "an order that is given again later migrates again", oracles: []string{"effects-once"},
	},
	{
		name: "what a user cancelled is not put back", file: "core/migration/undo.go",
		edits:   []edit{{"\td.m.ToUndo = slices.Concat(first, here, there)\n", "\tif !d.m.Asked {\n\t\td.m.ToUndo = slices.Concat(first, here, there)\n\t}\n"}},
		matters: "after a cancel the VM stays off", oracles: []string{"one-copy", "nothing-left-behind"},
	},
	{
		name: "an attempt's effect has the key of the one before", file: "core/migration/machine.go",
		edits:   []edit{{"\td.m.Issued++\n", "\td.m.Issued = d.table.index(e.Step)\n"}},
		matters: "a late answer of one attempt is taken for that of another", oracles: []string{"effects-once"},
	},
	{
		name: "the guest is not waited for", file: "core/vsphere/power.go",
		edits:   []edit{{"\tcase err == nil:\n\tcase already(", "\tcase err == nil:\n\t\treturn nil\n\tcase already("}},
		matters: "the snapshot and the export are of a VM that still runs", oracles: []string{"no-lost-write"},
	},
	{
		name: "a command is deleted before it is handled", file: "core/bus/command.go",
		edits: []edit{{
			"\t\terr := s.command(ctx, d)\n\t\tif hopeless(err) {\n\t\t\terr = s.giveUp(ctx, d, err)\n\t\t}\n\t\tif err == nil {\n\t\t\terr = s.commands.Delete(ctx, d)\n\t\t}\n",
			"\t\terr := s.commands.Delete(ctx, d)\n\t\tif err == nil {\n\t\t\terr = s.command(ctx, d)\n\t\t}\n\t\tif hopeless(err) {\n\t\t\terr = s.giveUp(ctx, d, err)\n\t\t}\n",
		}},
		matters: "a power cut in between loses the order", oracles: []string{"message-bus"},
	},
	{
		name: "what cannot be read is not kept", file: "core/bus/command.go",
		edits:   []edit{{"\t\tif err := s.bury(ctx, d, r.Error()); err != nil {\n\t\t\treturn err\n\t\t}\n", "\t\t_ = s.bury\n"}},
		matters: "a message that a newer client sent is gone", oracles: []string{"message-bus"},
	},
	{
		name: "the end is written down before it is told", file: "core/bus/status.go",
		edits:   []edit{{"\tif !m.State.Final() {\n\t\tfirst, then = then, first\n\t}\n", "\tfirst, then = then, first\n"}},
		matters: "a client waits for ever where the answer was lost", oracles: []string{"message-bus"},
	},
	{
		name: "progress is told before it is written down", file: "core/bus/status.go",
		edits:   []edit{{"\tif !m.State.Final() {\n\t\tfirst, then = then, first\n\t}\n", ""}},
		matters: "after a restart it is told to be less than before", oracles: []string{"message-bus"},
	},
	{
		name: "progress is told as it is, though a transfer began anew", file: "core/bus/status.go",
		edits:   []edit{{"max(m.Percent(), m.Responses.Percent)", "m.Percent()"}},
		matters: "progress falls", oracles: []string{"message-bus"},
	},
	{
		name: "that the end was told is not written down", file: "core/migration/machine.go",
		edits:   []edit{{"r.Count, r.Percent, r.Final = r.Count+1, max(r.Percent, ev.Percent), ev.Final", "r.Count, r.Percent = r.Count+1, max(r.Percent, ev.Percent)"}},
		matters: "a client is told the end again and again", oracles: []string{"message-bus", "liveness"},
	},
	{
		name: "heartbeats say Ready whatever the probes find", file: "core/appliance/probe.go",
		edits:   []edit{{"\t\tif p.down {\n", "\t\tif p.down && p == nil {\n"}},
		matters: "clients order what cannot be done", oracles: []string{"heartbeats"},
	},
	{
		name: "heartbeats come only when the state changes", file: "core/bus/status.go",
		edits:   []edit{{"if h == t.health && now-t.beat < s.HeartbeatEvery {", "if h == t.health {"}},
		matters: "clients take HDM for dead", oracles: []string{"heartbeats"},
	},
}
