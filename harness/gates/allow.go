package gates

// allowance lets one file break one rule.
type allowance struct {
	file string
	rule Rule
	why  string
}

// allowed are the adapters: the few files that own what all others must take
// from outside.
var allowed = []allowance{
	{"core/runtime/live.go", Clock, "it is the live appliance's clock"},
	{"core/runtime/live.go", Chance, "it seeds the live appliance's streams"},
	{"core/runtime/live.go", Goroutine, "its tasks are goroutines"},
	{"sim/kernel/driver.go", Clock, "it paces virtual time by the wall clock, and guards against runs that last too long"},
	{"sim/kernel/driver.go", Goroutine, "it waits for the wall clock or for what people want, whichever comes first"},
	{"sim/kernel/inbox.go", Goroutine, "callers from outside wait for their turn, or go away"},
	{"harness/loopback/http.go", Goroutine, "servers of foreign clients run beside the kernel"},
	{"harness/loopback/http.go", Clock, "a client that does not read its answer is let go by the wall clock"},
	{"harness/loopback/token.go", Chance, "a token that a seed gives can be computed by whoever knows the seed"},
	{"harness/run/run.go", Clock, "a record tells how long a run took by the wall clock, besides the virtual time"},
	{"harness/run/run.go", Goroutine, "worlds run side by side, each on one goroutine of its own"},
	{"harness/explore/explore.go", Clock, "people give a search so much wall time"},
	{"harness/mutants/wall.go", Clock, "a program with a mistake in it may hang, and people are told how long the others took"},
	{"harness/mutants/wall.go", Goroutine, "mutants are built and run side by side"},
	{"harness/explore/explore.go", Goroutine, "worlds run side by side, each on one goroutine of its own"},
	{"sim/vcenter/wait.go", Clock, "a foreign client says in seconds of its own how long it waits for updates"},
	{"sim/vcenter/wait.go", Goroutine, "it waits for the next look, for its end, or for its client to go away"},
	{"sim/vcenter/serve.go", Clock, "TLS certificates live on the wall clock"},
	{"sim/vcenter/serve.go", Chance, "a certificate's key is made by chance"},
	{"sim/vcenter/serve.go", Goroutine, "a server of foreign clients runs beside the kernel"},
}
