package chrome

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hdm-project/hdm/reports/record"
)

// The threads that are not named after what they are of.
const (
	faultThread     = "faults"
	peopleThread    = "orders and people"
	applianceThread = "appliance"
	healthThread    = "heartbeat"
)

// ranks are the groups of threads, from the top.
var ranks = []string{faultThread, peopleThread, applianceThread, healthThread, "link ", "transfers ", "migration ", "VM ", "tasks ", "queue "}

func rank(thread string) int {
	for i, prefix := range ranks {
		if strings.HasPrefix(thread, prefix) {
			return i
		}
	}
	return len(ranks)
}

// Add takes the next event.
func (r *Run) Add(e *record.Event) {
	r.at = max(r.at, e.At)
	switch e.Kind {
	case "call.sent":
		r.start("call "+e.Subject+" "+e.Attr("call"), "calls "+e.Subject, e, e.Attr("method"), "call", true)
	case "call.answered":
		r.stop("call "+e.Subject+" "+e.Attr("call"), e.At, e.Attrs...)
	case "task.started":
		r.start("task "+e.Subject+" "+e.Attr("task"), "tasks "+e.Subject, e, e.Attr("method")+" "+e.Attr("entity"), "task", false)
	case "task.finished":
		r.stop("task "+e.Subject+" "+e.Attr("task"), e.At, e.Attrs...)
	case "fault.began":
		r.start("fault "+e.Subject, faultThread, e, e.Attr("kind")+" "+e.Attr("target"), "fault", false)
		r.mark(faultThread+", begun", e, e.Attr("kind"), "fault")
	case "fault.ended":
		r.stop("fault "+e.Subject, e.At, e.Attrs...)
	case "step":
		r.mark(peopleThread, e, e.Attr("what"), "step")
	case "foreign.call":
		r.mark(peopleThread, e, "foreign "+e.Attr("method"), "foreign")
	case "appliance.up":
		r.mark(applianceThread+", boots", e, "boot "+e.Attr("epoch"), "boot")
		r.start("appliance", applianceThread, e, "up", "appliance", false)
	case "appliance.down":
		r.cut(e)
		r.start("appliance", applianceThread, e, "down", "appliance", false)
	case "heartbeat":
		r.start("heartbeat", healthThread, e, e.Attr("status"), "heartbeat", false)
	case "link.down":
		r.start("link "+e.Subject+" "+e.Attr("direction"), "link "+e.Subject+" "+e.Attr("direction"), e, "down", "link", false)
	case "link.up":
		r.stop("link "+e.Subject+" "+e.Attr("direction"), e.At)
	case "guest.started":
		r.start(guestKey(e), "VM "+e.Subject, e, e.Attr("site"), "guest", false)
	case "guest.stopped":
		r.stop(guestKey(e), e.At, e.Attrs...)
	case "link.transfer":
		r.transfer(e)
	case "migration":
		r.migration(e)
	case "effect.started":
		r.start("effect "+e.Attr("key"), "migration "+e.Subject+", attempts", e, e.Attr("kind"), "attempt", false)
	case "effect.ended":
		r.stop("effect "+e.Attr("key"), e.At, e.Attrs...)
	default:
		r.queue(e)
	}
}

// cut ends what an appliance without power cannot see the end of.
func (r *Run) cut(e *record.Event) {
	for _, key := range slices.Sorted(maps.Keys(r.open)) {
		if strings.HasPrefix(key, "effect ") || strings.HasPrefix(key, "call ") {
			r.stop(key, e.At, record.Attr{Key: "ended", Value: "the appliance lost its power"})
		}
	}
}

func guestKey(e *record.Event) string {
	return "guest " + e.Subject + " " + e.Attr("site") + " " + e.Attr("vm")
}

func (r *Run) transfer(e *record.Event) {
	key := "transfer " + e.Subject + " " + e.Attr("direction") + " " + e.Attr("what")
	bytes, err := strconv.ParseInt(e.Attr("bytes"), 10, 64)
	if err != nil {
		bytes = 0 // it shows as a slice without a figure
	}
	if e.Attr("state") == "started" {
		r.start(key, "transfers "+e.Subject+" "+e.Attr("direction"), e, e.Attr("what"), "transfer", false)
		if r.open[key] != nil {
			r.under[key] = bytes
		}
	} else {
		r.stop(key, e.At, e.Attrs...)
		delete(r.under, key)
		if e.Attr("state") == "finished" {
			r.carried += bytes
		}
	}
	under := int64(0)
	for _, n := range r.under { // a sum has no order
		under += n
	}
	r.gauge(e.At, "WAN bytes", "carried", r.carried, "under way", under)
}

func (r *Run) migration(e *record.Event) {
	key, to := "migration "+e.Subject, e.Attr("to")
	before := r.states[e.Subject]
	r.tally(before, -1)
	r.tally(to, 1)
	r.gauge(e.At, "orders", "waiting", r.waiting, "running", r.running)
	thread := "migration " + e.Subject + " " + e.Attr("vm")
	switch to {
	case "completed", "failed", "cancelled", "refused":
		r.stop(key, e.At)
		delete(r.states, e.Subject)
		r.mark(thread, e, to, "migration")
		return
	}
	if len(r.states) < mostOpen {
		r.states[e.Subject] = to
	}
	name := to
	if step := e.Attr("step"); step != "" {
		name = step
		if to != "running" {
			name = to + " " + step
		}
	}
	r.start(key, thread, e, name, "step", false)
}

func (r *Run) tally(state string, by int) {
	switch state {
	case "checking", "queued":
		r.waiting += by
	case "running", "undoing":
		r.running += by
	}
}

func (r *Run) queue(e *record.Event) {
	change := 0
	switch e.Kind {
	case "sqs.sent":
		change = 1
	case "sqs.deleted", "sqs.moved", "sqs.expired":
		change = -1
	default:
		return
	}
	r.depth(e, e.Subject, change)
	if to := e.Attr("to"); e.Kind == "sqs.moved" && to != "" {
		r.depth(e, to, 1)
		r.mark("queue "+e.Subject, e, "moved to "+to, "queue")
	}
}

func (r *Run) depth(e *record.Event, queue string, change int) {
	if _, is := r.depths[queue]; !is && len(r.depths) >= mostThreads {
		return
	}
	r.depths[queue] = max(r.depths[queue]+change, 0)
	r.gauge(e.At, "queue "+queue, "messages", r.depths[queue])
}
