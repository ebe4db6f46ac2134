package faults

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/vim25/types"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/vsphere"
)

var context = Context{
	Bus:        Standard,
	End:        Duration(12 * time.Hour),
	Migrations: map[string][]migration.Type{"db-01": {migration.Cold}, "web-01": {migration.Cold}, "app-02": {migration.TBC}},
	Deploys:    true,
	Components: map[string][]component.Service{
		"HDM_Cloud_Cache-0":         {component.CloudCache, component.IOInterceptor},
		"HDM_OnPrem_ESXi_Manager-0": {component.PremESXiManager, component.PremIOManager},
	},
	Hosts:      map[vsphere.Site][]string{vsphere.OnPremises: {"host-1", "host-2"}, vsphere.Cloud: {"cloud-host-1"}},
	Datastores: map[vsphere.Site][]string{vsphere.OnPremises: {"ds-01"}, vsphere.Cloud: {"cloud-ds-01"}},
	VMs:        map[vsphere.Site][]string{vsphere.OnPremises: {"db-01", "web-01", "app-02"}, vsphere.Cloud: {"app-02 ARM"}},
}

// from draws one of them.
func from[T any](r *rapid.T, name string, all ...T) T { return rapid.SampledFrom(all).Draw(r, name) }

func long(r *rapid.T, name string, least, most time.Duration) Duration {
	return Duration(rapid.Int64Range(int64(least), int64(most)).Draw(r, name))
}

// span draws how long a fault lasts: some time, for ever, or its default.
func span(r *rapid.T) Span {
	return from(r, "span", 0, Ever, Span(long(r, "for", 1, time.Hour)))
}

func someTrigger(r *rapid.T) Trigger {
	var t Trigger
	after := long(r, "after", 0, time.Minute)
	nth := rapid.IntRange(0, 3).Draw(r, "nth")
	switch from(r, "trigger", "time", "migration", "deployment", "recovery", "reset", "flush") {
	case "time":
		t = AtTime(long(r, "at", 0, 11*time.Hour))
	case "migration":
		t.When = &When{
			VM: from(r, "vm", "db-01", "web-01"), Enters: from(r, "enters", append(Steps(migration.Cold), States()...)...),
			Attempt: nth, After: after,
		}
	case "deployment":
		t.When = &When{Deployment: from(r, "deployment", Deploying, Deployed, Undeploying, Undeployed), Occurrence: nth, After: after}
	case "recovery":
		t.When = &When{Recovery: from(r, "recovery", Recoveries()...), Occurrence: nth, After: after}
	case "reset":
		t.When = &When{Reset: from(r, "reset", ResetSteps()...), Occurrence: nth, After: after}
	case "flush":
		t.When = &When{VM: "app-02", Flush: from(r, "flush", FlushCut, FlushApplied), Occurrence: nth, After: after}
	}
	t.Chance = from(r, "chance", 0, 0.25, 0.999)
	return t
}

func someCalls(r *rapid.T) Calls {
	method := from(r, "method", methods...)
	return Calls{
		Site: from(r, "site", method.Sites...), Method: method.Name,
		Object: from(r, "object", "", "db-01", "a name: with #signs", "  ", "'quoted'"),
		Nth:    rapid.IntRange(0, 5).Draw(r, "nth"), Count: rapid.IntRange(0, 5).Draw(r, "count"),
	}
}

func someService(r *rapid.T) ComponentService {
	vm := from(r, "vm", slices.Sorted(maps.Keys(context.Components))...)
	return ComponentService{vm, from(r, "service", context.Components[vm]...)}
}

func someCommands(r *rapid.T) ComponentCommands {
	return ComponentCommands{
		VM: someService(r).VM, Verb: from(r, "verb", append([]component.Verb{""}, verbs...)...),
		Nth: rapid.IntRange(0, 5).Draw(r, "nth"), Count: rapid.IntRange(0, 5).Draw(r, "count"),
	}
}

func someSite(r *rapid.T) vsphere.Site { return from(r, "site", bothSites...) }

