package vcenter

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// soaped is a call with this inside of its method.
func soaped(inside string) string {
	return `<?xml version="1.0"?><Envelope><Body><AcquireMksTicket><_this type="VirtualMachine">vm-1</_this>` + inside + `</AcquireMksTicket></Body></Envelope>`
}

func TestSecretsInABodyBecomeStars(t *testing.T) {
	never := func(string, string) bool { return false }
	for name, c := range map[string]struct{ inside, kept string }{
		"a password":             {`<password>hunter2</password>`, `<password>*****</password>`},
		"of a guest":             {`<auth xsi:type="NamePasswordAuthentication"><username>root</username><v:password a='b'>hunter2</v:password></auth>`, `<auth xsi:type="NamePasswordAuthentication"><username>root</username><v:password a='b'>*****</v:password></auth>`},
		"CDATA":                  {`<password><![CDATA[hunter2]]></password>`, `<password>*****</password>`},
		"after a comment":        {`<password>h<!-- x -->unter2</password>`, `<password>**********</password>`},
		"in a comment":           {`<a>b<!-- hunter2 --><?hunter2 hunter2?></a>`, `<a>b</a>`},
		"deeper":                 {`<sspiToken><part>hunter2</part></sspiToken>`, `<sspiToken><part>*****</part></sspiToken>`},
		"entities":               {`<secret>&#104;unter2</secret>`, `<secret>*****</secret>`},
		"an option":              {`<extraConfig><key>RemoteDisplay.vnc.password</key><value xsi:type="xsd:string">hunter2</value></extraConfig>`, `<extraConfig><key>RemoteDisplay.vnc.password</key><value xsi:type="xsd:string">*****</value></extraConfig>`},
		"an option, value first": {`<extraConfig><value>hunter2</value><key>Remote&#68;isplay.vnc.pass<!-- -->word</key></extraConfig>`, `<extraConfig><value>*****</value><key>Remote&#68;isplay.vnc.password</key></extraConfig>`},
		"another option":         {`<extraConfig><key>a.b</key><value>c</value></extraConfig>`, `<extraConfig><key>a.b</key><value>c</value></extraConfig>`},
		"none":                   {`<name>db-01</name>`, `<name>db-01</name>`},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, soaped(c.kept), withoutSecrets(soaped(c.inside), never))
		})
	}
	broken := soaped(`<password>hunter2`)
	assert.NotContains(t, withoutSecrets(broken[:strings.Index(broken, "</Acquire")], never), "hunter2")
	assert.NotContains(t, withoutSecrets(soaped(`<password>&hunter2;</password>`), never), "hunter2")
	assert.Equal(t, soaped(""), withoutSecrets(soaped("")+"<password>hunter2</password>", never), "nobody reads what is behind the envelope")
}

func TestSessionsThatAreHiddenCanBeShownAgainWhateverAClientWrote(t *testing.T) {
	keys := []string{"5d2c-01", "77aa-02"}
	number := func(k string) int { return map[string]int{keys[0]: 1, keys[1]: 20}[k] }
	key := func(n int) string { return map[int]string{1: keys[0], 20: keys[1]}[n] }
	parts := rapid.SampledFrom([]string{
		keys[0], keys[1], "{session 1}", "{session ", "{session written ", "{session hdm 000001}", "session-000012", "session-", "0000123", "{", "}", "written ", "1}", "hdm ", "x", "",
	})
	rapid.Check(t, func(t *rapid.T) {
		x := strings.Join(rapid.SliceOf(parts).Draw(t, "parts"), "")
		hidden := hideSessions(x, keys, number)
		for _, secret := range append(keys, "session-000012") {
			assert.NotContains(t, hidden, secret)
		}
		assert.Equal(t, x, showSessions(hidden, key))
	})
}

func TestAKeyIsHiddenThoughItIsWrittenWithEntities(t *testing.T) {
	d := &door{sessions: map[string]*visitor{"5d2c-01": {number: 7}}}
	assert.Equal(t, soaped(`<sessionId>{session 7}</sessionId><sessionId>{session hdm 000012}</sessionId>`),
		d.clean(soaped(`<sessionId>&#53;d2c-01</sessionId><sessionId>sessio&#110;-000012</sessionId>`)))
}
