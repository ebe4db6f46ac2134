package site

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/hdm-project/hdm/core/vsphere"
	"github.com/hdm-project/hdm/sim/guest"
	"github.com/hdm-project/hdm/sim/kernel"
)

func decode(t *testing.T, text string) Description {
	t.Helper()
	d, err := decodeStrict(text)
	require.NoError(t, err)
	return d
}

func decodeStrict(text string) (d Description, err error) {
	dec := yaml.NewDecoder(strings.NewReader(text))
	dec.KnownFields(true)
	return d, dec.Decode(&d)
}

func TestAWorldOfAFewLinesIsWhole(t *testing.T) {
	d, err := decode(t, `
on-premises:
  vms:
    - {name: db-01, disks: [{capacity: 40 GB, used: 12 GB}]}
    - {name: web-01, power: off, tools: absent}
links: {wan: {latency: 35ms, bandwidth: 100 Mbit/s, loss: 0.001}}
`).Expand()
	require.NoError(t, err)

	db, web := d.OnPremises.VMs[0], d.OnPremises.VMs[1]
	assert.Equal(t, 40*GB, db.Disks[0].Capacity)
	assert.Equal(t, 12*GB, *db.Disks[0].Used)
	assert.Equal(t, "pvscsi", db.Disks[0].Controller)
	assert.Equal(t, "ds-01", db.Disks[0].Datastore)
	assert.Equal(t, []NIC{{Network: "VM Network", Type: "vmxnet3", MAC: "00:50:56:80:00:00"}}, db.NICs)
	assert.Equal(t, On, db.Power)
	assert.Equal(t, "guestToolsCurrent", db.ToolsStatus)
	assert.Equal(t, Off, web.Power)
	assert.Equal(t, "guestToolsNotInstalled", web.ToolsStatus)
	assert.NotEqual(t, db.Host, web.Host, "VMs go on the hosts in turn")
	assert.NotEqual(t, db.UUID, web.UUID)
	assert.Equal(t, 20*TB-12*GB-10*GB, *d.OnPremises.Datastores[0].Free)
	assert.Equal(t, []string{"Cloud Net"}, d.Cloud.Networks)
	assert.Equal(t, Link{Latency: ptr(35 * time.Millisecond), Bandwidth: 100 * Mbit, Loss: 0.001}, d.Links.WAN)
	assert.Equal(t, 1000*Mbit, d.Links.Internet.Bandwidth)
	assert.Equal(t, "none", db.Workload.Kind)
}

func TestExpandingTwiceChangesNothingAndNeverTouchesWhatItWasGiven(t *testing.T) {
	given := Description{OnPremises: Site{
		VMs:       []VM{{Name: "a"}, {Name: "b", NICs: []NIC{{}, {Type: "e1000"}}}},
		FromFacts: &FromFacts{VMs: []string{"vm-0119", "vm-0302"}, Count: 10},
	}}
	once, err := given.Expand()
	require.NoError(t, err)
	twice, err := once.Expand()
	require.NoError(t, err)
	assert.Equal(t, once, twice)
	assert.Equal(t, VM{Name: "a"}, given.OnPremises.VMs[0])
	assert.Len(t, given.OnPremises.VMs, 2)
	assert.Empty(t, given.OnPremises.VMs[1].NICs[0].MAC)
}

func TestAnExpandedDescriptionIsTheSameFromYAML(t *testing.T) {
	once, err := Description{OnPremises: Site{FromFacts: &FromFacts{Count: 661}}}.Expand()
	require.NoError(t, err)
	text, err := yaml.Marshal(once)
	require.NoError(t, err)
	assert.Equal(t, once, decode(t, string(text)))
}

func TestVMsFromFactsAreShapedLikeTheRealOnes(t *testing.T) {
	d, err := Description{OnPremises: Site{FromFacts: &FromFacts{VMs: []string{"vm-0119", "vm-0302", "vm-0001", "vm-0002"}}}}.Expand()
	require.NoError(t, err)
	gone, shared, many, windows := d.OnPremises.VMs[0], d.OnPremises.VMs[1], d.OnPremises.VMs[2], d.OnPremises.VMs[3]

	assert.Equal(t, "host-06", gone.Host)
	assert.Contains(t, d.OnPremises.Hosts, Host{Name: "host-06", Disconnected: true})
	assert.Empty(t, gone.NICs)
	assert.True(t, shared.Disks[0].Shared)
	assert.Equal(t, "NSX Segment", shared.NICs[0].Network)
	assert.Len(t, many.Disks, 13)
	assert.Equal(t, []string{"snapshot-1"}, many.Snapshots)
	assert.Equal(t, "vsan", many.Disks[0].Datastore)
	assert.Equal(t, "efi", windows.Firmware)
	assert.Equal(t, "e1000e", windows.NICs[0].Type)
	assert.Equal(t, 60*GB, *windows.Disks[0].Used, "the replicas of vSAN are not content")
}