func someHost(r *rapid.T) Host {
	at := someSite(r)
	return Host{at, from(r, "host", context.Hosts[at]...)}
}

func someDatastore(r *rapid.T) Datastore {
	at := someSite(r)
	return Datastore{at, from(r, "datastore", context.Datastores[at]...)}
}

func someDirection(r *rapid.T) Direction { return from(r, "direction", "", Both, ToCloud, ToPremises) }

// drawn draws a good fault of each kind.
var drawn = []func(r *rapid.T) Kind{
	func(r *rapid.T) Kind {
		k := &ApplianceRestart{For: long(r, "for", 0, time.Hour)}
		if rapid.Bool().Draw(r, "at a crash point") {
			k.CrashPoint, k.Nth = from(r, "crash point", CrashPoints()...), rapid.IntRange(0, 9).Draw(r, "arrival")
		}
		return k
	},
	func(r *rapid.T) Kind { return &JournalFull{span(r)} },
	func(r *rapid.T) Kind { return &JournalLost{span(r)} },
	func(r *rapid.T) Kind {
		return &ClockStep{from[Duration](r, "by", 1, -1) * long(r, "step", 1, time.Hour)}
	},
	func(r *rapid.T) Kind { return &WANDown{span(r), someDirection(r)} },
	func(r *rapid.T) Kind {
		return &WANSlow{span(r), rapid.IntRange(1, 99).Draw(r, "percent"), long(r, "latency", 0, time.Second)}
	},
	func(r *rapid.T) Kind { return &WANLossy{span(r), rapid.Float64Range(0.0001, MaxLoss).Draw(r, "loss")} },
	func(r *rapid.T) Kind {
		return &WANFlapping{long(r, "for", 10*time.Minute, time.Hour), long(r, "down", time.Second, time.Minute), long(r, "up", time.Second, time.Minute)}
	},
	func(r *rapid.T) Kind {
		return &CallError{someCalls(r), from(r, "fault", "TaskInProgress", "NotAuthenticated", "SystemError")}
	},
	func(r *rapid.T) Kind { return &CallHang{someCalls(r)} },
	func(r *rapid.T) Kind { return &CallLost{someCalls(r)} },
	func(r *rapid.T) Kind { return &CallLate{someCalls(r), long(r, "by", 1, time.Hour)} },
	func(r *rapid.T) Kind { return &VCenterRestart{someSite(r), span(r)} },
	func(r *rapid.T) Kind { return &SessionExpiry{someSite(r)} },
	func(r *rapid.T) Kind { return &InternetDown{span(r), someDirection(r)} },
	func(r *rapid.T) Kind { return &MessageDuplicate{queueCalls(r, Receive, Send)} },
	func(r *rapid.T) Kind { return &MessageReorder{queueCalls(r, Receive)} },
	func(r *rapid.T) Kind { return &MessageLost{queueCalls(r, Receive, Send, Delete)} },
	func(r *rapid.T) Kind { return &MessageDelay{queueCalls(r, Send), long(r, "by", 1, time.Hour)} },
	func(r *rapid.T) Kind { return &MessageLateDelete{queueCalls(r, Delete), long(r, "by", 1, time.Hour)} },
	func(r *rapid.T) Kind { return &MessageCorrupt{queueCalls(r, Receive, Send)} },
	func(r *rapid.T) Kind { return &QueueUnavailable{queueCalls(r, Send, Receive, Delete, Extend)} },
	func(r *rapid.T) Kind { return &QueueOverLimit{queueCalls(r, Receive)} },
	func(r *rapid.T) Kind { return &ComponentCrash{someService(r)} },
	func(r *rapid.T) Kind { return &ComponentHang{someService(r), span(r)} },
	func(r *rapid.T) Kind { return &ComponentRestart{someService(r)} },
	func(r *rapid.T) Kind { return &ComponentKill{someService(r)} },
	func(r *rapid.T) Kind { return &ComponentVMReboot{someService(r).VM, span(r)} },
	func(r *rapid.T) Kind { return &CommandLost{someCommands(r)} },
	func(r *rapid.T) Kind { return &CommandHang{someCommands(r)} },
	func(r *rapid.T) Kind {
		vm, uses := someService(r).VM, []Use{SystemDevice}
		if slices.Contains(context.Components[vm], component.CloudCache) {
			uses = append(uses, CacheDevice)
		}
		return &DeviceError{vm, from(r, "use", uses...), Write, from(r, "error", EIO, ENOSPC), rapid.IntRange(0, 5).Draw(r, "times")}
	},
	func(*rapid.T) Kind { return &FlushTorn{"app-02"} },
	func(r *rapid.T) Kind { return &FlushFails{"app-02", rapid.IntRange(0, 5).Draw(r, "times")} },
	func(r *rapid.T) Kind { return &HostRestart{someHost(r), span(r)} },
	func(r *rapid.T) Kind { return &HostDisconnect{someHost(r), span(r)} },
	func(*rapid.T) Kind { return &IOFilterRestart{"host-2"} },
	func(r *rapid.T) Kind { return &DatastoreFull{someDatastore(r), span(r)} },
	func(r *rapid.T) Kind { return &DatastoreError{someDatastore(r), from(r, "op", Read, Write), span(r)} },
	func(r *rapid.T) Kind {
		at := someSite(r)
		return &StorageCorrupt{at, from(r, "vm", context.VMs[at]...), rapid.IntRange(0, 3).Draw(r, "disk"), rapid.Int64Range(0, 100).Draw(r, "block")}
	},
	func(r *rapid.T) Kind { return &GuestLate{"db-01", rapid.IntRange(0, 5).Draw(r, "boots")} },
	func(*rapid.T) Kind { return &GuestNever{"db-01"} },
}

