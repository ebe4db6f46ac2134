// Package loopback serves one world to clients of other hands: both vCenters over
// TLS and the message queues over HTTP, on ports of the loopback address.
//
//	govc, PowerCLI --TLS--> vCenters --+                        +--> recording
//	awscli, boto3 --HTTP--> queues ----+--> the kernel's inbox --+--> the world
//	                                                            (between events)
//	hdm client --HTTP-----> API -------+--> (looks only)
//	recording --> Replay --> the same world, to the same hash
//
// It decides how a foreign call gets into the world and how it is done again. It
// never decides what a call does (sim/vcenter, sim/sqs), nor what the appliance
// makes of it. Everything but the servers runs on the goroutine that calls Run.
//
// Read this file, then gate.go (calls to vCenters), queues.go (calls to the
// queues), hidden.go (what a recording has for secrets), http.go (the servers),
// replay.go.
package loopback

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/hdm-project/hdm/harness/recording"
	"github.com/hdm-project/hdm/harness/run"
	"github.com/hdm-project/hdm/harness/scenario"
	"github.com/hdm-project/hdm/reports/record"
	"github.com/hdm-project/hdm/sim/kernel"
	"github.com/hdm-project/hdm/sim/site"
)

// Config says what is served, and where.
type Config struct {
	Scenario *scenario.Scenario // its world; its steps and faults act, too
	Seed     *uint64            // the scenario's own if nil
	Speed    float64            // virtual seconds per second; 0: as fast as what goes on allows
	Program  string             // version of the program, for the recording
	Folder   string             // an existing folder for the recording and the CA
	Ports    Ports
	Watch    func(*scenario.Scenario, uint64) run.Watcher // see run.Options
	Broken   func(record.Violation)                       // see run.NewLive
}

// Ports of the loopback address; 0: any that is free.
type Ports struct{ OnPremises, Cloud, SQS, API int }

// region is that of the served SQS. Signatures, which depend on it, are not
// looked at.
const region = "us-east-1"

// Names of the files in Config.Folder.
const (
	recordingName = "served.recording.jsonl"
	caName        = "ca.pem"
)

// World is a world that is served.
type World struct {
	live    *run.Live
	bus     *bus
	writer  *recording.Writer
	servers []closer
	info    Info

	ctx context.Context // ends with the world
	end context.CancelCauseFunc
}

type closer interface{ Close() error }

// Info is what a client needs to know.
type Info struct {
	OnPremises VCenter `json:"on-premises"`
	Cloud      VCenter `json:"cloud"`
	CA         CA      `json:"ca"`
	SQS        SQS     `json:"sqs"`
	Region     string  `json:"region"` // of SQS
	API        string  `json:"api"`    // address of HDM's own
	Seed       uint64  `json:"seed"`
	Speed      float64 `json:"speed"`
	Recording  string  `json:"recording"` // path of the file
}

// VCenter is where one is, and who may log in.
type VCenter struct {
	URL      string `json:"url"`
	User     string `json:"user"`
	Password string `json:"password"`
}

// CA is what to trust.
type CA struct {
	PEM  string `json:"pem"`
	File string `json:"file"` // path of a file with the same
}

// SQS is where the queues are.
type SQS struct {
	URL         string `json:"url"`
	Commands    string `json:"commands"` // names of the queues
	Responses   string `json:"responses"`
	DeadLetters string `json:"dead_letters"`
	Token       string `json:"token"` // of the message bus
}

// Open builds the world and begins to serve it; it stands still until Run. When
// it fails, nothing is left.
func Open(c Config) (_ *World, err error) {
	w := &World{}
	w.ctx, w.end = context.WithCancelCause(context.Background())
	w.live, err = run.NewLive(c.Scenario, run.Options{Seed: c.Seed, Speed: c.Speed, Transport: site.Direct, Watch: c.Watch, Token: token()}, c.Broken)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.discard())
		}
	}()
	world := w.live.World()
	w.info.Seed, w.info.Speed = world.Kernel.Seed(), c.Speed
	w.bus = newBus(w.live)
	if err := w.record(c); err != nil {
		return nil, err
	}
	if err := w.serve(world, c); err != nil {
		return nil, err
	}
	w.live.Driver().Within(w.horizon)
	return w, nil
}

// record begins the recording.
func (w *World) record(c Config) error {
	text, err := portable(c.Scenario)
	if err != nil {
		return err
	}
	w.info.Recording = filepath.Join(c.Folder, recordingName)
	w.writer, err = recording.Begin(w.info.Recording, recording.Header{
		Program: c.Program, Seed: w.info.Seed, Transport: string(site.Direct), Scenario: string(text),
	})
	return err
}

