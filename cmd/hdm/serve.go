package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hdm-project/hdm/harness/loopback"
	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/scenarios"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/site"
)

// defaultWorld is served if no other is named.
const defaultWorld = "small"

// mostTrace bounds the events that a served world keeps on disk.
const mostTrace = 2_000_000

func newServe(t *terminal) *cobra.Command {
	var c common
	var speed float64
	var ports loopback.Ports
	var folder string
	cmd := &cobra.Command{
		Use:   "serve [WORLD or FILE]",
		Short: "Keep one world alive for clients of other hands, and record what they do",
		Long: `Keep one world alive on ports of the loopback address: both vCenters over TLS,
the message queues and HDM's API over HTTP. WORLD is a world of this program (default: ` + defaultWorld + `),
FILE a scenario: its world, in which its steps and faults act, too. The first
line on stdout is a JSON object with everything that a client needs.

Every call that changes something is recorded; hdm replay runs the recording
again, to the same hash. At --speed 0 the world goes on as fast as possible
while something is under way, and stands still otherwise. Ctrl-C ends it.`,
		Example: "  hdm serve\n  hdm serve twelve --speed 60\n  hdm serve my.yaml --seed 7 --sqs-port 9324",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.format, c.trace = "text", traceFailed
			if err := c.check(cmd); err != nil {
				return err
			}
			if err := checkSpeed(speed); err != nil {
				return err
			}
			for _, p := range []struct {
				flag string
				port int
			}{{"on-premises-port", ports.OnPremises}, {"cloud-port", ports.Cloud}, {"sqs-port", ports.SQS}, {"api-port", ports.API}} {
				if p.port < 0 || p.port > 65535 {
					return usage(fmt.Errorf("--%s %d: choose 1 to 65535, or 0 for any that is free", p.flag, p.port))
				}
			}
			var onPremises *site.Site
			if cmd.Flags().Changed("inventory") {
				read, err := readInventory(t, folder)
				if err != nil {
					return err
				}
				onPremises = &read
			}
			s, err := toServe(args, onPremises)
			if err != nil {
				return usage(err)
			}
			return serve(cmd.Context(), t, &c, s, append([]string{"serve"}, args...), loopback.Config{Scenario: s, Speed: speed, Ports: ports})
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.out, "out", "out", "folder for reports and the recording; each command makes a folder of its own in it")
	f.Uint64Var(&c.seed, "seed", 0, "seed of all that is left to chance (default: the scenario's own)")
	f.Float64Var(&speed, "speed", 1, "virtual seconds per second; 0 is as fast as what is under way allows")
	registerInventory(cmd, &folder)
	f.IntVar(&ports.OnPremises, "on-premises-port", 0, "port of the vCenter on premises; 0 is any that is free")
	f.IntVar(&ports.Cloud, "cloud-port", 0, "port of the vCenter in the cloud; 0 is any that is free")
	f.IntVar(&ports.API, "api-port", 0, "port of HDM's API; 0 is any that is free")
	f.IntVar(&ports.SQS, "sqs-port", 0, "port of the message queues; 0 is any that is free")
	return cmd
}

// checkSpeed says what is wrong with a --speed.
func checkSpeed(speed float64) error {
	if speed != 0 && !(speed >= minSpeed && speed <= maxSpeed) { // NaN, too
		return usage(fmt.Errorf("--speed %v: choose 0 (as fast as possible), 1 (real time), 60 (a minute per second), or any from %v to %.0f", speed, minSpeed, maxSpeed))
	}
	return nil
}

// toServe is what the arguments mean: a world of the program, or a scenario file;
// an inventory takes its place on premises, or is all there is.
func toServe(args []string, onPremises *site.Site) (*scenario.Scenario, error) {
	if len(args) == 0 && onPremises != nil {
		return scenario.Served(scenario.WithCloud(*onPremises))
	}
	name := append(args, defaultWorld)[0]
	if strings.ContainsAny(name, "./\\") {
		return scenario.ReadServed(name, onPremises)
	}
	if _, _, err := scenarios.World(name); err != nil {
		return nil, fmt.Errorf("%w, or name a scenario file", err)
	}
	s, err := scenario.ParseServed(name, fmt.Appendf(nil, "title: The world %s, served\nworld: %s\nsteps: []\n", name, name))
	if err != nil || onPremises == nil {
		return s, err
	}
	d := s.World.Description
	d.OnPremises = *onPremises
	return scenario.Served(d)
}

