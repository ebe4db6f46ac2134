package appliance

import (
	"encoding/json"
	"fmt"

	"github.com/hdm-project/hdm/core/journal"
	"github.com/hdm-project/hdm/core/migration"
)

// The kinds of journal records.
const (
	recordAppliance = "appliance"  // one, key "state": counters
	recordSettings  = "settings"   // one, key "state"
	recordDeploy    = "deployment" // one, key "state"
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
	}{{recordSettings, d.Settings != nil, d.Settings}, {recordDeploy, d.Deploy != nil, d.Deploy}} {
		if !one.given {
			continue
		}
		value, err := json.Marshal(one.value)
		if err != nil {
			return nil, err
		}
		batch = append(batch, journal.Record{Kind: one.kind, Key: "state", Value: value})
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
	return s, nil
}
