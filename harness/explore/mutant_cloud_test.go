//go:build check

package explore_test

import "path"

// cloudMutants are mistakes in how a VM comes to run on a cloud cache, is
// flushed, and comes home.
var cloudMutants = []mutant{
	{
		name: "what the compute VM wrote comes home after the source is put right", file: "core/migration/undo.go",
		edits:   []edit{{"ConfirmOff: true, StopCompute: true, BringHome: true}", "ConfirmOff: true, StopCompute: true}"}},
		matters: "the source starts again without what was written in the cloud", oracles: []string{"flushed", "no-lost-write", "one-copy"},
	},
	{
		name: "the cloud cache of a failed migration is let go without a flush", file: "core/appliance/cloudcache.go",
		edits:   []edit{{"\t\terr := a.flushAll(ctx, m)\n\t\tif err == nil {\n\t\t\terr = a.services().Release(", "\t\tvar err error\n\t\tif err == nil {\n\t\t\terr = a.services().Discard("}},
		matters: "what was written in the cloud is gone", oracles: []string{"flushed", "no-lost-write"},
	},
	{
		name: "a VM comes back without its last flush", file: "core/appliance/cloudcache.go",
		edits: []edit{
			{"\tcase migration.FinalFlush:\n\t\treturn done(a.flushAll(ctx, m))\n", "\tcase migration.FinalFlush:\n\t\treturn migration.Result{}, nil\n"},
			{"return done(a.services().Release(ctx", "return done(a.services().Discard(ctx"},
		},
		matters: "what was written since the flush before is gone", oracles: []string{"flushed", "no-lost-write"},
	},
	{
		name: "a cloud cache lets go of blocks that are not on premises", file: "core/datapath/cloudcache.go",
		edits:   []edit{{"\t\tcase s.Dirty > 0:\n", "\t\tcase s.Dirty > 0 && s.Dirty < 0:\n"}},
		matters: "a release that comes too early loses writes", oracles: []string{"flushed", "no-lost-write"},
	},
	{
		name: "a block that was written again is not copied again", file: "core/cache/changed.go",
		edits:   []edit{{"\t\t\t\t\tp.bits[w] &^= 1 << bit\n\t\t\t\t\tp.count--\n", "\t\t\t\t\tp.count--\n"}},
		matters: "the image lacks what was written between two passes", oracles: []string{"no-lost-write", "no-lost-vm"},
	},
	{
		name: "warm migrations do not wait for a slot", file: "core/migration/planner.go",
		edits:   []edit{{"\treturn k.Cloud.Warm\n", "\treturn k.Cloud.Warm + 1\n"}},
		matters: "more VMs are moved at once than the mode can carry", oracles: []string{"limits"},
	},
	{
		name: "VMs on the cloud cache are not counted", file: "core/migration/planner.go",
		edits:   []edit{{" || q == cloudQueue && at >= k.Cloud.VMs {", " || q == cloudQueue && at < 0 {"}},
		matters: "more VMs than the mode allows share a cloud cache", oracles: []string{"limits"},
	},
	{
		name: "a flush has the number of the one before", file: "core/datapath/flush.go",
		edits:   []edit{{"return m.binding.base + m.number }", "return m.binding.base + max(m.number, 2) - 1 }"}},
		matters: "the premises take a flush for one that they have, and drop it", oracles: []string{"flushed", "liveness"},
	},
	{
		name: "what a flush held that failed is taken for clean", file: "core/cache/cut.go",
		edits:   []edit{{"\t\tc.closeCut(wasAbandoned)\n", "\t\tc.closeCut(wasApplied)\n"}},
		matters: "a flush that failed loses what it held", oracles: []string{"flushed", "no-lost-write"},
	},
	{
		name: "chunks are applied as they come", file: path.Join("core", "home", "home.go"),
		edits:   []edit{{"\th.flush.bytes += int64(len(h.buf))\n", "\tfor _, b := range blocks {\n\t\tif err := h.apply(b); err != nil {\n\t\t\treturn err\n\t\t}\n\t}\n\th.flush.bytes += int64(len(h.buf))\n"}},
		matters: "a flush that breaks off leaves disks of two instants", oracles: []string{"flushed", "no-lost-write"},
	},
	{
		name: "the VMs of a group are committed one by one", file: "core/datapath/flush.go",
		edits:   []edit{{"ready = ready && f.started && (m.stage == arrived || m.stage == arriving && len(f.members) == 1)", "ready = f.started && (m.stage == arrived || m.stage == arriving)"}},
		matters: "an outage leaves the VMs of a group at two instants", oracles: []string{"flushed", "message-bus"},
	},
	{
		name: "a flush leaves out the last VM of a group", file: "core/appliance/flusher.go",
		edits:   []edit{{"\theard, err := a.flush(ctx, members)\n", "\theard, err := a.flush(ctx, members[:max(1, len(members)-1)])\n"}},
		matters: "the VMs of a group are brought home at different instants, or never", oracles: []string{"flushed", "limits", "liveness"},
	},
}
