package component

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/vsphere"
)

func TestWhatIsSaidIsHeard(t *testing.T) {
	b := binding("m-1", "shop")
	c := Command{Key: "boot-1/7", Service: CloudCache, Epoch: 3, Verb: Bind, Bind: &b, Home: "HDM_OnPrem_ESXi_Manager-0", Stream: 4}
	roundTrip(t, c)
	roundTrip(t, Completion{Key: "k", Epoch: 3, State: Failed, Error: &Error{vsphere.Refused, "no", "go"}})
	roundTrip(t, Completion{Key: "k", State: Running, Progress: &vsphere.Progress{Bytes: 1, Total: 2, Percent: 50}})
	roundTrip(t, Command{Key: "k", Service: Supervisor, Verb: Start, Target: CloudCache})
	roundTrip(t, Completion{Key: "k", State: Done, Alive: &Alive{Boot: 2, Services: []Beat{{IOInterceptor, 3}}, Down: []Down{{CloudCache, "its device fails"}}}})
	roundTrip(t, Heartbeat{VM: "HDM_Cloud_Cache-0", Boot: 2, Services: []Beat{{CloudCache, 2}}, FlushWanted: []string{"m-1"}})
}

func roundTrip[M Message](t *testing.T, m M) {
	t.Helper()
	p, err := Encode(m)
	require.NoError(t, err)
	again, err := Decode[M](p)
	require.NoError(t, err)
	assert.Equal(t, m, again)
}

func TestWhatIsNoMessageIsRefused(t *testing.T) {
	for text, why := range map[string]string{
		``:                                    "EOF",
		`{}`:                                  "needs a key",
		`{"key":"k","service":"Cloud Cache"}`: "needs a key, a service and a verb",
		`{"key":"k","service":"s","verb":"v","x":1}`:                                                                          "unknown field",
		`{"key":"k","service":"s","verb":"v"} {}`:                                                                             "something follows",
		`{"key":"` + strings.Repeat("k", 300) + `","service":"s","verb":"v"}`:                                                 "limit",
		`{"key":"k","service":"s","verb":"v","ids":[""]}`:                                                                     "at least 1",
		`{"key":"k","service":"s","verb":"bind","binding":{"id":"m","source":"","disks":[],"quota":1}}`:                       "disks",
		`{"key":"k","service":"s","verb":"bind","binding":{"id":"m","source":"","disks":[{"key":1,"capacity":5}],"quota":1}}`: "multiple of 512",
		`{"key":"k","service":"Supervisor","verb":"start"}`:                                                                   "needs a target",
		`{"key":"k","service":"Supervisor","verb":"start","target":"` + strings.Repeat("t", 300) + `"}`:                       "limit",
		strings.Repeat(" ", MaxMessage+1):                                                                                     "more than",
	} {
		_, err := Decode[Command]([]byte(text))
		if assert.ErrorIs(t, err, ErrMessage, text) {
			assert.ErrorContains(t, err, why)
		}
	}
	_, err := Decode[Completion]([]byte(`{"key":"k","epoch":1,"state":"failed"}`))
	assert.ErrorIs(t, err, ErrMessage)
	_, err = Decode[Completion]([]byte(`{"key":"k","epoch":1,"state":"perhaps"}`))
	assert.ErrorIs(t, err, ErrMessage)
	for _, alive := range []string{
		`"services":[{"name":"","epoch":1}]`, `"services":[],"down":[{"name":"","why":""}]`,
		`"services":[],"down":[{"name":"s","why":"` + strings.Repeat("w", maxText+1) + `"}]`,
		`"services":[` + strings.Repeat(`{"name":"s","epoch":1},`, maxServices) + `{"name":"s","epoch":1}]`,
	} {
		_, err = Decode[Completion]([]byte(`{"key":"k","epoch":1,"state":"done","alive":{"boot":1,` + alive + `}}`))
		assert.ErrorIs(t, err, ErrMessage, alive[:min(len(alive), 60)])
	}
	_, err = Encode(Heartbeat{})
	assert.ErrorIs(t, err, ErrMessage)
	_, err = Encode(Heartbeat{VM: "v", Services: []Beat{{}}})
	assert.ErrorIs(t, err, ErrMessage)
}

func TestComponentVMsAreNamedAsTheGuideNamesThem(t *testing.T) {
	assert.Equal(t, "HDM_OnPrem_ESXi_Manager-0", PremESXi.Name(0))
	assert.Equal(t, "HDM Appliance", Appliance.Name(3))
	assert.Empty(t, Kind("other").Name(0))
	assert.Equal(t, vsphere.Cloud, CloudCacheVM.Site())
	assert.Equal(t, vsphere.Cloud, SiteOf("HDM_Cloud_Manager-1"))
	assert.Equal(t, vsphere.OnPremises, SiteOf("HDM_OnPrem_Manager-1"))
}

// Whatever comes over the link: it is refused as no message, or it is one that
// says the same when it is said again.
func FuzzMessages(f *testing.F) {
	for _, seed := range []string{
		`{"key":"boot-1/7","service":"Supervisor","verb":"ping"}`,
		`{"key":"boot-1/8","service":"Supervisor","verb":"start","target":"Cloud Cache"}`,
		`{"key":"k","service":"Cloud Cache","verb":"flush","ids":["m-1"]}`,
		`{"key":"k","epoch":1,"state":"done","alive":{"boot":2,"services":[{"name":"IO Interceptor","epoch":3}],"down":[{"name":"Cloud Cache","why":"its device fails"}]}}`,
		`{"key":"k","epoch":1,"state":"done","status":[{"id":"m-1","vm":"v","home":"h","last":1,"dirty":0,"quota":1,"cached":0,"changed":0,"damaged":"why"}]}`,
		`{"vm":"esx-1","boot":4,"services":[{"name":"IO Filter","epoch":2}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		again[Command](t, b)
		again[Completion](t, b)
		again[Heartbeat](t, b)
	})
}

func again[M Message](t *testing.T, b []byte) {
	m, err := Decode[M](b)
	if err != nil {
		assert.ErrorIs(t, err, ErrMessage)
		return
	}
	p, err := Encode(m)
	if err != nil {
		assert.ErrorIs(t, err, ErrMessage) // escaping can make it too long
		return
	}
	same, err := Decode[M](p)
	require.NoError(t, err)
	q, err := Encode(same)
	require.NoError(t, err)
	assert.Equal(t, string(p), string(q))
}
