package protocol

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
)

// hidden holds a secret where package fmt calls no methods.
type hidden struct{ secret Secret }

func TestASecretShowsNowhereButInItsMessage(t *testing.T) {
	s := NewSecret(planted)
	head := RequestHead{RequestID: "r-1", Token: s}
	_, refusal := DecodeRequest([]byte(request(`"type":"Weather"`)))
	_, warm := DecodeRequest([]byte(request(clone + `,"mode":"warm","bulk_transfer":"online","credentials":{"user":"","password":"` + planted + `"}`)))
	for _, v := range []any{
		s, &s, head, &head, hidden{s}, &hidden{s}, []Secret{s}, map[string]Secret{"a": s},
		InventoryRequest{RequestHead: head}, &CloneRequest{RequestHead: head, Credentials: &Credentials{"u", s}},
		&Credentials{"u", s}, &BulkDoneRequest{RequestHead: head}, refusal, warm, fmt.Errorf("wrapped: %w", refusal),
	} {
		var said bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p"} {
			fmt.Fprintf(&said, verb, v)
		}
		for _, handler := range []slog.Handler{slog.NewTextHandler(&said, nil), slog.NewJSONHandler(&said, nil)} {
			slog.New(handler).Info("said", "value", v)
		}
		if text, err := json.Marshal(v); err == nil {
			said.Write(text)
		}
		if text, err := xml.Marshal(v); err == nil {
			said.Write(text)
		}
		for _, form := range []string{planted, fmt.Sprintf("%x", planted), fmt.Sprintf("%X", planted)} {
			assert.NotContains(t, said.String(), form, "%T", v)
		}
	}
}

func TestEqualSecretsAreEqualAndOthersAreNot(t *testing.T) {
	assert.True(t, NewSecret(planted).Equal(NewSecret(planted)))
	assert.False(t, NewSecret(planted).Equal(NewSecret(planted+"x")))
	assert.False(t, NewSecret(planted).Equal(Secret{}))
	assert.True(t, Secret{}.Empty())
	assert.True(t, NewSecret("").Empty())
	assert.False(t, NewSecret(planted).Empty())
}
