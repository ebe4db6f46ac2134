package loopback

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hdm-project/hdm/harness/recording"
)

const testToken = "0123456789abcdef0123456789abcdef"

func hider() *bus {
	b := &bus{}
	b.Token = testToken
	b.hide, b.show = hiding(testToken)
	return b
}

func TestWhatIsHiddenCanBeShownAgainWhateverAClientWrote(t *testing.T) {
	hide, show := hiding(testToken)
	parts := rapid.SampledFrom([]string{
		testToken, tokenMark, markBegins, markWritten, "}", "{", ", written", "{message", " bus token", testToken[:9], testToken[9:], "x", "é", "",
	})
	rapid.Check(t, func(t *rapid.T) {
		x := strings.Join(rapid.SliceOf(parts).Draw(t, "parts"), "")
		hidden := hide.Replace(x)
		assert.NotContains(t, hidden, testToken)
		assert.Equal(t, x, show.Replace(hidden))
	})
}

// asks is a call of the JSON protocol that sends a message.
func asks(t *testing.T, message string) *recording.QueueCall {
	body, err := json.Marshal(map[string]any{"QueueUrl": "http://h/000000000000/q", "Entries": []any{map[string]any{"Id": "1", "MessageBody": message}}})
	require.NoError(t, err)
	return &recording.QueueCall{Method: http.MethodPost, Path: "/", Header: map[string]string{"X-Amz-Target": "AmazonSQS.SendMessageBatch"}, Body: string(body)}
}

// message is that of a call that asks made.
func message(t *testing.T, c *recording.QueueCall) string {
	var in struct {
		Entries []struct{ MessageBody string }
	}
	require.NoError(t, json.Unmarshal([]byte(c.Body), &in))
	return in.Entries[0].MessageBody
}

func TestPasswordsInMessagesBecomeStarsAndMessagesStayAsLongAsTheyWere(t *testing.T) {
	for name, c := range map[string]struct{ message, kept string }{
		"credentials":         {`{"credentials":{"user":"root","password":"hunter2"},"vm":"a"}`, `{"credentials":{"user":"root","password":"*******"},"vm":"a"}`},
		"escapes":             {`{"password" : "hunter2\u0041\""}`, `{"password" : "*********"      }`},
		"an escaped name":     {`{"pass\u0077ord":"hunter2"}`, `{"pass\u0077ord":"*******"}`},
		"no string":           {`{"password":1234,"n":1234}`, `{"password":1111,"n":1234}`},
		"a list":              {`{"password":["hunter2",{"a":"hunter2"}],"n":"x"}`, `{"password":["*******",{"a":"*******"}],"n":"x"}`},
		"one that breaks off": {`{"password":"hunter2`, `{"password":"*******`},
		"a quote too many":    {`{"password":"hun"ter2","n":"x"}`, `{"password":"***"****"*"*"*"*"*`},
		"none":                {`{"n":"password","m":"hunter"}`, `{"n":"password","m":"hunter"}`},
	} {
		t.Run(name, func(t *testing.T) {
			b := hider()
			assert.Equal(t, c.kept, message(t, b.hidden(asks(t, c.message))))
			assert.Len(t, c.kept, len(c.message))
			form := url.Values{"Action": {"SendMessage"}, "MessageBody": {c.message}}.Encode()
			kept := b.hidden(&recording.QueueCall{Body: form, Query: form})
			for _, text := range []string{kept.Body, kept.Query} {
				values, err := url.ParseQuery(text)
				require.NoError(t, err)
				assert.Equal(t, c.kept, values.Get("MessageBody"))
			}
		})
	}
}

func TestABrokenMessageWithoutItsPasswordIsWrongAtTheSameByte(t *testing.T) {
	parts := rapid.SampledFrom([]string{`{`, `}`, `"`, `"password":`, `"a":`, `:`, `,`, `[`, `]`, `\`, `\u`, `\u0041`, `\n`, `\q`, `00e1`, `9`, `-`, "\n", "hunter", "é", " ", `"x"`})
	b := hider()
	rapid.Check(t, func(t *rapid.T) {
		x := `{"password":"` + strings.Join(rapid.SliceOf(parts).Draw(t, "parts"), "")
		kept := b.message(x)
		require.Len(t, kept, len(x))
		var any any
		was, is := new(json.SyntaxError), new(json.SyntaxError)
		require.Equal(t, errors.As(json.Unmarshal([]byte(x), &any), &was), errors.As(json.Unmarshal([]byte(kept), &any), &is), kept)
		require.Equal(t, was.Offset, is.Offset, kept)
	})
}

func TestTheTokenIsHiddenHoweverItIsWritten(t *testing.T) {
	b := hider()
	disguised := `\u0030` + testToken[1:]
	for _, m := range []string{`{"token":"` + testToken + `"}`, `{"token":"` + disguised + `"}`} {
		c := asks(t, m)
		kept := b.hidden(c)
		assert.Contains(t, kept.Body, tokenMark)
		again := message(t, b.shown(kept))
		assert.JSONEq(t, m, again)
		assert.Len(t, again, len(m))
	}
	kept := b.hidden(&recording.QueueCall{
		Path: "/" + testToken, Query: "a=" + testToken, Host: testToken, Header: map[string]string{"Content-Type": testToken}, Body: "a=0%31" + testToken[2:],
	})
	assert.Equal(t, &recording.QueueCall{
		Path: "/" + tokenMark, Query: "a=" + tokenMark, Host: tokenMark, Header: map[string]string{"Content-Type": tokenMark}, Body: "a=" + tokenMark,
	}, kept)
}

func TestAFormThatCannotBeReadKeepsNothingOfWhatIsWrong(t *testing.T) {
	kept := hider().hidden(&recording.QueueCall{Body: "a=1&MessageBody=hunter2%zz&b=hunter2;c"})
	assert.Equal(t, "a=1&;&;", kept.Body)
	_, err := url.ParseQuery(kept.Body)
	assert.Error(t, err, "it cannot be read again either")
}
