package protocol

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var (
	drawID   = rapid.StringMatching(`[A-Za-z0-9._:/-]{1,80}`)
	drawName = rapid.StringN(1, 40, MaxName)
	drawText = rapid.OneOf(rapid.String(), rapid.Just("\ufffe\uffff<&>\u2028\x00"))
)

func drawRequest(t *rapid.T) Request {
	head := RequestHead{drawID.Draw(t, "request"), NewSecret(rapid.StringN(1, -1, 100).Draw(t, "token"))}
	switch rapid.IntRange(0, 2).Draw(t, "type") {
	case 0:
		return &InventoryRequest{head, rapid.IntRange(0, MaxPageSize).Draw(t, "size")}
	case 1:
		return &BulkDoneRequest{head, drawID.Draw(t, "clone"), rapid.Bool().Draw(t, "complete")}
	}
	maybe := rapid.OneOf(rapid.Just(""), drawName)
	r := &CloneRequest{
		RequestHead: head, VM: drawName.Draw(t, "vm"), Mode: rapid.SampledFrom([]Mode{Cold, Warm}).Draw(t, "mode"),
		Target: Target{Pool: maybe.Draw(t, "pool"), Datastore: maybe.Draw(t, "datastore"), Adapter: maybe.Draw(t, "adapter")},
	}
	for range rapid.IntRange(0, MaxMappings).Draw(t, "networks") {
		r.Target.Networks = append(r.Target.Networks, Mapping{drawName.Draw(t, "from"), drawName.Draw(t, "to")})
	}
	if r.Mode == Warm {
		r.BulkTransfer = rapid.SampledFrom([]BulkTransfer{Online, Offline}).Draw(t, "way")
		r.Credentials = &Credentials{drawName.Draw(t, "user"), NewSecret(drawName.Draw(t, "password"))}
	}
	return r
}

func drawProblems(t *rapid.T) []Problem {
	var all []Problem
	for range rapid.IntRange(1, 3).Draw(t, "problems") {
		all = append(all, Problem{drawText.Draw(t, "code"), drawText.Draw(t, "field"), drawText.Draw(t, "what"), drawText.Draw(t, "fix")})
	}
	return all
}

func drawVM(t *rapid.T) VM {
	v := VM{
		Name: drawText.Draw(t, "name"), UUID: "4210", Power: "poweredOn", Guest: "g", CPUs: rapid.Int32().Draw(t, "cpus"), Tools: "running",
		Disks: []Disk{}, Networks: []string{}, Migratable: rapid.Bool().Draw(t, "migratable"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "disks") {
		v.Disks = append(v.Disks, Disk{drawText.Draw(t, "label"), rapid.Int64Min(0).Draw(t, "capacity"), 1, "ds"})
		v.Networks = append(v.Networks, drawText.Draw(t, "network"))
	}
	if !v.Migratable {
		v.Reasons = drawProblems(t)
	}
	return v
}

func drawResponse(t *rapid.T) Response {
	sent := time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "sent"), 0).UTC()
	head := ResponseHead{ResponseID: "x" + drawText.Draw(t, "response"), ApplianceID: drawText.Draw(t, "appliance"), Sent: sent}
	switch rapid.IntRange(0, 4).Draw(t, "type") {
	case 0:
		return &Heartbeat{head, rapid.SampledFrom([]Status{Ready, NotReady}).Draw(t, "status"), drawText.Draw(t, "details"), 30}
	case 1:
		pages := rapid.IntRange(1, 9).Draw(t, "pages")
		r := &InventoryResponse{head, "reading", rapid.IntRange(1, pages).Draw(t, "page"), pages, 7, []VM{}}
		for range rapid.IntRange(0, 3).Draw(t, "vms") {
			r.VMs = append(r.VMs, drawVM(t))
		}
		return r
	case 2:
		state := rapid.SampledFrom([]string{"checking", "queued", "running", "undoing", "completed", "failed", "cancelled"}).Draw(t, "state")
		return &CloneResponse{head, "m-1", drawText.Draw(t, "vm"), Cold, state, "check", "shows",
			rapid.Int32Range(0, 100).Draw(t, "percent"), 1, rapid.Bool().Draw(t, "final"), rapid.Bool().Draw(t, "repeat"), drawProblems(t), nil}
	case 3:
		return &BulkDoneResponse{head, drawID.Draw(t, "clone"), rapid.Bool().Draw(t, "complete"), true}
	}
	return &ErrorResponse{head, drawText.Draw(t, "message"), NotReady, "down", drawProblems(t), rapid.Bool().Draw(t, "final"), rapid.Bool().Draw(t, "repeat")}
}

