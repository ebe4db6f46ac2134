package protocol

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const planted = "s3cret-token-of-the-tests"

// request is a request's text: the head, and these fields behind it, which may
// take its place.
func request(fields string) string {
	return `{"v":1,"request_id":"r-1","token":"` + planted + `",` + fields + `}`
}

var (
	clone = `"type":"SourceCloneRequest","vm":"db-01"`
	names = strings.Repeat("n", MaxName+1)
	many  = strings.TrimSuffix(strings.Repeat(`{"from":"a","to":"b"},`, MaxMappings+1), ",")
)

type refused struct{ name, body, code, field string }

// badForms are refused for their form, which the schema describes too.
var badForms = []refused{
	{"a text", `hello`, CodeUnreadable, ""},
	{"nothing", ``, CodeUnreadable, ""},
	{"null", `null`, CodeUnreadable, ""},
	{"a list", `[{"v":1}]`, CodeUnreadable, ""},
	{"half an object", `{"v":1`, CodeUnreadable, ""},
	{"two objects", `{"v":1} {"v":1}`, CodeUnreadable, ""},
	{"an object and a bracket", `{"v":1} }`, CodeUnreadable, ""},
	{"no version", `{"type":"SourceInventoryRequest","request_id":"r-1","token":"t"}`, CodeVersion, "v"},
	{"a newer version", request(`"v":2,"type":"SourceInventoryRequest"`), CodeVersion, "v"},
	{"a version that is a text", request(`"v":"1","type":"SourceInventoryRequest"`), CodeVersion, "v"},
	{"no type", request(`"x":1`), CodeUnknownType, "type"},
	{"a type that is a number", request(`"type":1`), CodeUnknownType, "type"},
	{"a type of nobody's", request(`"type":"Weather"`), CodeUnknownType, "type"},
	{"no migrating back", request(`"type":"MigrateBackRequest"`), CodeNotOffered, "type"},
	{"no try-before-commit", request(`"type":"TryBeforeCommitRequest"`), CodeNotOffered, "type"},
	{"no request_id", `{"v":1,"type":"SourceInventoryRequest","token":"t"}`, CodeMissing, "request_id"},
	{"an empty request_id", `{"v":1,"type":"SourceInventoryRequest","token":"t","request_id":""}`, CodeInvalid, "request_id"},
	{"a request_id with a blank", request(`"type":"SourceInventoryRequest","request_id":"a b"`), CodeInvalid, "request_id"},
	{"a request_id that is too long", request(`"type":"SourceInventoryRequest","request_id":"` + strings.Repeat("x", MaxRequestID+1) + `"`), CodeInvalid, "request_id"},
	{"a page of nothing", request(`"type":"SourceInventoryRequest","page_size":0`), CodeInvalid, "page_size"},
	{"a page that is too large", request(`"type":"SourceInventoryRequest","page_size":1001`), CodeInvalid, "page_size"},
	{"a broken page", request(`"type":"SourceInventoryRequest","page_size":1.5`), CodeInvalid, "page_size"},
	{"a page in words", request(`"type":"SourceInventoryRequest","page_size":"ten"`), CodeInvalid, "page_size"},
	{"no VM", request(`"type":"SourceCloneRequest","mode":"cold"`), CodeMissing, "vm"},
	{"an empty VM", request(`"type":"SourceCloneRequest","mode":"cold","vm":""`), CodeMissing, "vm"},
	{"a VM with a long name", request(`"type":"SourceCloneRequest","mode":"cold","vm":"` + names + `"`), CodeInvalid, "vm"},
	{"no mode", request(clone), CodeMissing, "mode"},
	{"a mode of nobody's", request(clone + `,"mode":"hot"`), CodeInvalid, "mode"},
	{"a mode for vCenter", request(clone + `,"mode":"tbc"`), CodeNotOffered, "mode"},
	{"another use case", request(clone + `,"mode":"cold","use_case":"DR"`), CodeNotOffered, "use_case"},
	{"warm without a way", request(clone + `,"mode":"warm","credentials":{"user":"u","password":"p"}`), CodeMissing, "bulk_transfer"},
	{"warm by pigeon", request(clone + `,"mode":"warm","bulk_transfer":"pigeon","credentials":{"user":"u","password":"p"}`), CodeInvalid, "bulk_transfer"},
	{"warm without credentials", request(clone + `,"mode":"warm","bulk_transfer":"online"`), CodeMissing, "credentials"},
	{"credentials without a user", request(clone + `,"mode":"warm","bulk_transfer":"online","credentials":{"password":"p"}`), CodeMissing, "credentials.user"},
	{"credentials without a password", request(clone + `,"mode":"warm","bulk_transfer":"online","credentials":{"user":"u"}`), CodeMissing, "credentials.password"},
	{"credentials in a list", request(clone + `,"mode":"warm","bulk_transfer":"online","credentials":[]`), CodeInvalid, "credentials"},
	{"a target in a list", request(clone + `,"mode":"cold","target":[]`), CodeInvalid, "target"},
	{"a pool that is a number", request(clone + `,"mode":"cold","target":{"pool":1}`), CodeInvalid, "target.pool"},
	{"a datastore with a long name", request(clone + `,"mode":"cold","target":{"datastore":"` + names + `"}`), CodeInvalid, "target.datastore"},
	{"networks in an object", request(clone + `,"mode":"cold","target":{"networks":{}}`), CodeInvalid, "target.networks"},
	{"too many networks", request(clone + `,"mode":"cold","target":{"networks":[` + many + `]}`), CodeInvalid, "target.networks"},
	{"a network from nowhere", request(clone + `,"mode":"cold","target":{"networks":[{"from":"a","to":"b"},{"to":"b"}]}`), CodeMissing, "target.networks[1].from"},
	{"a network to nowhere", request(clone + `,"mode":"cold","target":{"networks":[{"from":"a","to":""}]}`), CodeMissing, "target.networks[0].to"},
	{"no clone to be done with", request(`"type":"BulkMigrationDoneRequest","complete":true`), CodeMissing, "clone_request_id"},
	{"bad name of a clone", request(`"type":"BulkMigrationDoneRequest","complete":true,"clone_request_id":"é"`), CodeInvalid, "clone_request_id"},
	{"not said whether complete", request(`"type":"BulkMigrationDoneRequest","clone_request_id":"r-0"`), CodeMissing, "complete"},
	{"perhaps complete", request(`"type":"BulkMigrationDoneRequest","clone_request_id":"r-0","complete":"perhaps"`), CodeInvalid, "complete"},
}