func TestEveryRealVMCanBeInAWorld(t *testing.T) {
	d, err := Description{OnPremises: Site{FromFacts: &FromFacts{Count: 661}}}.Expand()
	require.NoError(t, err)
	assert.Len(t, d.OnPremises.VMs, 661)
}

func TestADescriptionThatCannotBeBuiltIsRefusedWithItsPlace(t *testing.T) {
	const vm = "on-premises: {vms: [{name: a, "
	for _, c := range []struct{ name, yaml, path string }{
		{"no name", "on-premises: {vms: [{}]}", "on-premises.vms[0].name"},
		{"name twice", "cloud: {vms: [{name: a}, {name: a}]}", "cloud.vms[1].name"},
		{"name with a slash", "cloud: {vms: [{name: a/b}]}", "cloud.vms[0].name"},
		{"power", vm + "power: standby}]}", "on-premises.vms[0].power"},
		{"firmware", vm + "firmware: coreboot}]}", "on-premises.vms[0].firmware"},
		{"cpus", vm + "cpus: -1}]}", "on-premises.vms[0].cpus"},
		{"memory", vm + "memory: 1 B}]}", "on-premises.vms[0].memory"},
		{"disk size", vm + "disks: [{capacity: 63 TB}]}]}", "on-premises.vms[0].disks[0].capacity"},
		{"odd disk size", vm + "disks: [{capacity: 5000 B}]}]}", "on-premises.vms[0].disks[0].capacity"},
		{"used above capacity", vm + "disks: [{capacity: 1 GB, used: 2 GB}]}]}", "on-premises.vms[0].disks[0].used"},
		{"controller", vm + "disks: [{controller: mfm}]}]}", "on-premises.vms[0].disks[0].controller"},
		{"datastore", vm + "disks: [{datastore: ds-9}]}]}", "on-premises.vms[0].disks[0].datastore"},
		{"network", vm + "nics: [{network: lab}]}]}", "on-premises.vms[0].nics[0].network"},
		{"NIC type", vm + "nics: [{type: ne2000}]}]}", "on-premises.vms[0].nics[0].type"},
		{"MAC", vm + "nics: [{mac: 00-50-56-00-00-01}]}]}", "on-premises.vms[0].nics[0].mac"},
		{"MAC twice", vm + "nics: [{mac: '00:50:56:00:00:01'}, {mac: '00:50:56:00:00:01'}]}]}", "on-premises.vms[0].nics[1].mac"},
		{"too many NICs", vm + "nics: [{},{},{},{},{},{},{},{},{},{},{}]}]}", "on-premises.vms[0].nics"},
		{"host", vm + "host: h9}]}", "on-premises.vms[0].host"},
		{"pool", vm + "pool: gold}]}", "on-premises.vms[0].pool"},
		{"uuid", vm + "uuid: '42'}]}", "on-premises.vms[0].uuid"},
		{"tools", vm + "tools: old}]}", "on-premises.vms[0].tools"},
		{"tools status", vm + "tools-status: fine}]}", "on-premises.vms[0].tools-status"},
		{"running template", vm + "template: true, power: on}]}", "on-premises.vms[0].power"},
		{"diskless with disks", vm + "diskless: true, disks: [{}]}]}", "on-premises.vms[0].diskless"},
		{"snapshot twice", vm + "snapshots: [s, s]}]}", "on-premises.vms[0].snapshots[1]"},
		{"workload", vm + "workload: {kind: mining}}]}", "on-premises.vms[0].workload.kind"},
		{"workload rate", vm + "workload: {kind: random, rate: -1}}]}", "on-premises.vms[0].workload.rate"},
		{"more reads than requests", vm + "workload: {kind: random, reads: 1.5}}]}", "on-premises.vms[0].workload.reads"},
		{"no number of reads", vm + "workload: {kind: random, reads: .nan}}]}", "on-premises.vms[0].workload.reads"},
		{"all reads by the world's default", "on-premises: {vms: [{name: a}, {name: b}]}\nguests: {workload: {kind: random, reads: -1}}", "guests.workload.reads"},
		{"tools late by nothing", vm + "tools-late: {site: cloud}}]}", "on-premises.vms[0].tools-late"},
		{"tools late and absent", vm + "tools: absent, tools-late: {never: true}}]}", "on-premises.vms[0].tools-late"},
		{"tools late and never", vm + "tools-late: {boots: 2, never: true}}]}", "on-premises.vms[0].tools-late.never"},
		{"tools late by a negative count", vm + "tools-late: {boots: -1}}]}", "on-premises.vms[0].tools-late.boots"},
		{"tools late by too many boots", vm + "tools-late: {boots: 101}}]}", "on-premises.vms[0].tools-late.boots"},
		{"tools late by a negative time", vm + "tools-late: {by: -1s}}]}", "on-premises.vms[0].tools-late.by"},
		{"tools late by more than a day", vm + "tools-late: {by: 25h}}]}", "on-premises.vms[0].tools-late.by"},
		{"tools late nowhere", vm + "tools-late: {never: true, site: moon}}]}", "on-premises.vms[0].tools-late.site"},
		{"hosts all gone", "on-premises: {hosts: [{name: h, disconnected: true}]}", "on-premises.hosts"},
		{"host twice", "on-premises: {hosts: [{name: h}, {name: h}]}", "on-premises.hosts[1]"},
		{"network twice", "cloud: {networks: [n, n]}", "cloud.networks[1]"},
		{"too full", "cloud: {datastores: [{name: d, capacity: 9 GB}], vms: [{name: a}]}", "cloud.datastores[0].capacity"},
		{"more free than left", "cloud: {datastores: [{name: d, capacity: 12 GB, free: 5 GB}], vms: [{name: a}]}", "cloud.datastores[0].free"},
		{"loss", "links: {wan: {loss: 1}}", "links.wan.loss"},
		{"latency", "links: {internet: {latency: -1ms}}", "links.internet.latency"},
		{"no number", "links: {wan: {loss: .nan}}", "links.wan.loss"},
		{"no number of writes", vm + "workload: {kind: random, rate: .nan}}]}", "on-premises.vms[0].workload.rate"},
		{"an IDE disk too many", vm + "disks: [{controller: ide}, {controller: ide}, {controller: ide}, {controller: ide}, {controller: ide}]}]}", "on-premises.vms[0].disks[4].controller"},
		{"a disk too many", vm + "disks: [" + strings.Repeat("{}, ", MaxDisks+1) + "]}]}", "on-premises.vms[0].disks"},
		{"a SCSI controller too many", vm + "disks: [" + strings.Repeat("{controller: lsilogic}, ", 31) + "{controller: pvscsi}, {controller: buslogic}]}]}", "on-premises.vms[0].disks[32].controller"},
		{"a snapshot too many", vm + "snapshots: [" + many("s%d, ", MaxSnapshots+1) + "]}]}", "on-premises.vms[0].snapshots"},
		{"a control character", `cloud: {vms: [{name: "a\x1b[31m"}]}`, "cloud.vms[0].name"},
		{"a system larger than its disk", "on-premises: {vms: [{name: a, disks: [{capacity: 1 GB}], system-free: 2 GB}]}", "on-premises.vms[0].system-free"},
		{"all VMs by the world's default", "on-premises: {vms: [{name: a}, {name: b}]}\nguests: {boot-time: -1s}", "guests.boot-time"},
		{"all writes by the world's default", "on-premises: {vms: [{name: a}, {name: b}]}\nguests: {workload: {kind: random, flush-every: 1ns}}", "guests.workload.flush-every"},
		{"too small a disk", vm + "disks: [{capacity: 1 B}]}]}", "on-premises.vms[0].disks[0].capacity"},
		{"more free than there is", "cloud: {datastores: [{name: d, capacity: 1 GB, free: 2 GB}]}", "cloud.datastores[0].free"},
		{"unknown fact", "on-premises: {from-facts: {vms: [vm-9999]}}", "on-premises.from-facts.vms[0]"},
		{"no facts", "on-premises: {from-facts: {}}", "on-premises.from-facts"},
		{"too many facts", "on-premises: {from-facts: {count: 50, site: s2}}", "on-premises.from-facts.count"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := decode(t, c.yaml).Validate()
			var at *PathError
			require.ErrorAs(t, err, &at)
			assert.Equal(t, c.path, at.Path)
			assert.NotEmpty(t, at.Fix)
			assert.NotContains(t, err.Error(), "\n", "one mistake is told once")
		})
	}
}

