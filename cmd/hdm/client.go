package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/hdm-project/hdm/core/client"
	"github.com/hdm-project/hdm/core/protocol"
)

func newClient(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "client",
		Short: "Talk to HDM over its message bus",
		Long: `Talk to HDM over its message bus: an SQS queue for commands and one for responses.

The bus is found with --bus and a file that holds the first line which hdm serve
prints, or with --url, --region, --commands and --responses. The token comes
from that file, from --token-file, or from the variable HDM_BUS_TOKEN. Calls are
signed if AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are set.

The client reads and deletes every response in its queue, and after some minutes
anything else that is in it: give it one that nobody else reads.

Exit codes: 0 it is done, 1 the migration failed or HDM refused the request, 2
wrong usage, 3 SQS or the machine failed, or HDM did not answer in the time that
--for gives, 130 interrupted.`,
	}
	cmd.AddCommand(newClientInventory(t), newClientClone(t), newClientBulkDone(t), newClientWatch(t), newClientMigrations(t))
	return cmd
}

func newClientInventory(t *terminal) *cobra.Command {
	b, size := &busFlags{}, 0
	cmd := &cobra.Command{
		Use:   "inventory",
		Short: "List the VMs on premises, and why those that cannot be migrated cannot",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := b.check(); err != nil {
				return err
			}
			return b.with(cmd.Context(), &teller{terminal: t, bus: b}, func(ctx context.Context, c *client.Client) error {
				vms, err := c.Collect(ctx, b.request, size)
				if err != nil {
					return err
				}
				return t.inventory(vms, b.format)
			})
		},
	}
	b.register(cmd)
	b.registerRequest(cmd)
	cmd.Flags().IntVar(&size, "page-size", 0, "VMs in one response (default: as many as fit)")
	return cmd
}

func (t *terminal) inventory(vms []protocol.VM, format string) error {
	if format == "json" {
		return json.NewEncoder(t.out).Encode(vms)
	}
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VM\tPOWER\tCPUS\tMEMORY\tDISKS\tCAPACITY\tNETWORKS\tMIGRATABLE")
	for _, vm := range vms {
		var capacity int64
		for _, d := range vm.Disks {
			capacity += d.Capacity
		}
		can := "yes"
		if !vm.Migratable {
			can = "no: " + problems(vm.Reasons)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d MB\t%d\t%.1f GB\t%s\t%s\n", oneLine(vm.Name), vm.Power, vm.CPUs, vm.MemoryMB, len(vm.Disks),
			float64(capacity)/1e9, oneLine(strings.Join(vm.Networks, ", ")), oneLine(can))
	}
	return w.Flush()
}

func problems(all []protocol.Problem) string {
	var said []string
	for _, p := range all {
		text := p.What
		if p.Fix != "" {
			text += " (" + p.Fix + ")"
		}
		said = append(said, text)
	}
	return strings.Join(said, "; ")
}

// oneLine is a text of others that cannot move a terminal's cursor.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

func newClientClone(t *terminal) *cobra.Command {
	b, g, r := &busFlags{}, &guestFlags{}, protocol.CloneRequest{}
	var networks []string
	cmd := &cobra.Command{
		Use:   "clone VM",
		Short: "Migrate a VM, and tell how it goes until it has ended",
		Long: `Migrate a VM, and tell how it goes until it has ended.

A warm migration needs an administrator of the VM's guest: --user, and a file
with nothing but the password. If its data travels --bulk offline, it waits until
the data was brought to the cloud: then interrupt this command, say
hdm client bulk-done REQUEST --complete=true, and listen again with
--request REQUEST, which orders nothing a second time.`,
		Example: "  hdm client clone web-01 --bus bus.json --network \"VM Network=Cloud Net\"\n" +
			"  hdm client clone db-01 --bus bus.json --mode warm --bulk online --user root --password-file secret",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, n := range networks {
				from, to, ok := strings.Cut(n, "=")
				if !ok {
					return usage(fmt.Errorf("--network %q: write FROM=TO, a network on premises and one in the cloud", n))
				}
				r.Target.Networks = append(r.Target.Networks, protocol.Mapping{From: from, To: to})
			}
			if err := g.into(&r); err != nil {
				return err
			}
			if err := b.check(); err != nil {
				return err
			}
			r.RequestID, r.VM = b.request, args[0]
			return t.clone(cmd.Context(), b, r)
		},
	}
	b.register(cmd)
	b.registerRequest(cmd)
	g.register(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&networks, "network", nil, "FROM=TO: the cloud network for one on premises; once for each")
	f.StringVar(&r.Target.Pool, "pool", "", "resource pool in the cloud (default: HDM chooses)")
	f.StringVar(&r.Target.Datastore, "datastore", "", "datastore in the cloud (default: HDM chooses)")
	f.StringVar(&r.Target.Adapter, "adapter", "", "type of the network adapters in the cloud (default: HDM chooses)")
	return cmd
}