// beyondSchema are refused for what JSON Schema, or this one, cannot say.
var beyondSchema = []refused{
	{"a message that is too long", request(`"type":"SourceInventoryRequest","x":"` + strings.Repeat("x", MaxMessage) + `"`), CodeTooLarge, ""}, // bytes of a whole text
	{"no UTF-8", request(`"type":"SourceInventoryRequest","x":"` + "\xff" + `"`), CodeUnreadable, ""},
	{"a name of few characters and many bytes", request(clone + `,"mode":"cold","target":{"pool":"` + strings.Repeat("é", MaxName/2+1) + `"}`), CodeInvalid, "target.pool"},
	{"cold and offline", request(clone + `,"mode":"cold","bulk_transfer":"offline"`), CodeInvalid, "bulk_transfer"}, // the schema knows what warm needs, not what cold lacks
}

func TestWhatIsNoRequestIsRefusedWithItsPlace(t *testing.T) {
	for _, c := range append(append([]refused(nil), badForms...), beyondSchema...) {
		t.Run(c.name, func(t *testing.T) {
			r, err := DecodeRequest([]byte(c.body))
			require.Nil(t, r)
			refusal := new(Refusal)
			require.ErrorAs(t, err, &refusal)
			p := refusal.Problems[0]
			assert.Equal(t, [2]string{c.code, c.field}, [2]string{p.Code, p.Field}, p.What)
			assert.NotEmpty(t, p.What)
			assert.NotEmpty(t, p.Fix)
			assert.NotContains(t, err.Error(), planted)
		})
	}
}

func TestWhoCanBeAnsweredIsAnsweredWhateverElseIsWrong(t *testing.T) {
	for _, body := range []string{
		request(`"type":"Weather"`), request(`"v":7,"type":"SourceInventoryRequest"`), request(`"type":"SourceCloneRequest"`),
	} {
		_, err := DecodeRequest([]byte(body))
		refusal := new(Refusal)
		require.ErrorAs(t, err, &refusal)
		assert.Equal(t, "r-1", refusal.RequestID)
		assert.True(t, refusal.Token.Equal(NewSecret(planted)))
	}
}