// someFault draws a good fault of any kind.
var someFault = rapid.Custom(func(r *rapid.T) Fault {
	return Of(someTrigger(r), from(r, "kind", drawn...)(r))
})

func TestEveryKindOfFaultIsDrawn(t *testing.T) {
	var names []string
	for _, draw := range drawn {
		names = append(names, rapid.Custom(func(r *rapid.T) Kind {
			rapid.Bool().Draw(r, "anything") // some kinds leave nothing to chance
			return draw(r)
		}).Example(0).Name())
	}
	assert.Equal(t, Names(), names)
}

// queueCalls draws calls to SQS, of one of these operations or of the kind's own.
func queueCalls(r *rapid.T, operations ...string) QueueCalls {
	return QueueCalls{
		Queue:     rapid.SampledFrom([]Queue{Commands, Responses}).Draw(r, "queue"),
		Operation: rapid.SampledFrom(append([]string{""}, operations...)).Draw(r, "operation"),
		Nth:       rapid.IntRange(0, 5).Draw(r, "nth"), Count: rapid.IntRange(0, 5).Draw(r, "count"),
	}
}

func TestAFaultPrintsAsOneLineOfYAMLThatRecreatesIt(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		f := someFault.Draw(r, "fault")
		require.Empty(r, Validate([]Fault{f}, context))
		line := f.String()
		require.NotContains(r, line, "\n")
		var back Fault
		dec := yaml.NewDecoder(strings.NewReader(line))
		dec.KnownFields(true)
		require.NoError(r, dec.Decode(&back), line)
		require.Equal(r, f, back)
	})
}

func TestEveryFieldOfFaultIsAKindThatIsNamedAsItsKey(t *testing.T) {
	typ := reflect.TypeFor[Fault]()
	var keys []string
	for i := range typ.NumField() {
		key, _, _ := strings.Cut(typ.Field(i).Tag.Get("yaml"), ",")
		if key == "" {
			continue // the trigger
		}
		keys = append(keys, key)
		f := Fault{}
		reflect.ValueOf(&f).Elem().Field(i).Set(reflect.New(typ.Field(i).Type.Elem()))
		require.NotNil(t, f.Kind(), "%s is no kind", key)
		assert.Equal(t, f, Of(Trigger{}, f.Kind()))
		assert.Equal(t, key, f.Kind().Name())
		assert.NotEmpty(t, f.Kind().Target())
	}
	assert.Equal(t, keys, Names())
}

