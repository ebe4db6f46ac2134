package protocol

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/invopop/jsonschema"
)

// draft07 is what most tools read.
const draft07 = "http://json-schema.org/draft-07/schema#"

// Schema is the JSON Schema (draft-07) of every message, made from the types
// that they are written from. It allows fields that it does not name: readers
// ignore them.
func Schema() ([]byte, error) {
	forms := []struct {
		kind Type
		form any
	}{
		{TypeInventoryRequest, &inventoryWire{}}, {TypeCloneRequest, &cloneWire{}}, {TypeBulkDoneRequest, &bulkDoneWire{}},
		{TypeHeartbeat, &Heartbeat{}}, {TypeInventoryResponse, &InventoryResponse{}}, {TypeCloneResponse, &CloneResponse{}},
		{TypeBulkDoneResponse, &BulkDoneResponse{}}, {TypeErrorResponse, &ErrorResponse{}},
	}
	all := &jsonschema.Schema{Version: draft07, Title: "Messages of HDM on its message bus, version 1"}
	for _, f := range forms {
		s := reflector().Reflect(f.form)
		s.Version, s.Title = "", string(f.kind)
		if kind, ok := s.Properties.Get("type"); ok {
			kind.Enum = []any{string(f.kind)}
		}
		if f.kind == TypeCloneRequest {
			s.AllOf = []*jsonschema.Schema{warmNeeds("bulk_transfer", "credentials")}
		}
		all.OneOf = append(all.OneOf, s)
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("protocol: making the schema: %w", err)
	}
	return append(text, '\n'), nil
}

// warmNeeds says what a warm migration cannot do without.
func warmNeeds(fields ...string) *jsonschema.Schema {
	warm := jsonschema.NewProperties()
	warm.Set("mode", &jsonschema.Schema{Const: string(Warm)})
	return &jsonschema.Schema{
		If:   &jsonschema.Schema{Properties: warm},
		Then: &jsonschema.Schema{Required: fields},
	}
}

func reflector() *jsonschema.Reflector {
	return &jsonschema.Reflector{
		DoNotReference: true, Anonymous: true, AllowAdditionalProperties: true,
		Mapper: func(t reflect.Type) *jsonschema.Schema {
			if t == reflect.TypeFor[Type]() {
				return &jsonschema.Schema{Type: "string"}
			}
			return nil
		},
	}
}