// many is a text for each number from 1 to n.
func many(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i+1)
	}
	return b.String()
}

func TestWhatFitsIsNotRefused(t *testing.T) {
	for name, vm := range map[string]string{
		"four IDE disks":      "disks: [" + strings.Repeat("{controller: ide}, ", 4) + "]",
		"sixty SCSI disks":    "disks: [" + strings.Repeat("{}, ", 60) + "]",
		"one of each of four": "disks: [{}, {controller: lsilogic}, {controller: lsilogic-sas}, {controller: buslogic}, {controller: nvme}, {controller: sata}]",
		"all snapshots":       "snapshots: [" + many("s%d, ", MaxSnapshots) + "]",
	} {
		d := decode(t, "on-premises: {vms: [{name: a, "+vm+"}]}")
		require.NoError(t, d.Validate(), name)
		k := kernel.New(1)
		w, err := Build(k, d, Options{})
		require.NoError(t, err, name)
		require.NoError(t, w.Close())
		k.Close()
	}
}

func TestA0ThatIsWrittenOutIsA0(t *testing.T) {
	d, err := decode(t, `
on-premises: {vms: [{name: a, boot-time: 0s, workload: {kind: random, rate: 0}}, {name: b, stop-time: 0s}, {name: c, workload: {kind: random}}]}
links: {lan: {latency: 0s}, wan: {latency: 0s}}
guests: {boot-time: 0s}
`).Expand()
	require.NoError(t, err)
	vms := d.OnPremises.VMs
	assert.Zero(t, *vms[0].BootTime)
	assert.Zero(t, *vms[1].BootTime, "as the world's guests")
	assert.Zero(t, *vms[1].StopTime)
	assert.Equal(t, DefaultStopTime, *vms[0].StopTime)
	assert.Equal(t, guest.Workload{Kind: guest.None}, vms[0].Workload.guest(), "it writes nothing")
	assert.Equal(t, DefaultRate, vms[2].Workload.guest().Rate)
	assert.Zero(t, *d.Links.LAN.Latency)
	assert.Zero(t, *d.Links.WAN.Latency)
	assert.Equal(t, DefaultLatency, *d.Links.Internet.Latency)
}

