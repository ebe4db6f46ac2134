package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/sim/inventory"
	"github.com/hdm-project/hdm/sim/site"
)

// maxLossLines is how many lines of the table of losses are printed.
const maxLossLines = 20

func registerInventory(cmd *cobra.Command, folder *string) {
	cmd.Flags().StringVar(folder, "inventory", "", "folder that `govc object.save` wrote: the on-premises site")
}

// loadRun reads the scenarios of hdm run, with the inventory as their
// on-premises site if there is one.
func loadRun(cmd *cobra.Command, t *terminal, args []string, folder string) ([]*scenario.Scenario, error) {
	if !cmd.Flags().Changed("inventory") {
		return load(args)
	}
	onPremises, err := readInventory(t, folder)
	if err != nil {
		return nil, err
	}
	if len(args) == 0 {
		made, err := scenario.FromInventory(onPremises)
		if err != nil {
			return nil, usage(fmt.Errorf("--inventory %q: %w", folder, err))
		}
		return []*scenario.Scenario{made}, nil
	}
	return loadFiles(args, func(file string) (*scenario.Scenario, error) { return scenario.ParseOn(file, &onPremises) })
}

// readInventory reads a saved inventory and tells on stderr what was taken of it
// and what was lost. Every error is one of usage.
func readInventory(t *terminal, folder string) (site.Site, error) {
	if folder == "" {
		return site.Site{}, usage(errors.New("--inventory is empty: name the folder that govc object.save wrote"))
	}
	refuse := func(err error) (site.Site, error) {
		return site.Site{}, usage(fmt.Errorf("--inventory %q: %w", folder, err))
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return refuse(errors.New("there is no such folder: name the one that govc object.save wrote"))
		}
		return refuse(fmt.Errorf("it is no folder that can be read: %w", err))
	}
	defer root.Close()
	onPremises, losses, err := inventory.Load(root.FS())
	if err != nil {
		return refuse(err)
	}
	tellInventory(t.err, onPremises, losses)
	return onPremises, nil
}

// tellInventory prints a line of what was taken and a short table of what was
// lost: a line for each kind of loss.
func tellInventory(w io.Writer, s site.Site, losses []inventory.Loss) {
	fmt.Fprintf(w, "inventory: %d VMs, %d hosts, %d datastores, %d networks, %d pools\n",
		len(s.VMs), len(s.Hosts), len(s.Datastores), len(s.Networks), len(s.Pools))
	kinds := inventory.Summary(losses)
	if len(kinds) == 0 {
		return
	}
	fmt.Fprintln(w, "what a site cannot carry of it:")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, k := range kinds[:min(len(kinds), maxLossLines)] {
		of := k.First.Object
		if k.Count > 1 {
			of = fmt.Sprintf("%s and %d more", of, k.Count-1)
		}
		fmt.Fprintf(table, "  %s\t%s\t-> %s\n", of, k.First.What, k.First.Became)
	}
	table.Flush()
	if more := len(kinds) - maxLossLines; more > 0 {
		fmt.Fprintf(w, "  and %d more kinds of loss\n", more)
	}
}
