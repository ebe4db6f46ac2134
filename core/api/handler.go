package api

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/hdm-project/hdm/core/appliance"
	"github.com/hdm-project/hdm/core/health"
	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/recovery"
)

// Appliance is what the handler needs of *appliance.Appliance.
type Appliance interface {
	Migrations() []appliance.Status
	Health() health.State
	Panel() health.Panel
	Log() []appliance.Note
	Recovery() recovery.Recovery
	Leftovers() []migration.Migration
}

// The paths.
const (
	PathMigrations = "/api/v1/migrations"
	PathHealth     = "/api/v1/health"
	PathTypes      = "/api/v1/types"
	PathDashboard  = "/api/v1/dashboard"
	PathPanel      = "/api/v1/panel"
	PathEvents     = "/api/v1/events"
	PathRecovery   = "/api/v1/recovery"
	PathLeftovers  = "/api/v1/leftovers"
)

// Paths are all of them.
var Paths = []string{
	PathMigrations, PathHealth, PathTypes, PathDashboard, PathPanel, PathEvents, PathRecovery, PathLeftovers,
}

// Migrations is the answer of PathMigrations.
type Migrations struct {
	InProgress []Row `json:"in_progress"`
	Summary    []Row `json:"summary"`
}

// Health is the answer of PathHealth, in the words of the heartbeat.
type Health struct {
	Status  string `json:"status"`
	Details string `json:"details"`
}

// ErrorAnswer is the answer to what is not served.
type ErrorAnswer struct {
	Error string `json:"error"`
	Fix   string `json:"fix"`
}

// Handler serves the views of an appliance as JSON. While there is none (it is
// being restarted), appliance returns nil and the answer is 503. A query or a
// body is not read.
func Handler(appliance func() Appliance) http.Handler {
	mux := http.NewServeMux()
	of := func(path string, say func(Appliance) any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				w.Header().Set("Allow", "GET, HEAD")
				answer(w, http.StatusMethodNotAllowed, ErrorAnswer{"only GET is served here", "order migrations in vCenter or over the message bus"})
				return
			}
			a := appliance()
			if a == nil {
				answer(w, http.StatusServiceUnavailable, ErrorAnswer{"HDM is not up", "ask again"})
				return
			}
			answer(w, http.StatusOK, say(a))
		})
	}
	of(PathMigrations, func(a Appliance) any {
		var m Migrations
		m.InProgress, m.Summary = Views(a.Migrations())
		return m
	})
	of(PathHealth, func(a Appliance) any {
		h := a.Health()
		return Health{string(h.Status), h.Details}
	})
	of(PathTypes, func(Appliance) any { return Types() })
	of(PathDashboard, func(a Appliance) any { return dashboard(a.Panel()) })
	of(PathPanel, func(a Appliance) any { return panel(a.Panel()) })
	of(PathEvents, func(a Appliance) any { return events(a.Log()) })
	of(PathRecovery, func(a Appliance) any { return recovering(a.Recovery()) })
	of(PathLeftovers, func(a Appliance) any { return leftovers(a.Leftovers()) })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusNotFound, ErrorAnswer{"nothing is served here", "ask for one of " + strings.Join(Paths, ", ")})
	})
	return mux
}

func answer(w http.ResponseWriter, status int, said any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// An error is the reader's: it has gone.
	_ = json.NewEncoder(w).Encode(said)
}