func TestAllThatIsWrongIsToldAtOnce(t *testing.T) {
	_, err := DecodeRequest([]byte(request(`"type":"SourceCloneRequest","mode":"hot","target":{"pool":1,"networks":[{}]}`)))
	assert.EqualError(t, err, `vm: it is missing (give a name); mode: there is no mode "hot" (give cold or warm); `+
		`target.pool: it is of the wrong kind (give a name); target.networks[0].from: it is missing (give a name); `+
		`target.networks[0].to: it is missing (give a name)`)
}

func TestNoMoreIsToldThanFitsAnAnswer(t *testing.T) {
	bad := strings.TrimSuffix(strings.Repeat(`{},`, MaxMappings), ",")
	_, err := DecodeRequest([]byte(request(`"type":"SourceCloneRequest","target":{"networks":[` + bad + `]}`)))
	refusal := new(Refusal)
	require.ErrorAs(t, err, &refusal)
	assert.Len(t, refusal.Problems, MaxErrors)
}

func TestATokenInTheWrongPlaceIsNotRepeated(t *testing.T) {
	for _, fields := range []string{
		`"type":"` + planted + `"`, clone + `,"mode":"` + planted + `"`, clone + `,"mode":"cold","use_case":"` + planted + `"`,
		clone + `,"mode":"warm","bulk_transfer":"x` + planted + `x"`,
	} {
		_, err := DecodeRequest([]byte(request(fields)))
		require.Error(t, err)
		assert.NotContains(t, err.Error(), planted[:8])
	}
}

func TestFieldsThatNobodyKnowsAreIgnored(t *testing.T) {
	for _, fields := range []string{
		`"type":"SourceInventoryRequest","colour":"red"`,
		clone + `,"mode":"cold","target":{"colour":{"deep":[1,2]}},"bulk_transfer":null`,
		clone + `,"mode":"cold","credentials":"a cold migration needs none"`,
	} {
		_, err := DecodeRequest([]byte(request(fields)))
		assert.NoError(t, err, fields)
	}
}

func TestAWholeNumberMayBeWrittenWithAPoint(t *testing.T) {
	r, err := DecodeRequest([]byte(`{"v":1.0,"type":"SourceInventoryRequest","request_id":"r","token":"t","page_size":1e1}`))
	require.NoError(t, err)
	assert.Equal(t, 10, r.(*InventoryRequest).PageSize)
}

func TestARequestSaysWhatWasWritten(t *testing.T) {
	r, err := DecodeRequest([]byte(request(`"type":"SourceCloneRequest","use_case":"ARM","vm":"db-01","mode":"warm","bulk_transfer":"offline",` +
		`"target":{"pool":"gold","datastore":"ds","adapter":"vmxnet3","networks":[{"from":"a","to":"b"}]},"credentials":{"user":"u","password":"p"}`)))
	require.NoError(t, err)
	assert.Equal(t, &CloneRequest{
		RequestHead: RequestHead{"r-1", NewSecret(planted)}, VM: "db-01", Mode: Warm, BulkTransfer: Offline,
		Target:      Target{Pool: "gold", Datastore: "ds", Adapter: "vmxnet3", Networks: []Mapping{{"a", "b"}}},
		Credentials: &Credentials{"u", NewSecret("p")},
	}, r)
}

func TestAMessageThatIsNoResponseIsRefused(t *testing.T) {
	for body, says := range map[string]string{
		`hello`: "no JSON object", `[]`: "no JSON object", ``: "no JSON object",
		`{"v":2,"type":"Heartbeat","response_id":"x"}`:                                         "version 2",
		`{"v":1,"type":"Weather","response_id":"x"}`:                                           `type "Weather"`,
		`{"v":1,"type":"Heartbeat"}`:                                                           "no response_id",
		`{"v":1,"type":"Heartbeat","response_id":"x","status":7}`:                              "not those of a Heartbeat",
		`{"v":1,"type":"SourceInventoryResponse","response_id":"x","page":3,"pages":2}`:        "page 3 of 2",
		fmt.Sprintf(`{"v":1,"type":"Heartbeat","status":%q}`, strings.Repeat("x", MaxMessage)): "bytes, more than",
	} {
		_, err := DecodeResponse([]byte(body))
		unreadable := new(UnreadableError)
		require.ErrorAs(t, err, &unreadable, body)
		assert.Contains(t, unreadable.What, says)
	}
}
