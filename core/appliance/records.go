package appliance

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/journal"
	"github.com/hdm-project/hdm/core/migration"
)

// The kinds of journal records.
const (
	recordAppliance = "appliance"  // one, key "state": counters
	recordSettings  = "settings"   // one, key "state"
	recordDeploy    = "deployment" // one, key "state"
	recordRecovery  = "recovery"   // one, key "state"
	recordBeat      = "beat"       // one for each component VM and host, key its name: the incarnations heard last
	recordNote      = "note"       // one each, key its number
	recordMigration = "migration"  // one each, key its id
)

// records is a decision as it goes into the journal: one batch. An event changes
// no more migrations than can be active or checked at once, and what is said of
// each is bounded, so that it stays below the journal's limits.
func records(d Decision) ([]journal.Record, error) {
	head, err := json.Marshal(d.Counters)
	if err != nil {
		return nil, err
	}
	batch := []journal.Record{{Kind: recordAppliance, Key: "state", Value: head}}
	for _, one := range []struct {
		kind  string
		given bool
		value any
	}{{recordSettings, d.Settings != nil, d.Settings}, {recordDeploy, d.Deploy != nil, d.Deploy}, {recordRecovery, d.Recovery != nil, d.Recovery}} {
		if !one.given {
			continue
		}
		value, err := json.Marshal(one.value)
		if err != nil {
			return nil, err
		}
		batch = append(batch, journal.Record{Kind: one.kind, Key: "state", Value: value})
	}
	for _, h := range d.Beats {
		if len(h.Services) == 0 {
			batch = append(batch, journal.Record{Kind: recordBeat, Key: h.VM})
			continue
		}
		value, err := json.Marshal(h)
		if err != nil {
			return nil, err
		}
		batch = append(batch, journal.Record{Kind: recordBeat, Key: h.VM, Value: value})
	}
	for _, n := range d.Notes {
		value, err := json.Marshal(n)
		if err != nil {
			return nil, err
		}
		batch = append(batch, journal.Record{Kind: recordNote, Key: strconv.Itoa(n.Number), Value: value})
	}
	for _, n := range d.Dropped {
		batch = append(batch, journal.Record{Kind: recordNote, Key: strconv.Itoa(n)})
	}
	for _, m := range d.Changed {
		value, err := json.Marshal(m)
		if err != nil {
			return nil, err
		}
		batch = append(batch, journal.Record{Kind: recordMigration, Key: string(m.ID), Value: value})
	}
	for _, id := range d.Forgotten {
		batch = append(batch, journal.Record{Kind: recordMigration, Key: string(id)})
	}
	return batch, nil
}

// load is the state that the journal holds.
func load(records []journal.Record) (*State, error) {
	s := NewState()
	for _, r := range records {
		var err error
		switch r.Kind {
		case recordAppliance:
			err = json.Unmarshal(r.Value, &s.Counters)
		case recordSettings:
			err = json.Unmarshal(r.Value, &s.settings)
		case recordDeploy:
			err = json.Unmarshal(r.Value, &s.deployment)
		case recordRecovery:
			err = json.Unmarshal(r.Value, &s.recovery)
		case recordBeat:
			var h component.Heartbeat
			err = json.Unmarshal(r.Value, &h)
			s.heard[h.VM] = h
		case recordNote:
			var n Note
			err = json.Unmarshal(r.Value, &n)
			s.notes = append(s.notes, n)
		case recordMigration:
			var m migration.Migration
			err = json.Unmarshal(r.Value, &m)
			s.put(m)
		default:
			err = fmt.Errorf("unknown kind")
		}
		if err != nil {
			return nil, fmt.Errorf("journal record %s/%s cannot be read: %w; restore the journal from a backup, or reset HDM", r.Kind, r.Key, err)
		}
	}
	slices.SortFunc(s.notes, func(a, b Note) int { return cmp.Compare(a.Number, b.Number) })
	return s, nil
}