func TestAWorkloadIsWhatTheDescriptionSays(t *testing.T) {
	d, err := decode(t, `
on-premises: {vms: [{name: a, disks: [{capacity: 100 GB}], workload: {kind: trace, rate: 200, reads: 0.3, span: 8 GB, flush-every: 1s}}, {name: b}]}
guests: {workload: {kind: zipf, reads: 1}}
`).Expand()
	require.NoError(t, err)
	assert.Equal(t, guest.Workload{Kind: guest.Trace, Rate: 200, ReadShare: 0.3, Span: 8 << 30, FlushEvery: time.Second}, d.OnPremises.VMs[0].Workload.guest())
	assert.Equal(t, guest.Workload{Kind: guest.Zipf, Rate: DefaultRate, ReadShare: 1, Span: 1 << 20, FlushEvery: DefaultFlush}, d.OnPremises.VMs[1].Workload.guest(), "as the world's guests")
}

func TestToolsAreAsLateAsTheDescriptionSays(t *testing.T) {
	d, err := decode(t, `
on-premises: {vms: [{name: a}, {name: b, tools-late: {boots: 2, by: 5m, site: cloud}}, {name: c, tools-late: {never: true}}]}
`).Expand()
	require.NoError(t, err)
	var late []guest.ToolsLate
	for _, v := range d.OnPremises.VMs {
		late = append(late, v.ToolsLate.guest())
	}
	assert.Equal(t, []guest.ToolsLate{{}, {Site: string(vsphere.Cloud), Boots: 2, By: 5 * time.Minute}, {Never: true}}, late)
}

