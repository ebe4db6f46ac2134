// Package migration is the life of a migration: its states, its steps, and the
// one pure machine that moves it.
//
// A type of migration is a Table of steps (see cold.go), read by one small
// machine (machine.go): what a step runs, how often it is tried, what a restart
// of the appliance does to it, how it is undone, what the operator sees. Only
// Decide changes a migration; it asks no clock and does no I/O. The planner
// (planner.go) says which queued migration may start, Assess (assess.go)
// whether a VM can be migrated at all. What a failure of HDM itself does to a
// migration is in broken.go, and how its VM is brought back then in recover.go.
//
// States and the edges between them (Edges holds the same, and a test compares
// the two):
//
//	checking  -> queued     the order can be carried out
//	checking  -> refused    it cannot: the reasons say why
//	checking  -> cancelled  a user asked
//	checking  -> failed     whether it can could not be found out
//	queued    -> running    its turn has come
//	queued    -> cancelled  a user asked
//	queued    -> failed     the data path by which the VM was to come back broke
//	running   -> completed  the last step is done
//	running   -> refused    what was found at its turn forbids it; nothing was changed yet
//	running   -> waiting    the next step waits for a word of a person
//	running   -> undoing    a step failed for good, or a user asked
//	running   -> failed     a step failed after the last one that can be taken back, or the
//	                        data path broke and the VM may have run in the cloud
//	waiting   -> running    the word was given
//	waiting   -> undoing    a user asked
//	waiting   -> failed     the data path broke
//	undoing   -> failed     everything was put back, or what was not is listed
//	undoing   -> cancelled  the same, after a user asked
//	undoing   -> completed  the VM turned out to run in the cloud already
//	undoing   -> running    the same, and there is something left to clean up
package migration

// State is where a migration is, in an operator's words.
type State string

// The states; the last four are final.
const (
	Checking  State = "checking"
	Queued    State = "queued"
	Running   State = "running"
	Waiting   State = "waiting"
	Undoing   State = "undoing"
	Completed State = "completed"
	Refused   State = "refused"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Final reports whether a migration in that state is over.
func (s State) Final() bool { return len(Edges[s]) == 0 }

// Edges are the only moves between states.
var Edges = map[State][]State{
	Checking: {Queued, Refused, Cancelled, Failed},
	Queued:   {Running, Cancelled, Failed},
	Running:  {Completed, Refused, Waiting, Undoing, Failed},
	Waiting:  {Running, Undoing, Failed},
	Undoing:  {Failed, Cancelled, Completed, Running},
}