// serve serves a world until ctx is done, and tells what came of it.
func serve(ctx context.Context, t *terminal, c *common, s *scenario.Scenario, args []string, config loopback.Config) error {
	if err := c.checkOut(); err != nil {
		return err
	}
	began := time.Now()
	on, err := reports.ReadEnvironment(built())
	if err != nil {
		return environment(err)
	}
	folder, err := reports.NewFolder(c.out, began)
	if err != nil {
		return environment(err)
	}
	defer folder.Close()
	trace, err := folder.Trace(run.Name(s))
	if err != nil {
		return environment(err)
	}
	if c.seeded {
		config.Seed = &c.seed
	}
	config.Program, config.Folder = built().Version, folder.Path()
	config.Watch = func(*scenario.Scenario, uint64) run.Watcher { return &thin{trace: trace} }
	config.Broken = func(v record.Violation) {
		fmt.Fprintf(t.err, "VIOLATED %s %s t=%v: %s\n", v.Oracle, v.Subject, v.At, v.What)
	}
	world, err := loopback.Open(config)
	if err != nil {
		return environment(errors.Join(fmt.Errorf("%s: %w", run.Name(s), err), folder.Close(), os.Remove(folder.Path())))
	}
	info := world.Info()
	first, err := json.Marshal(info)
	if err != nil {
		return environment(err)
	}
	fmt.Fprintf(t.out, "%s\n%s", first, tryCommands(info, world.VMs()))
	failed := world.Run(ctx)
	r, byPeople, err := world.Close()
	if r.Verdict == record.Passed && errors.Join(failed, err) != nil {
		r.Verdict = record.Interrupted // by the machine: it was not watched to its end
	}
	r.WallSeconds = time.Since(began).Seconds()
	r.Replay = t.command("replay", asPath(info.Recording))
	for _, why := range byPeople {
		fmt.Fprintf(t.err, "by a person: %s\n", why)
	}
	suite := record.Suite{Seed: config.Seed, Runs: []record.Run{r}, Transport: string(site.Direct), Workers: 1, WallSeconds: r.WallSeconds}
	suite.Judge(catalogue())
	_ = reports.TextRun(t.out, &r) // output keeps the error
	command := reports.Command{
		Args: args, Started: began.UTC(), Seconds: r.WallSeconds, Seed: suite.Seed, Transport: suite.Transport,
		Workers: 1, Trace: c.trace, Scenarios: []string{r.Scenario}, On: on,
	}
	err = errors.Join(err, folder.Finish(command, &suite), folder.Close())
	fmt.Fprintf(t.err, "reports: %s\nrun it again: %s\n", folder.Path(), r.Replay)
	return outcome(&suite, errors.Join(failed, err))
}

// tryCommands are commands to try on a served world, for people: govc looks at a
// VM, awscli orders its migration and hears how HDM is.
func tryCommands(info loopback.Info, vms []string) string {
	if len(vms) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintln(&b, "# three commands to try, with govc and awscli:")
	at := strings.Replace(info.OnPremises.URL, "https://", fmt.Sprintf("https://%s:%s@", strings.ReplaceAll(info.OnPremises.User, "@", "%40"), info.OnPremises.Password), 1)
	fmt.Fprintf(&b, "GOVC_URL=%s GOVC_TLS_CA_CERTS=%s GOVC_PERSIST_SESSION=false govc vm.info %s\n", quote(at), quote(info.CA.File), quote(vms[0]))
	aws := fmt.Sprintf("AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_DEFAULT_REGION=%s aws --endpoint-url %s sqs", info.Region, info.SQS.URL)
	queue := func(name string) string { return info.SQS.URL + "/000000000000/" + name }
	request := fmt.Sprintf(`{"v": 1, "type": "SourceInventoryRequest", "request_id": "try-1", "token": %q}`, info.SQS.Token)
	fifo := ""
	if strings.HasSuffix(info.SQS.Commands, ".fifo") {
		fifo = " --message-group-id try --message-deduplication-id try-1"
	}
	fmt.Fprintf(&b, "%s send-message --queue-url %s%s --message-body %s\n", aws, queue(info.SQS.Commands), fifo, quote(request))
	fmt.Fprintf(&b, "%s receive-message --queue-url %s --wait-time-seconds 20 --max-number-of-messages 10\n", aws, queue(info.SQS.Responses))
	return b.String()
}

// thin keeps the trace of a world that may last: without its bulk, and not
// without end.
type thin struct {
	trace *reports.Trace
	kept  int
}

// Event implements run.Watcher.
func (w *thin) Event(e record.Event) {
	if bulk[e.Kind] || w.kept >= mostTrace {
		return
	}
	w.kept++
	w.trace.Add(&e, false)
}

// Driving implements run.Watcher.
func (w *thin) Driving(*kernel.Driver) {}

// Close implements run.Watcher.
func (w *thin) Close() error {
	w.trace.End()
	return nil
}