func TestEveryMistakeIsReportedAtOnce(t *testing.T) {
	err := decode(t, "on-premises: {vms: [{name: a, power: x, firmware: y, cpus: -1}]}").Validate()
	joined, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok)
	assert.Len(t, joined.Unwrap(), 3)
}

func TestASizeReadsBackAsItPrints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Up to 2^53 bytes: beyond, a fraction of a unit is no longer exact.
		s := Size(rapid.Int64Range(0, 1<<53).Draw(t, "size"))
		var back Size
		require.NoError(t, back.UnmarshalText([]byte(s.String())))
		require.Equal(t, s, back)
		r := Rate(s)
		var rate Rate
		require.NoError(t, rate.UnmarshalText([]byte(r.String())))
		require.Equal(t, r, rate)
	})
}

func TestSizesAndRatesHaveUnits(t *testing.T) {
	for text, want := range map[string]Size{"40 GB": 40 * GB, "40GB": 40 * GB, "1.5 tb": TB + TB/2, "4096 B": 4 * KB, "0 B": 0} {
		var s Size
		require.NoError(t, s.UnmarshalText([]byte(text)), text)
		assert.Equal(t, want, s, text)
	}
	for text, want := range map[string]Rate{"1 Gbit/s": 125_000_000, "10MB/s": Rate(10 * MB), "8 kbit/s": 1000} {
		var r Rate
		require.NoError(t, r.UnmarshalText([]byte(text)), text)
		assert.Equal(t, want, r, text)
	}
	assert.Equal(t, "40 GB", (40 * GB).String())
	assert.Equal(t, "1 Gbit/s", (1000 * Mbit).String())
	assert.Equal(t, "1.5 TB", (TB + TB/2).String())
	for _, bad := range []string{"", "40", "GB", "-1 GB", "4 GiB", "1.2.3 GB", "99999999999 TB", "1e3 GB"} {
		var s Size
		var want *ValueError
		assert.ErrorAs(t, s.UnmarshalText([]byte(bad)), &want, bad)
	}
}

func TestABadValueIsReportedWithItsLineAndColumn(t *testing.T) {
	var d Description
	err := yaml.Unmarshal([]byte("on-premises:\n  vms:\n    - name: a\n      memory: lots\n"), &d)
	var bad *ValueError
	require.ErrorAs(t, err, &bad)
	assert.Equal(t, 4, bad.Line)
	assert.Equal(t, 15, bad.Column)
	assert.ErrorContains(t, err, `line 4, column 15: "lots" is not a size`)
}

func TestAPathIsFoundInTheYAML(t *testing.T) {
	var doc yaml.Node
	require.NoError(t, yaml.Unmarshal([]byte("on-premises:\n  vms:\n    - name: a\n    - name: b\n      power: idle\n"), &doc))
	var d Description
	require.NoError(t, doc.Decode(&d))
	var at *PathError
	require.True(t, errors.As(d.Validate(), &at))
	assert.Equal(t, 5, Locate(&doc, at.Path).Line)
	assert.Equal(t, 4, Locate(&doc, "on-premises.vms[1].disks[0].used").Line, "what was left out is where its owner is")
}

func TestTheWordsOfTheSchemaAreThoseThatAreAccepted(t *testing.T) {
	words := func(v any, field string) (list []string) {
		f, ok := reflect.TypeOf(v).FieldByName(field)
		require.True(t, ok)
		for _, part := range strings.Split(f.Tag.Get("jsonschema"), ",") {
			list = append(list, strings.TrimPrefix(part, "enum="))
		}
		return list
	}
	text := func(powers []Power, tools []Tools) (a, b []string) {
		for _, p := range powers {
			a = append(a, string(p))
		}
		for _, t := range tools {
			b = append(b, string(t))
		}
		return a, b
	}
	power, tool := text(powers, tools)
	assert.Equal(t, firmwares, words(VM{}, "Firmware"))
	assert.Equal(t, power, words(VM{}, "Power"))
	assert.Equal(t, tool, words(VM{}, "Tools"))
	assert.Equal(t, controllers, words(Disk{}, "Controller"))
	assert.Equal(t, adapters, words(NIC{}, "Type"))
	assert.Equal(t, sites, words(ToolsLate{}, "Site"))
	assert.Equal(t, workloads, words(Workload{}, "Kind"))
}