// portable is the scenario as text that needs no file beside it.
func portable(s *scenario.Scenario) ([]byte, error) {
	whole := *s
	if filepath.Ext(whole.World.Name) != "" {
		whole.World.Name = ""
	}
	return scenario.Format(&whole)
}

// serve opens the ports.
func (w *World) serve(world *site.World, c Config) error {
	for _, p := range []struct {
		place *site.Place
		port  int
		info  *VCenter
	}{{world.OnPremises, c.Ports.OnPremises, &w.info.OnPremises}, {world.Cloud, c.Ports.Cloud, &w.info.Cloud}} {
		listener, err := listen(p.port, string(p.place.Site))
		if err != nil {
			return err
		}
		server, err := p.place.VCenter.ServeForeign(listener, &gate{w, p.place})
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		w.servers = append(w.servers, server)
		address := *server.URL
		address.User = nil
		*p.info = VCenter{address.String(), server.User, server.Password}
		w.info.CA.PEM += string(server.CA)
	}
	w.info.CA.File = filepath.Join(c.Folder, caName)
	if err := os.WriteFile(w.info.CA.File, []byte(w.info.CA.PEM), 0o644); err != nil {
		return fmt.Errorf("writing what to trust: %w", err)
	}
	listener, err := listen(c.Ports.SQS, "message queues")
	if err != nil {
		return err
	}
	w.servers = append(w.servers, serveHTTP(listener, &window{w: w, bus: w.bus}))
	w.info.SQS = SQS{
		URL: "http://" + listener.Addr().String(), Commands: w.bus.Commands, Responses: w.bus.Responses, DeadLetters: w.bus.DeadLetters, Token: w.bus.Token,
	}
	w.info.Region = region
	if listener, err = listen(c.Ports.API, "the API"); err != nil {
		return err
	}
	w.servers = append(w.servers, serveHTTP(listener, newViews(w)))
	w.info.API = "http://" + listener.Addr().String()
	return nil
}

// PortError says that a port cannot be had.
type PortError struct {
	Port int
	For  string
	Err  error
}

func (e *PortError) Error() string {
	return fmt.Sprintf("port %d of the loopback address cannot be had for %s: %v: choose another, or 0 for any", e.Port, e.For, e.Err)
}

func (e *PortError) Unwrap() error { return e.Err }

func listen(port int, what string) (net.Listener, error) {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, &PortError{port, what, err}
	}
	return bound(l), nil
}

// Info is what a client needs to know.
func (w *World) Info() Info { return w.info }

// VMs are the names of those on premises, for who wants to try something.
func (w *World) VMs() (names []string) {
	for _, v := range w.live.World().OnPremises.VCenter.VMs() {
		names = append(names, v.Name)
	}
	return names
}

// Driver changes the pace, from any goroutine.
func (w *World) Driver() *kernel.Driver { return w.live.Driver() }

// Run serves the world until ctx is done, which is no error, or until it fails.
func (w *World) Run(ctx context.Context) error {
	defer endWith(ctx, w.end)()
	err := w.live.Run(w.ctx.Done())
	if errors.Is(err, kernel.ErrStopped) {
		if cause := context.Cause(w.ctx); !errors.Is(cause, kernel.ErrStopped) {
			return cause
		}
		return nil
	}
	return err
}

// fail ends the world for a defect of the machine that it is served on.
func (w *World) fail(err error) { w.end(err) }

// horizon is how far the world may go on by itself at full speed.
func (w *World) horizon() time.Duration {
	if w.live.Busy() != "" {
		return kernel.Forever
	}
	if at, any := w.bus.deadline(); any {
		return at
	}
	return w.live.Mark().At
}

// Close ends the world and says what came of it: see run.Live. Clients that wait
// are told so. The recording gets its end.
func (w *World) Close() (r record.Run, byPeople []string, err error) {
	w.end(kernel.ErrStopped)
	w.live.Driver().Over()
	errs := []error{w.hangUp()}
	errs = append(errs, w.writer.End(recording.PlaceOf(w.live.Mark())))
	r, byPeople = w.live.Finish()
	return r, byPeople, errors.Join(append(errs, w.live.Close())...)
}

func (w *World) hangUp() error {
	var errs []error
	for _, s := range w.servers {
		errs = append(errs, s.Close())
	}
	w.servers = nil
	return errors.Join(errs...)
}

// discard takes back what a failed Open began.
func (w *World) discard() error {
	w.end(kernel.ErrStopped)
	w.live.Driver().Over()
	errs := []error{w.hangUp()}
	if w.writer != nil {
		errs = append(errs, w.writer.End(recording.Place{}), os.Remove(w.writer.Path()))
	}
	if err := os.Remove(w.info.CA.File); w.info.CA.File != "" && !errors.Is(err, os.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(append(errs, w.live.Close())...)
}
