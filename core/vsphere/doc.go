// Package vsphere is the appliance's port to a vCenter: the verbs that HDM
// needs of one, each a sequential function on core/runtime, the same code
// against a simulated vCenter and a real one.
//
// It decides how a verb becomes vSphere API calls, what an answer means, and
// which errors a retry can mend (errors.go). It never decides what to do next:
// tries, waits between them and undoing belong to the caller. It starts no
// goroutine, reads no clock, and waits only in Runtime.Sleep and in calls; so
// it uses none of govmomi's helpers that wait by themselves (Task.Wait,
// Lease.Wait, property.Wait, views) but the plain methods.
//
// Effects happen once. A call may be lost, answered late or answered never, so
// every verb that makes something marks it with the caller's key (a snapshot's
// description, a VM's extraConfig, a task's activation id) and looks for that
// mark first. The protocol for callers:
//
//	open a session -> run verbs -> an error with Unknown? close the session,
//	which fences what was sent in it; open another; call the same verb with the
//	same mark again.
//
// Storage policies (policy.go) are at an endpoint of their own, over HTTP, in the
// same session.
//
// Read client.go first (Client, Session), then errors.go, then one verb, such
// as snapshot.go; transfers are export.go, import.go and lease.go.
package vsphere