func (t *terminal) clone(ctx context.Context, b *busFlags, r protocol.CloneRequest) error {
	told := &teller{terminal: t, bus: b, statuses: r.RequestID, heartbeats: true}
	return b.with(ctx, told, func(ctx context.Context, c *client.Client) error {
		fmt.Fprintf(t.err, "hdm: waiting until HDM is ready; the request is %s\n", r.RequestID)
		if _, err := c.AwaitReady(ctx); err != nil {
			return err
		}
		told.heartbeats = false
		end, err := c.Migrate(ctx, r)
		if err != nil {
			return err
		}
		if end.State != "completed" {
			return &exitError{exitBroken, fmt.Errorf("the migration %s of %s: %s: %s", end.Migration, oneLine(end.VM), end.State,
				oneLine(cmp.Or(problems(end.Reasons), "HDM gives no reason")))}
		}
		return nil
	})
}

func newClientBulkDone(t *terminal) *cobra.Command {
	b, complete := &busFlags{}, false
	cmd := &cobra.Command{
		Use:   "bulk-done CLONE-REQUEST",
		Short: "Tell HDM whether the offline bulk transfer of a warm migration is complete",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("complete") {
				return usage(errors.New("--complete is missing: give --complete=true or --complete=false"))
			}
			if err := b.check(); err != nil {
				return err
			}
			return b.with(cmd.Context(), &teller{terminal: t, bus: b, statuses: b.request}, func(ctx context.Context, c *client.Client) error {
				_, err := c.TellBulkDone(ctx, b.request, args[0], complete)
				return err
			})
		},
	}
	b.register(cmd)
	b.registerRequest(cmd)
	cmd.Flags().BoolVar(&complete, "complete", false, "whether all data has arrived")
	return cmd
}

func newClientWatch(t *terminal) *cobra.Command {
	b := &busFlags{}
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Print heartbeats and statuses as they come, until interrupted",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := b.check(); err != nil {
				return err
			}
			return b.with(cmd.Context(), &teller{terminal: t, bus: b, heartbeats: true, all: true}, func(ctx context.Context, c *client.Client) error {
				err := c.Watch(ctx, func(protocol.Response) error { return nil })
				if errors.Is(err, context.DeadlineExceeded) {
					return nil // as --for says
				}
				return err
			})
		},
	}
	b.register(cmd)
	return cmd
}

// teller prints what a client hears.
type teller struct {
	*terminal
	bus        *busFlags
	heartbeats bool
	statuses   string // request_id whose responses are printed
	all        bool   // those to all requests are
}

// Heard implements client.Observer.
func (t *teller) Heard(r protocol.Response) {
	defer func() {
		if t.out.err() != nil {
			t.bus.stop()
		}
	}()
	h := r.Head()
	if _, beat := r.(*protocol.Heartbeat); beat && !t.heartbeats || !beat && !t.all && (t.statuses == "" || h.RequestID != t.statuses) {
		return
	}
	if t.bus.format == "json" {
		// An error of stdout is kept by output.
		_ = json.NewEncoder(t.out).Encode(r)
		return
	}
	fmt.Fprintf(t.out, "%s %s\n", h.Sent.Local().Format(time.TimeOnly), oneLine(line(r)))
}

func line(r protocol.Response) string {
	switch r := r.(type) {
	case *protocol.Heartbeat:
		return fmt.Sprintf("heartbeat %s %s", r.Status, r.Details)
	case *protocol.CloneResponse:
		text := fmt.Sprintf("%s %s %s %d%% %s", r.Migration, r.VM, r.State, r.Percent, cmp.Or(problems(r.Reasons), r.Shows))
		if len(r.Left) > 0 {
			text += "; left: " + strings.Join(r.Left, "; ")
		}
		return strings.TrimSpace(text)
	case *protocol.InventoryResponse:
		return fmt.Sprintf("inventory %s page %d of %d: %d VMs of %d", r.RequestID, r.Page, r.Pages, len(r.VMs), r.Total)
	case *protocol.BulkDoneResponse:
		return fmt.Sprintf("bulk transfer of %s complete: %t", r.Clone, r.Complete)
	case *protocol.ErrorResponse:
		return fmt.Sprintf("refused %s: %s", cmp.Or(r.RequestID, "the message "+r.MessageID), problems(r.Errors))
	}
	return string(protocol.TypeOf(r))
}

// Unreadable implements client.Observer.
func (t *teller) Unreadable(message string, err error) {
	fmt.Fprintf(t.err, "hdm: message %s: %v\n", oneLine(message), err)
}

// Trouble implements client.Observer.
func (t *teller) Trouble(err error) { fmt.Fprintf(t.err, "hdm: %v\n", err) }
