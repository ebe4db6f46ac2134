package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hdm-project/hdm/core/protocol"
	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/scenarios"
)

// catalogue is what the reports have to know of the clauses.
func catalogue() record.Catalogue {
	var all record.Catalogue
	for _, c := range scenarios.Clauses() {
		p := record.Promise{ID: c.ID, Guide: c.Guide, Must: c.Must, Together: c.How == scenarios.ByFamily}
		for _, part := range c.Parts {
			p.Parts = append(p.Parts, record.Part{ID: part.ID, What: part.What})
		}
		all = append(all, p)
	}
	return all
}

func newExplain(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "explain [CLAUSE or CLAUSE/PART]",
		Short: "Tell what a clause promises, which scenarios show it and how it is judged",
		Long:  "Tell what a clause promises, which scenarios show it and how it is judged. Without a clause, list them all.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return listClauses(t)
			}
			id, partID, _ := strings.Cut(args[0], "/")
			clause, ok := scenarios.FindClause(strings.ToUpper(id))
			if !ok {
				return usage(fmt.Errorf("there is no clause %q: `hdm explain` lists them", args[0]))
			}
			if partID != "" {
				part, ok := clause.Part(strings.ToLower(partID))
				if !ok {
					return usage(fmt.Errorf("clause %s has no part %q: `hdm explain %s` lists its parts", clause.ID, partID, clause.ID))
				}
				clause.Parts = []scenarios.Part{part}
			}
			return explain(t, clause)
		},
	}
}

func listClauses(t *terminal) error {
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	for _, c := range scenarios.Clauses() {
		fmt.Fprintf(w, "%s\t%s\t%s\n", c.ID, c.Guide, c.Must)
	}
	return w.Flush()
}

// judged says how each kind of clause is judged.
var judged = map[scenarios.How]string{
	scenarios.ByScenario: "a scripted run shows it",
	scenarios.ByProperty: "it holds in every run, whatever happens",
	scenarios.ByFamily:   "runs that differ in one setting show it together",
	scenarios.BySurface:  "API, console or command line shows it",
}

func explain(t *terminal, c scenarios.Clause) error {
	all, err := scenario.Embedded()
	if err != nil {
		return environment(fmt.Errorf("the scenarios in this program are broken: %w", err))
	}
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\t%s\n", c.ID, c.Must)
	fmt.Fprintf(w, "guide\t%s\n", c.Guide)
	fmt.Fprintf(w, "judged\t%s: %s\n", judged[c.How], c.See)
	for i, part := range c.Parts {
		label := "parts"
		if i > 0 {
			label = ""
		}
		fmt.Fprintf(w, "%s\t%s/%s: %s\n", label, c.ID, part.ID, part.What)
	}
	label := "shown by"
	for _, s := range all {
		for _, cover := range s.Covers {
			part := cover.Part()
			if cover.Clause() == c.ID && (part == "" || slices.ContainsFunc(c.Parts, func(p scenarios.Part) bool { return p.ID == part })) {
				fmt.Fprintf(w, "%s\t%s (%s): %s\n", label, run.Name(s), cover, s.Title)
				label = ""
			}
		}
	}
	if label != "" {
		fmt.Fprintf(w, "%s\tno scenario of its own\n", label)
	}
	return w.Flush()
}

func newSchema(t *terminal) *cobra.Command {
	schemas := map[string]func() ([]byte, error){"scenario": scenario.Schema, "world": scenario.WorldSchema, "messages": protocol.Schema}
	return &cobra.Command{
		Use:       "schema [scenario|world|messages]",
		Short:     "Print the JSON Schema (draft-07) of scenario files, of worlds, or of messages on the bus",
		ValidArgs: []string{"scenario", "world", "messages"},
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		RunE: func(_ *cobra.Command, args []string) error {
			of := "scenario"
			if len(args) > 0 {
				of = args[0]
			}
			text, err := schemas[of]()
			if err != nil {
				return environment(err)
			}
			_, err = t.out.Write(text)
			return err
		},
	}
}
