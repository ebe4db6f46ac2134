package protocol

import (
	"bytes"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func compiled(t testing.TB) *jsonschema.Schema {
	text, err := Schema()
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("messages.json", doc))
	s, err := c.Compile("messages.json")
	require.NoError(t, err)
	return s
}

// valid says what the schema has against a text; that it is no JSON counts too.
func valid(s *jsonschema.Schema, text []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(doc)
}

func TestTheSchemaRefusesWhatIsRefusedForItsForm(t *testing.T) {
	schema := compiled(t)
	for _, c := range badForms {
		assert.Error(t, valid(schema, []byte(c.body)), c.name)
	}
}

func TestTheListOfWhatTheSchemaCannotSayIsTrue(t *testing.T) {
	schema := compiled(t)
	for _, c := range beyondSchema {
		assert.NoError(t, valid(schema, []byte(c.body)), c.name)
	}
}

func TestTheSchemaAllowsFieldsThatItDoesNotName(t *testing.T) {
	schema := compiled(t)
	assert.NoError(t, valid(schema, []byte(request(`"type":"SourceInventoryRequest","colour":"red"`))))
}
