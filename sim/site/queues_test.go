package site

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/protocol"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/sqs"
)

func TestTheTraceTellsWhichMessageADeadLetterWas(t *testing.T) {
	w, trace := start(t, worlds(t)["pair"], Options{})
	w.Token = protocol.NewSecret("a-secret")
	require.NoError(t, w.SQS.CreateQueue("q", nil))
	for _, body := range []string{
		`{"QueueUrl": "http://sqs.invalid/000000000000/q", "MessageBody": "no JSON", "MessageAttributes": {"HDMMessageID": {"DataType": "String", "StringValue": "c-1"}}}`,
		`{"QueueUrl": "http://sqs.invalid/000000000000/q", "MessageBody": "no JSON"}`,
	} {
		w.SQS.Do(sqs.Request{
			Method: http.MethodPost, Path: "/", Host: "sqs.invalid", Header: http.Header{"X-Amz-Target": {"AmazonSQS.SendMessage"}}, Body: []byte(body),
		}, func(r sqs.Response) { assert.Equal(t, http.StatusOK, r.Status, "%s", r.Body) })
	}
	assert.Equal(t, []string{
		"q message=00000000-0000-4000-8000-000000000001 bytes=7 unreadable=true of=c-1",
		"q message=00000000-0000-4000-8000-000000000002 bytes=7 unreadable=true",
	}, said(*trace, event.SQSSent))
}
