package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/hdm-project/hdm/reports"
)

func newReport(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "report FOLDER...",
		Short: "Print the page of runs whose reports were kept, of several folders as one",
		Long: `Print the page of runs whose reports were kept. Several folders make one page:
their clauses are judged together.`,
		Example: "  hdm report out/20260101T000000Z out/20260102T000000Z > both.html",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			err := reports.Again(t.out, catalogue(), args)
			if notKept := new(reports.NotKeptError); errors.As(err, &notKept) {
				return usage(err)
			}
			if err != nil {
				return environment(err)
			}
			return nil
		},
	}
}
