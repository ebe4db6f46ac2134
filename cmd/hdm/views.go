package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/hdm-project/hdm/core/api"
)

// Limits of a question to the API.
const (
	mostAnswered = 16 << 20 // bytes
	answeredIn   = 30 * time.Second
)

func newClientMigrations(t *terminal) *cobra.Command {
	var address, format string
	cmd := &cobra.Command{
		Use:   "migrations",
		Short: "Print the views In Progress and Summary, as the API of HDM shows them",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, err := url.Parse(address)
			switch {
			case format != "text" && format != "json":
				return usage(fmt.Errorf("--format %q: choose text or json", format))
			case err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https":
				return usage(fmt.Errorf("--api %q: give the address that hdm serve prints, such as http://127.0.0.1:8080", address))
			}
			views, err := askViews(cmd.Context(), at.JoinPath(api.PathMigrations))
			switch {
			case cmd.Context().Err() != nil:
				return &exitError{code: exitInterrupted}
			case err != nil:
				return environment(fmt.Errorf("--api %q: %w", address, err))
			case format == "json":
				return json.NewEncoder(t.out).Encode(views)
			}
			return views.Print(t.out, time.Local)
		},
	}
	cmd.Flags().StringVar(&address, "api", "", "address of HDM's API")
	cmd.Flags().StringVar(&format, "format", "text", "what to print on stdout: text or json")
	return cmd
}

func askViews(ctx context.Context, at *url.URL) (*api.Migrations, error) {
	ctx, cancel := context.WithTimeout(ctx, answeredIn)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body := json.NewDecoder(io.LimitReader(answer.Body, mostAnswered))
	if answer.StatusCode != http.StatusOK {
		var said api.ErrorAnswer
		if err := body.Decode(&said); err != nil || said.Error == "" {
			said = api.ErrorAnswer{Error: "the answer is " + answer.Status, Fix: "check the address"}
		}
		return nil, fmt.Errorf("%s: %s", oneLine(said.Error), oneLine(said.Fix))
	}
	views := &api.Migrations{}
	if err := body.Decode(views); err != nil {
		return nil, fmt.Errorf("the answer is not that of HDM's API: %w", err)
	}
	return views, nil
}
