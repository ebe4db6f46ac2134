//go:build check

package sqsclients

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/interop/foreign"
)

func run(t *testing.T, name string, args ...string) (out string, err error) {
	c := exec.Command(foreign.Tool(t, name), args...)
	c.Env = foreign.Env()
	got, err := c.CombinedOutput()
	return string(got), err
}

func TestBoto3FindsWhatItExpects(t *testing.T) {
	foreign.Python(t)
	out, err := run(t, "python3", "testdata/boto.py", serve(t))
	require.NoError(t, err, "%s", out)
	assert.Contains(t, out, "is content")
}

func TestTheJavaScriptSDKFindsWhatItExpects(t *testing.T) {
	out, err := run(t, "node", "testdata/sdk.mjs", foreign.NPM(t, foreign.JavaScriptSDK), serve(t))
	require.NoError(t, err, "%s", out)
	assert.Contains(t, out, "is content")
}

// cli is awscli and an endpoint.
type cli struct {
	*testing.T
	url string
}

func (c cli) do(args ...string) map[string]any {
	out, err := run(c.T, "aws", append([]string{"--endpoint-url", c.url, "--output", "json", "sqs"}, args...)...)
	require.NoError(c, err, "%v: %s", args, out)
	if strings.TrimSpace(out) == "" {
		return nil
	}
	var got map[string]any
	require.NoError(c, json.Unmarshal([]byte(out), &got), "%s", out)
	return got
}

func (c cli) refused(code string, args ...string) {
	out, err := run(c.T, "aws", append([]string{"--endpoint-url", c.url, "sqs"}, args...)...)
	require.Error(c, err, "%v: %s", args, out)
	assert.Contains(c, out, "("+code+")")
}

func TestAWSCLIFindsWhatItExpects(t *testing.T) {
	c := cli{t, serve(t)}
	url := c.do("create-queue", "--queue-name", "cli", "--attributes", "VisibilityTimeout=60")["QueueUrl"].(string)
	assert.Equal(t, c.url+"/000000000000/cli", url)
	assert.Equal(t, []any{url}, c.do("list-queues")["QueueUrls"])

	sent := c.do("send-message", "--queue-url", url, "--message-body", "<ä>", "--message-attributes", `{"a":{"DataType":"String","StringValue":"x"}}`)
	m := c.do("receive-message", "--queue-url", url, "--wait-time-seconds", "5", "--attribute-names", "All", "--message-attribute-names", "All")["Messages"].([]any)[0].(map[string]any)
	assert.Equal(t, "<ä>", m["Body"])
	assert.Equal(t, sent["MessageId"], m["MessageId"])
	assert.Equal(t, sent["MD5OfMessageAttributes"], m["MD5OfMessageAttributes"])
	assert.Equal(t, "1", m["Attributes"].(map[string]any)["ApproximateReceiveCount"])
	assert.Nil(t, c.do("receive-message", "--queue-url", url, "--wait-time-seconds", "1"), "a long poll that ends empty")
	c.do("delete-message", "--queue-url", url, "--receipt-handle", m["ReceiptHandle"].(string))

	batch := c.do("send-message-batch", "--queue-url", url, "--entries", `[{"Id":"a","MessageBody":"1"},{"Id":"b","MessageBody":"2"}]`)
	assert.Len(t, batch["Successful"], 2)
	got := c.do("get-queue-attributes", "--queue-url", url, "--attribute-names", "All")["Attributes"].(map[string]any)
	assert.Equal(t, "2", got["ApproximateNumberOfMessages"])
	assert.Equal(t, "60", got["VisibilityTimeout"])

	c.refused("AWS.SimpleQueueService.NonExistentQueue", "get-queue-url", "--queue-name", "none")
	c.refused("ReceiptHandleIsInvalid", "delete-message", "--queue-url", url, "--receipt-handle", "nonsense")
	c.refused("InvalidAttributeValue", "set-queue-attributes", "--queue-url", url, "--attributes", "DelaySeconds=901")
}
