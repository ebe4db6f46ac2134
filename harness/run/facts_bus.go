package run

import (
	"strings"

	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/protocol"
	"github.com/hdm-project/hdm/sim/event"
	"github.com/hdm-project/hdm/sim/kernel"
)

// Facts about the message bus.
const (
	factByMessage     = "completed-by-message"
	factToken         = "token-refused"
	factReady         = "heartbeat-ready"
	factBooting       = "heartbeat-booting"
	factVCenter       = "heartbeat-vcenter"
	factListed        = "inventory-listed"
	factBadMode       = "bad-mode"
	factMissingField  = "missing-field"
	factUnknownVM     = "unknown-vm"
	factProgress      = "progress-told"
	factTBC           = "tbc-refused"
	factBack          = "back-refused"
	factUnready       = "unready-refused"
	factToldOnce      = "failure-told-once"
	factAgainQueued   = "delivered-again"
	factDeadLettered  = "dead-lettered"
	factNeedInternet  = "needed-internet"
	factNeedCommands  = "needed-commands"
	factNeedResponses = "needed-responses"
	factSilent        = "heartbeats-absent"
)

// needs are the facts that the wants of a set-up establish.
var needs = map[string]string{
	"access to the Internet": factNeedInternet, "the command queue": factNeedCommands, "the response queue": factNeedResponses,
}

// busFacts is what facts about the message bus are made of.
type busFacts struct {
	percents map[string]map[string]bool // by request: at how many percent it was told on its way
	beaten   bool                       // a heartbeat was sent
	silent   bool                       // and then the appliance went down
}

func newBusFacts() busFacts { return busFacts{percents: map[string]map[string]bool{}} }

// hearBus takes note of what is said on the message bus: of responses, once a
// client has them.
func (f *facts) hearBus(e kernel.Event) {
	switch e.Kind {
	case event.Heartbeat:
		f.beat(e)
	case event.Response:
		f.response(e)
	case event.SQSStored:
		f.happened[factAgainQueued] = true
	case event.SQSReceived:
		f.happened[factAgainQueued] = f.happened[factAgainQueued] || e.Attr("times") != "1"
	case event.SQSSent:
		f.happened[factDeadLettered] = f.happened[factDeadLettered] || strings.Contains(e.Subject, "_dead_letter")
	case event.BusSetUp:
		if fact := needs[e.Attr("needs")]; fact != "" {
			f.happened[fact] = true
		}
	case event.ApplianceDown:
		f.bus.silent = f.bus.beaten
	}
}

func (f *facts) beat(e kernel.Event) {
	f.bus.beaten = true
	f.happened[factSilent] = f.happened[factSilent] || f.bus.silent
	details := e.Attr("details")
	switch {
	case e.Attr("status") == string(health.Ready):
		f.happened[factReady] = true
	case details == health.Of([]string{health.Appliance}, nil).Details:
		f.happened[factBooting] = true
	case strings.Contains(details, health.OnPremises) || strings.Contains(details, health.Cloud):
		f.happened[factVCenter] = true
	}
}

func (f *facts) response(e kernel.Event) {
	final := e.Attr("final") == "true"
	switch protocol.Type(e.Attr("type")) {
	case protocol.TypeInventoryResponse:
		f.happened[factListed] = f.happened[factListed] || final
	case protocol.TypeErrorResponse:
		f.refused(e)
	case protocol.TypeCloneResponse:
		seen := f.bus.percents[e.Subject]
		if seen == nil {
			seen = map[string]bool{}
			f.bus.percents[e.Subject] = seen
		}
		if !final {
			seen[e.Attr("percent")] = true
			return
		}
		completed := e.Attr("state") == string(migration.Completed)
		f.happened[factByMessage] = f.happened[factByMessage] || completed
		f.happened[factProgress] = f.happened[factProgress] || completed && len(seen) > leastSeen
		f.happened[factToldOnce] = f.happened[factToldOnce] || e.Attr("state") == string(migration.Failed)
		delete(f.bus.percents, e.Subject)
	}
}

// refused takes note of why a message was refused.
func (f *facts) refused(e kernel.Event) {
	f.happened[factUnready] = f.happened[factUnready] || e.Attr("status") == string(health.NotReady)
	switch code, field := e.Attr("code"), e.Attr("field"); {
	case code == "token":
		f.happened[factToken] = true
	case code == protocol.CodeNotOffered && field == "type":
		f.happened[factBack] = true
	case code == protocol.CodeNotOffered:
		f.happened[factTBC] = true
	case code == protocol.CodeInvalid && field == "mode":
		f.happened[factBadMode] = true
	case code == protocol.CodeMissing:
		f.happened[factMissingField] = true
	case code == migration.CodeUnknownVM && field == "vm":
		f.happened[factUnknownVM] = true
	}
}

// viewed takes note of what a user has seen in the views.
func (f *facts) viewed(offered bool, inProgress, summary int) {
	f.happened[factOffered] = f.happened[factOffered] || offered
	f.seenInProgress = f.seenInProgress || inProgress > 0
	f.happened[factViewed] = f.happened[factViewed] || f.seenInProgress && summary > 0
}
