//go:build check

package sqsclients

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const javaScriptSDK = "@aws-sdk/client-sqs@3.1175.0"

// run runs a client without anything of the user's that could tell it of another
// endpoint.
func run(t *testing.T, name string, args ...string) (out string, err error) {
	c := exec.Command(tool(t, name), args...)
	c.Env = append(os.Environ(),
		"AWS_ACCESS_KEY_ID=any", "AWS_SECRET_ACCESS_KEY=any", "AWS_DEFAULT_REGION=us-east-1", "AWS_REGION=us-east-1", "AWS_MAX_ATTEMPTS=1",
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=",
	)
	got, err := c.CombinedOutput()
	return string(got), err
}

func TestBoto3FindsWhatItExpects(t *testing.T) {
	_, err := run(t, "python3", "-c", "import boto3")
	require.NoError(t, err, "install what this test needs: apt install awscli python3-boto3 nodejs npm")
	out, err := run(t, "python3", "testdata/boto.py", serve(t))
	require.NoError(t, err, "%s", out)
	assert.Contains(t, out, "is content")
}

func TestTheJavaScriptSDKFindsWhatItExpects(t *testing.T) {
	out, err := run(t, "node", "testdata/sdk.mjs", npm(t, javaScriptSDK), serve(t))
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
