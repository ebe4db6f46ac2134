package protocol

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// BenchmarkDecode is what a refusal and an accepted request cost, over and over.
func BenchmarkDecode(b *testing.B) {
	good := []byte(request(clone + `,"mode":"cold","target":{"pool":"p","networks":[{"from":"a","to":"b"}]}`))
	bad := []byte(request(clone + `,"mode":"hot"`))
	for b.Loop() {
		_, err := DecodeRequest(good)
		require.NoError(b, err)
		_, err = DecodeRequest(bad)
		require.Error(b, err)
	}
}

// mostSaid bounds what a refusal says of one problem.
const mostSaid = 1000

func FuzzDecodeRequest(f *testing.F) {
	for _, c := range badForms {
		f.Add([]byte(c.body))
	}
	f.Add([]byte(request(`"type":"SourceInventoryRequest","page_size":10`)))
	f.Add([]byte(`{"v":1,"request_id":"r-1","type":"SourceInventoryRequest"}`)) // whose token is wrong
	f.Add([]byte(request(clone + `,"mode":"cold","target":{"pool":"p","networks":[{"from":"a","to":"b"}]}`)))
	f.Add([]byte(request(clone + `,"mode":"warm","bulk_transfer":"online","credentials":{"user":"u","password":"p"}`)))
	f.Add([]byte(request(`"type":"BulkMigrationDoneRequest","clone_request_id":"r-0","complete":true`)))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := DecodeRequest(body)
		if err == nil {
			again, err := EncodeRequest(r)
			require.NoError(t, err)
			same, err := DecodeRequest(again)
			require.NoError(t, err)
			require.Equal(t, r, same)
			return
		}
		var refusal *Refusal
		if !errors.As(err, &refusal) || r != nil {
			t.Fatalf("%T, %v", err, r)
		}
		if n := len(refusal.Problems); n == 0 || n > MaxErrors {
			t.Fatalf("%d problems", n)
		}
		token := refusal.Token.text()
		for _, p := range refusal.Problems {
			if p.Code == "" || p.What == "" || p.Fix == "" || len(p.Field)+len(p.What)+len(p.Fix) > mostSaid {
				t.Fatalf("%+v", p)
			}
			// A short token may be a word of ours.
			if len(token) > 12 && strings.Contains(p.What, token) && !strings.Contains(requestTypes, token) {
				t.Fatalf("it says the token: %+v", p)
			}
		}
	})
}

func FuzzDecodeResponse(f *testing.F) {
	for _, r := range []Response{
		&Heartbeat{Status: Ready}, &InventoryResponse{Page: 1, Pages: 1, VMs: []VM{{Name: "a"}}}, &CloneResponse{State: "running"},
		&BulkDoneResponse{}, &ErrorResponse{Errors: []Problem{{What: "x"}}},
	} {
		r.Head().ResponseID = "x"
		body, err := EncodeResponse(r)
		require.NoError(f, err)
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := DecodeResponse(body)
		if err != nil {
			var unreadable *UnreadableError
			if !errors.As(err, &unreadable) || len(err.Error()) > mostSaid {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		again, err := EncodeResponse(r)
		if large := new(TooLargeError); errors.As(err, &large) {
			return // what was short in the message is written longer
		}
		require.NoError(t, err)
		same, err := DecodeResponse(again)
		require.NoError(t, err)
		assert.Equal(t, r, same)
	})
}
