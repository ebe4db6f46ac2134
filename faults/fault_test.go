package faults

import (
	"go/ast"
	"go/parser"
	"go/token"
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

	"github.com/hdm-project/hdm/core/migration"
)

var context = Context{
	Bus:        Standard,
	End:        Duration(12 * time.Hour),
	Migrations: map[string][]migration.Type{"db-01": {migration.Cold}, "web-01": {migration.Cold}},
}

// someFault draws a good fault of any kind.
var someFault = rapid.Custom(func(r *rapid.T) Fault {
	long := func(name string, least, most time.Duration) Duration {
		return Duration(rapid.Int64Range(int64(least), int64(most)).Draw(r, name))
	}
	var f Fault
	if rapid.Bool().Draw(r, "at a time") {
		f.Trigger = AtTime(long("at", 0, 11*time.Hour))
	} else {
		f.When = &When{
			VM:      rapid.SampledFrom([]string{"db-01", "web-01"}).Draw(r, "vm"),
			Enters:  rapid.SampledFrom(append(Steps(migration.Cold), States()...)).Draw(r, "enters"),
			Attempt: rapid.IntRange(0, 3).Draw(r, "attempt"),
			After:   long("after", 0, time.Minute),
		}
	}
	method := rapid.SampledFrom(Methods()).Draw(r, "method")
	calls := Calls{
		Site: rapid.SampledFrom(method.Sites).Draw(r, "site"), Method: method.Name,
		Object: rapid.SampledFrom([]string{"", "db-01", "a name: with #signs", "  ", "'quoted'"}).Draw(r, "object"),
		Nth:    rapid.IntRange(0, 5).Draw(r, "nth"), Count: rapid.IntRange(0, 5).Draw(r, "count"),
	}
	switch rapid.SampledFrom(Names()).Draw(r, "kind") {
	case "appliance-restart":
		f.ApplianceRestart = &ApplianceRestart{For: long("for", 0, time.Hour)}
		if rapid.Bool().Draw(r, "at a crash point") {
			f.ApplianceRestart.CrashPoint = rapid.SampledFrom(CrashPoints()).Draw(r, "crash point")
			f.ApplianceRestart.Nth = rapid.IntRange(0, 9).Draw(r, "arrival")
		}
	case "wan-down":
		f.WANDown = &WANDown{For: long("for", 1, time.Hour), Direction: rapid.SampledFrom([]Direction{"", Both, ToCloud, ToPremises}).Draw(r, "direction")}
	case "call-error":
		f.CallError = &CallError{Calls: calls, Fault: rapid.SampledFrom([]string{"TaskInProgress", "NotAuthenticated", "SystemError"}).Draw(r, "fault")}
	case "call-hang":
		f.CallHang = &CallHang{Calls: calls}
	case "call-lost":
		f.CallLost = &CallLost{Calls: calls}
	case "call-late":
		f.CallLate = &CallLate{Calls: calls, By: long("by", 1, time.Hour)}
	case "internet-down":
		f.InternetDown = &InternetDown{For: long("for", 1, time.Hour), Direction: rapid.SampledFrom([]Direction{"", Both, ToCloud, ToPremises}).Draw(r, "direction")}
	case "message-duplicate":
		f.MessageDuplicate = &MessageDuplicate{queueCalls(r, Receive, Send)}
	case "message-reorder":
		f.MessageReorder = &MessageReorder{queueCalls(r, Receive)}
	case "message-lost":
		f.MessageLost = &MessageLost{queueCalls(r, Receive, Send, Delete)}
	case "message-late-delete":
		f.MessageLateDelete = &MessageLateDelete{queueCalls(r, Delete), long("by", 1, time.Hour)}
	case "message-corrupt":
		f.MessageCorrupt = &MessageCorrupt{queueCalls(r, Receive, Send)}
	case "queue-unavailable":
		f.QueueUnavailable = &QueueUnavailable{queueCalls(r, Send, Receive, Delete, Extend)}
	case "queue-over-limit":
		f.QueueOverLimit = &QueueOverLimit{queueCalls(r, Receive)}
	default:
		r.Fatalf("no generator for a kind of fault: add one here")
	}
	return f
})

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
		require.NotNil(t, f.Kind(), "%s is missing in kinds", key)
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

func TestWhatIsLeftOutHasTheDocumentedMeaning(t *testing.T) {
	assert.Equal(t, "2m", (&ApplianceRestart{}).Downtime().String())
	assert.Equal(t, 1, (&ApplianceRestart{}).Time())
	assert.Equal(t, Both, (&WANDown{}).Directions())
	assert.Equal(t, 1, (&When{}).Nth())
	c := Calls{Site: "cloud", Method: "ImportVApp"}
	assert.True(t, c.Hits(1))
	assert.False(t, c.Hits(2))
}

func TestCallsAreCountedFromTheNthOn(t *testing.T) {
	c := Calls{Site: "cloud", Method: "ImportVApp", Object: "db-01", Nth: 3, Count: 2}
	var hit []int
	for n := range 10 {
		if c.Hits(n) {
			hit = append(hit, n)
		}
	}
	assert.Equal(t, []int{3, 4}, hit)
	assert.Equal(t, 4, c.Last())
	assert.True(t, c.Match("cloud", "ImportVApp", "db-01"))
	for _, other := range [][3]string{{"on-premises", "ImportVApp", "db-01"}, {"cloud", "ExportVm", "db-01"}, {"cloud", "ImportVApp", "web-01"}} {
		assert.False(t, c.Match(migrationSite(other[0]), other[1], other[2]), "%v", other)
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
	for _, m := range Methods() {
		assert.NotEmpty(t, m.Sites, m.Name)
	}
}