func TestARequestThatIsWrittenIsReadAsItWasAndFitsTheSchema(t *testing.T) {
	schema := compiled(t)
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t)
		body, err := EncodeRequest(r)
		require.NoError(t, err)
		got, err := DecodeRequest(body)
		require.NoError(t, err)
		assert.Equal(t, r, got)
		assert.NoError(t, valid(schema, body), "%s", body)
		assert.NotContains(t, string(body), "\uffff", "SQS takes it")
	})
}

func TestAResponseThatIsWrittenIsReadAsItWasAndFitsTheSchema(t *testing.T) {
	schema := compiled(t)
	rapid.Check(t, func(t *rapid.T) {
		r := drawResponse(t)
		body, err := EncodeResponse(r)
		require.NoError(t, err)
		got, err := DecodeResponse(body)
		require.NoError(t, err)
		assert.Equal(t, r, got)
		assert.NoError(t, valid(schema, body), "%s", body)
		assert.False(t, strings.ContainsAny(string(body), "\ufffe\uffff"), "SQS takes it")
	})
}

func TestARequestThatWouldBeRefusedIsNotWritten(t *testing.T) {
	_, err := EncodeRequest(&CloneRequest{RequestHead: RequestHead{"r-1", NewSecret(planted)}, Mode: "hot"})
	refusal := new(Refusal)
	require.ErrorAs(t, err, &refusal)
	assert.Len(t, refusal.Problems, 2)
	assert.NotContains(t, fmt.Sprintf("%+v", err), planted)
}

func TestAResponseThatIsTooLargeIsNotWritten(t *testing.T) {
	_, err := EncodeResponse(&Heartbeat{Details: strings.Repeat("x", MaxMessage)})
	large := new(TooLargeError)
	require.ErrorAs(t, err, &large)
	assert.Equal(t, TypeHeartbeat, large.Type)
}

func TestOnlyTheLastResponseToARequestIsFinal(t *testing.T) {
	for _, c := range []struct {
		r    Response
		last bool
	}{
		{&Heartbeat{}, false}, {&CloneResponse{}, false}, {&CloneResponse{Final: true}, true}, {&BulkDoneResponse{}, false}, {&BulkDoneResponse{Final: true}, true}, {&ErrorResponse{}, false},
		{&ErrorResponse{Final: true}, true}, {&InventoryResponse{Page: 1, Pages: 2}, false}, {&InventoryResponse{Page: 2, Pages: 2}, true},
	} {
		assert.Equal(t, c.last, Final(c.r), "%T", c.r)
	}
}

func TestTheInventoryIsSplitIntoPagesThatFitInItsOrder(t *testing.T) {
	vms := make([]VM, 10_000)
	for i := range vms {
		name := fmt.Sprintf("%05d-", i) + strings.Repeat("<", 40*(i%3)) // JSON writes each in six bytes
		vms[i] = VM{Name: name, Disks: make([]Disk, i%8), Networks: []string{strings.Repeat("é", 40)}}
	}
	for _, size := range []int{0, 1, 7, MaxPageSize} {
		pages, next := Split(vms, size), 0
		for i, page := range pages {
			require.NotEmpty(t, page)
			require.LessOrEqual(t, len(page), MaxPageSize)
			if size > 0 {
				require.LessOrEqual(t, len(page), size)
			}
			_, err := EncodeResponse(&InventoryResponse{
				ResponseHead: ResponseHead{ResponseID: strings.Repeat("x", 200), RequestID: strings.Repeat("x", MaxRequestID)},
				Reading:      strings.Repeat("x", 200), Page: i + 1, Pages: len(pages), Total: len(vms), VMs: page,
			})
			require.NoError(t, err)
			for _, vm := range page {
				require.Equal(t, vms[next].Name, vm.Name)
				next++
			}
		}
		assert.Equal(t, len(vms), next)
	}
}

func TestAnInventoryOfNothingHasOneEmptyPage(t *testing.T) {
	pages := Split(nil, 0)
	require.Len(t, pages, 1)
	assert.Empty(t, pages[0])
	body, err := EncodeResponse(&InventoryResponse{ResponseHead: ResponseHead{ResponseID: "x"}, Page: 1, Pages: 1, VMs: pages[0]})
	require.NoError(t, err)
	assert.NoError(t, valid(compiled(t), body), "%s", body)
	assert.True(t, json.Valid(body))
}

func TestEveryPageOfNamesThatGrowWhenTheyAreWrittenFitsIntoAMessage(t *testing.T) {
	var vms []VM
	for range 2000 {
		vms = append(vms, VM{Name: strings.Repeat("\uFFFE", 80)})
	}
	for _, page := range Split(vms, 0) {
		_, err := EncodeResponse(&InventoryResponse{VMs: page, Page: 1, Pages: 1})
		require.NoError(t, err)
	}
}