func TestDurationsReadAsPeopleWriteThem(t *testing.T) {
	for d, text := range map[time.Duration]string{
		0: "0s", time.Minute: "1m", 2 * time.Hour: "2h", 90 * time.Minute: "1h30m", 4*time.Minute + 59*time.Second: "4m59s",
		time.Hour + time.Second: "1h0m1s", 10 * time.Second: "10s", 20 * time.Millisecond: "20ms", 100 * time.Minute: "1h40m",
	} {
		assert.Equal(t, text, Duration(d).String())
		var back Duration
		require.NoError(t, back.UnmarshalText([]byte(text)))
		assert.Equal(t, Duration(d), back)
	}
	var d Duration
	assert.ErrorContains(t, d.UnmarshalText([]byte("5 minutes")), `"5 minutes" is not a duration such as`)
}

func TestAFaultLastsForADurationOrForEver(t *testing.T) {
	for text, want := range map[string]Span{"ever": Ever, "5m": Span(5 * time.Minute)} {
		var s Span
		require.NoError(t, s.UnmarshalText([]byte(text)))
		assert.Equal(t, want, s)
		assert.Equal(t, text, s.String())
	}
	var s Span
	assert.ErrorContains(t, s.UnmarshalText([]byte("always")), `"always" is not a duration`)
	_, ends := Ever.Time()
	assert.False(t, ends)
}

func TestWhatIsLeftOutHasTheDocumentedMeaning(t *testing.T) {
	assert.Equal(t, "2m", (&ApplianceRestart{}).Downtime().String())
	assert.Equal(t, 1, (&ApplianceRestart{}).Time())
	assert.Equal(t, Both, (&WANDown{}).Directions())
	assert.Equal(t, Ever, (&WANDown{}).Lasts())
	assert.Equal(t, "30s", (&ComponentVMReboot{}).Lasts().String())
	assert.Equal(t, 1, (&When{}).Nth())
	assert.Equal(t, Numbers{First: 1, Last: 1}, (&Calls{}).Numbers())
}

func TestCallsAreCountedFromTheNthOn(t *testing.T) {
	c := Calls{Site: "cloud", Method: "ImportVApp", Object: "db-01", Nth: 3, Count: 2}
	var hit []int
	for n := range 10 {
		if c.Numbers().Hits(n) {
			hit = append(hit, n)
		}
	}
	assert.Equal(t, []int{3, 4}, hit)
	assert.True(t, c.Match("cloud", "ImportVApp", "db-01"))
	for _, other := range [][3]string{{"on-premises", "ImportVApp", "db-01"}, {"cloud", "ExportVm", "db-01"}, {"cloud", "ImportVApp", "web-01"}} {
		assert.False(t, c.Match(vsphere.Site(other[0]), other[1], other[2]), "%v", other)
	}
}

func TestAFaultTypeIsMadeByItsNameInTheVSphereAPI(t *testing.T) {
	assert.IsType(t, &types.TaskInProgress{}, NewMethodFault("TaskInProgress"))
	assert.IsType(t, &types.NotAuthenticated{}, NewMethodFault("NotAuthenticated"))
	for _, name := range []string{"", "Oops", "VirtualMachineConfigInfo", "PowerOnVM_Task", "ManagedObjectReference"} {
		assert.Nil(t, NewMethodFault(name), name)
	}
}

// The table of methods is what core/vsphere calls, read off its source: a fault
// in another method could never act, and one that is missing could not be said.
func TestTheTableOfMethodsIsWhatCoreCalls(t *testing.T) {
	called := []string{"RetrievePropertiesEx"} // by govmomi's package mo
	files, err := filepath.Glob("../core/vsphere/*.go")
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "methods" {
					name := sel.Sel.Name
					if name == "GetServiceContent" { // govmomi's name for it
						name = "RetrieveServiceContent"
					}
					called = append(called, name)
				}
			}
			return true
		})
	}
	slices.Sort(called)
	assert.Equal(t, slices.Compact(called), MethodNames())
	for _, m := range methods {
		assert.NotEmpty(t, m.Sites, m.Name)
	}
}
