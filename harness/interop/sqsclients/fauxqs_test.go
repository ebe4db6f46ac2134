//go:build check

package sqsclients

import (
	"bufio"
	"context"
	_ "embed"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/harness/interop/foreign"
	"github.com/hdm-project/hdm/harness/interop/sqstable"
)

const fauxqs = "fauxqs@1.9.2"

//go:embed testdata/fauxqs.mjs
var starter []byte

// TestFauxqsDoesWhatTheTableSays keeps the table honest: what it demands is not
// only our reading of the reference.
func TestFauxqsDoesWhatTheTableSays(t *testing.T) {
	client := sqstable.Client(startFauxqs(t), http.DefaultClient)
	idle, err := client.CreateQueue(context.Background(), &sqs.CreateQueueInput{QueueName: aws.String("idle")})
	require.NoError(t, err)
	for i, b := range sqstable.Table() {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			err := b.Try(sqstable.Env{
				Client: client, Prefix: "t" + string(rune('a'+i/26)) + string(rune('a'+i%26)) + "-",
				Pass:  func(d time.Duration) { pass(t, client, idle.QueueUrl, d) },
				Later: func(d time.Duration, f func()) { time.AfterFunc(d, f) },
			})
			why, known := differences[b.Name]
			if known {
				assert.Error(t, err, "it is no difference any more, take it out of the list: %s", why)
			} else {
				assert.NoError(t, err)
			}
		})
	}
}

func TestTheListedDifferencesAreOfTheTable(t *testing.T) {
	names := map[string]bool{}
	for _, b := range sqstable.Table() {
		names[b.Name] = true
	}
	for name := range differences {
		assert.True(t, names[name], name)
	}
}

// pass lets real time pass by polling a queue that stays empty.
func pass(t *testing.T, client *sqs.Client, url *string, d time.Duration) {
	out, err := client.ReceiveMessage(context.Background(), &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: int32(d / time.Second)})
	require.NoError(t, err)
	require.Empty(t, out.Messages)
}

func startFauxqs(t *testing.T) (url string) {
	dir := foreign.NPM(t, fauxqs)
	script := filepath.Join(t.TempDir(), "fauxqs.mjs")
	require.NoError(t, os.WriteFile(script, starter, 0o600))
	c := exec.Command(foreign.Tool(t, "node"), script, dir)
	in, err := c.StdinPipe()
	require.NoError(t, err)
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	c.Stderr = os.Stderr
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = c.Process.Kill() // it ends with its input, or so
		_ = c.Wait()         // what it says of being killed is no news
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "fauxqs did not start")
	return strings.TrimSpace(line)
}
