package scenario

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/invopop/jsonschema"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/faults"
	"github.com/hdm-project/hdm/scenarios"
	"github.com/hdm-project/hdm/sim/site"
)

// draft07 is what editors' YAML servers support.
const draft07 = "http://json-schema.org/draft-07/schema#"

const (
	durationForm = `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^0$`
	worldFile    = `\.yaml$`
)

// Schema is the JSON Schema (draft-07) of scenario files, made from the types
// that they are read into. It accepts every file that Parse accepts; what it
// cannot say (whether a VM is in the world) only Parse refuses.
func Schema() ([]byte, error) { return schemaOf(&Scenario{}, "Scenario of hdm") }

// WorldSchema is the JSON Schema of files that describe a world.
func WorldSchema() ([]byte, error) { return schemaOf(&site.Description{}, "World of hdm") }

func schemaOf(v any, title string) ([]byte, error) {
	s := reflector().Reflect(v)
	s.Version, s.Title = draft07, title
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("scenario: making the schema %q: %w", title, err)
	}
	return append(text, '\n'), nil
}

// reflector makes schemas without references: the types do not refer to
// themselves, and draft-07 calls definitions by another name than invopop.
func reflector() *jsonschema.Reflector {
	return &jsonschema.Reflector{FieldNameTag: "yaml", DoNotReference: true, Anonymous: true, Mapper: special}
}

// special are the types that are not written as Go has them.
func special(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[Duration](), reflect.TypeFor[time.Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: durationForm}
	case reflect.TypeFor[faults.Span]():
		return &jsonschema.Schema{Type: "string", Pattern: durationForm + "|^ever$"}
	case reflect.TypeFor[World]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
			{Type: "string", Enum: anys(scenarios.Worlds())},
			{Type: "string", Pattern: worldFile},
			plain[site.Description](),
		}}
	case reflect.TypeFor[Cover]():
		return &jsonschema.Schema{Type: "string", Enum: anys(covers())}
	case reflect.TypeFor[Expectation]():
		return expectations()
	case reflect.TypeFor[Step]():
		s := plain[Step]()
		s.AllOf = []*jsonschema.Schema{exactlyOne("at", "when"), exactlyOne(stepActions()...)}
		return s
	case reflect.TypeFor[faults.Fault]():
		s := plain[faults.Fault]()
		s.AllOf = []*jsonschema.Schema{exactlyOne("at", "when"), exactlyOne(faults.Names()...)}
		return s
	case reflect.TypeFor[faults.ClockStep]():
		s := plain[faults.ClockStep]()
		property(s, "by").Pattern = "^-?" + durationForm[1:]
		return s
	case reflect.TypeFor[Migrate]():
		s := plain[Migrate]()
		s.OneOf = exactlyOne("vm", "vms").OneOf
		property(s, "type").Enum = anys(migration.Types)
		return s
	case reflect.TypeFor[MigrateBack]():
		s := plain[MigrateBack]()
		s.OneOf = exactlyOne("vm", "vms").OneOf
		return s
	case reflect.TypeFor[faults.When]():
		s := plain[faults.When]()
		property(s, "enters").Enum = anys(append(allSteps(), faults.States()...))
		property(s, "type").Enum = anys(slices.Sorted(maps.Keys(migration.Tables)))
		s.OneOf = []*jsonschema.Schema{
			{Required: []string{"vm", "enters"}}, {Required: []string{"vm", "flush"}},
			{Required: []string{"deployment"}}, {Required: []string{"recovery"}}, {Required: []string{"reset"}},
		}
		return s
	case reflect.TypeFor[faults.CallError](), reflect.TypeFor[faults.CallHang](), reflect.TypeFor[faults.CallLost](), reflect.TypeFor[faults.CallLate]():
		s := plainOf(t)
		property(s, "method").Enum = anys(faults.MethodNames())
		return s
	}
	if t.Kind() != reflect.Struct && reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return &jsonschema.Schema{Type: "string"} // a size or a rate
	}
	return nil
}

// plain is the schema of a struct as its fields have it.
func plain[T any]() *jsonschema.Schema { return plainOf(reflect.TypeFor[T]()) }

func plainOf(t reflect.Type) *jsonschema.Schema {
	r := reflector()
	// The type itself by its fields, what is below it as ever.
	r.Mapper = func(below reflect.Type) *jsonschema.Schema {
		if below == t {
			return nil
		}
		return special(below)
	}
	s := r.ReflectFromType(t)
	s.Version = ""
	return s
}

func property(s *jsonschema.Schema, key string) *jsonschema.Schema {
	p, ok := s.Properties.Get(key)
	if !ok {
		panic(fmt.Sprintf("scenario: the schema has no property %q", key)) // renamed in the type, not here
	}
	return p
}

func exactlyOne(keys ...string) *jsonschema.Schema {
	s := &jsonschema.Schema{}
	for _, k := range keys {
		s.OneOf = append(s.OneOf, &jsonschema.Schema{Required: []string{k}})
	}
	return s
}

// expectations is one schema for each kind of promise.
func expectations() *jsonschema.Schema {
	s := &jsonschema.Schema{}
	seen := map[reflect.Type]bool{}
	for _, key := range slices.Sorted(maps.Keys(promises)) {
		t := reflect.TypeOf(promises[key]()).Elem()
		if seen[t] {
			continue
		}
		seen[t] = true
		one := plainOf(t)
		switch t {
		case reflect.TypeFor[Stands]():
			one.AnyOf = exactlyOne("on-premises", "cloud").OneOf
		case reflect.TypeFor[Migrations]():
			one.OneOf = exactlyOne("vm", "request").OneOf
		case reflect.TypeFor[Carried]():
			one.AnyOf = exactlyOne("at-least", "at-most").OneOf
		}
		s.OneOf = append(s.OneOf, one)
	}
	return s
}

func stepActions() []string {
	keys, _ := (&Step{}).actions()
	return keys
}

// covers are all that a scenario can cover: clauses without parts, and parts, as
// far as this version can show them.
func covers() (all []string) {
	for _, clause := range scenarios.Clauses() {
		if len(clause.Needs) > 0 {
			all = append(all, clause.ID)
		}
		for _, p := range clause.Parts {
			if len(p.Needs) > 0 {
				all = append(all, clause.ID+"/"+p.ID)
			}
		}
	}
	return all
}

// allSteps are the steps of all types of migration, each once.
func allSteps() (all []string) {
	for _, t := range slices.Sorted(maps.Keys(migration.Tables)) {
		for _, step := range faults.Steps(t) {
			if !slices.Contains(all, step) {
				all = append(all, step)
			}
		}
	}
	return all
}

func anys[T ~string](words []T) []any {
	all := make([]any, len(words))
	for i, w := range words {
		all[i] = string(w)
	}
	return all
}
