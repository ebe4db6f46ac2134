package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"

	"github.com/hdm-project/hdm/core/bus"
	"github.com/hdm-project/hdm/core/client"
	"github.com/hdm-project/hdm/core/protocol"
	"github.com/hdm-project/hdm/core/runtime"
)

// busFlags say where a message bus is, and how the client that uses it prints.
type busFlags struct {
	file                             string
	url, region, commands, responses string
	tokenFile                        string
	token                            protocol.Secret
	request, format                  string
	last                             time.Duration
	runtime                          *runtime.Live
	stop                             context.CancelFunc // ends the client
}

// tokenVariable holds the token if no file does. It is never a flag: whoever may
// list processes could read it.
const tokenVariable = "HDM_BUS_TOKEN"

// mostRead bounds the files that say how to reach a bus.
const mostRead = 1 << 20

func (b *busFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&b.file, "bus", "", "file that says all of the below, as the first line that hdm serve prints")
	f.StringVar(&b.url, "url", "", "address of SQS (default: that of AWS in the region)")
	f.StringVar(&b.region, "region", "", "AWS region")
	f.StringVar(&b.commands, "commands", "", "name of the command queue")
	f.StringVar(&b.responses, "responses", "", "name of the response queue; this client is its only reader")
	f.StringVar(&b.tokenFile, "token-file", "", "file with the message bus token (default: the variable "+tokenVariable+")")
	f.DurationVar(&b.last, "for", 0, "end after so long (default: no limit)")
	f.StringVar(&b.format, "format", "text", "what to print on stdout: text or json")
}

func (b *busFlags) registerRequest(cmd *cobra.Command) {
	cmd.Flags().StringVar(&b.request, "request", "", "request_id, by which a request that is made twice is one (default: a new one)")
}

// busFile is the form of a file for --bus. What else it says is ignored.
type busFile struct {
	Region string `json:"region"`
	SQS    struct {
		URL       string `json:"url"`
		Commands  string `json:"commands"`
		Responses string `json:"responses"`
		Token     string `json:"token"`
	} `json:"sqs"`
}

// check completes the flags from the file and the environment.
func (b *busFlags) check() error {
	switch {
	case b.format != "text" && b.format != "json":
		return usage(fmt.Errorf("--format %q: choose text or json", b.format))
	case b.last < 0:
		return usage(fmt.Errorf("--for %v: give a time from now on, such as 90s or 14m", b.last))
	}
	token := os.Getenv(tokenVariable)
	if b.file != "" {
		var said busFile
		text, err := readSmall(b.file)
		if err == nil {
			err = json.NewDecoder(bytes.NewReader(text)).Decode(&said)
		}
		if err != nil { // what it holds is not shown: there is a token in it
			return usage(fmt.Errorf("--bus %q: it cannot be read as JSON: give it the first line that hdm serve prints: %w", b.file, err))
		}
		b.region, b.url = cmp.Or(b.region, said.Region), cmp.Or(b.url, said.SQS.URL)
		b.commands, b.responses = cmp.Or(b.commands, said.SQS.Commands), cmp.Or(b.responses, said.SQS.Responses)
		token = cmp.Or(said.SQS.Token, token)
	}
	if b.tokenFile != "" {
		text, err := readSmall(b.tokenFile)
		if err != nil {
			return usage(fmt.Errorf("--token-file %q: %w", b.tokenFile, err))
		}
		token = strings.TrimSpace(string(text))
	}
	b.token = protocol.NewSecret(token)
	return b.complete()
}

// complete says what is missing.
func (b *busFlags) complete() error {
	for _, need := range []struct{ flag, has string }{{"commands", b.commands}, {"responses", b.responses}, {"region", b.region}} {
		if need.has == "" {
			return usage(fmt.Errorf("--%s is missing: give it, or --bus with a file that says it", need.flag))
		}
	}
	if b.token.Empty() {
		return usage(fmt.Errorf("there is no message bus token: give --token-file, or set %s (it is no flag, since others may see the flags of a process)", tokenVariable))
	}
	b.runtime = runtime.NewLive()
	if b.request == "" {
		b.request = fmt.Sprintf("hdm-%08x", b.runtime.Rand("request").Uint32())
	}
	return nil
}

func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, mostRead+1))
	if err == nil && len(text) > mostRead {
		err = fmt.Errorf("it has more than %d bytes", mostRead)
	}
	return text, err
}

// endpoint is SQS with the credentials that the environment has; without any,
// calls are not signed.
func (b *busFlags) endpoint() (bus.Endpoint, error) {
	e := bus.Endpoint{URL: b.url, Region: b.region}
	key, secret := os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY")
	if (key == "") != (secret == "") {
		return e, usage(errors.New("one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set and the other is not: set both, or neither"))
	}
	if key != "" {
		session := os.Getenv("AWS_SESSION_TOKEN")
		e.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: key, SecretAccessKey: secret, SessionToken: session, Source: "environment"}, nil
		})
	}
	return e, nil
}

// with opens the bus and does something on it, for as long as --for allows.
func (b *busFlags) with(ctx context.Context, o client.Observer, do func(context.Context, *client.Client) error) error {
	endpoint, err := b.endpoint()
	if err != nil {
		return err
	}
	within, stop := context.WithCancel(ctx)
	defer stop()
	b.stop = stop
	if b.last > 0 {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(within, b.last)
		defer cancel()
	}
	c, err := client.Open(within, client.Config{
		Runtime: b.runtime, Endpoint: endpoint, Commands: b.commands, Responses: b.responses, Token: b.token, Observer: o,
	})
	if err == nil {
		err = do(within, c)
	}
	return b.ended(ctx, within, err)
}

// ended gives what a client ended with its exit code.
func (b *busFlags) ended(ctx, within context.Context, err error) error {
	typed, refused, refusal := new(exitError), new(client.RefusedError), new(protocol.Refusal)
	switch {
	case err == nil || errors.As(err, &typed):
		return err
	case ctx.Err() != nil:
		return &exitError{code: exitInterrupted}
	case errors.Is(within.Err(), context.Canceled):
		return nil // nobody reads what it prints: output keeps the error
	case errors.Is(within.Err(), context.DeadlineExceeded):
		return environment(fmt.Errorf("--for %v is over before HDM has answered; ask again with --request %s to hear more", b.last, b.request))
	case errors.As(err, &refused):
		return &exitError{exitBroken, err}
	case errors.As(err, &refusal):
		return usage(err)
	}
	return environment(err)
}
