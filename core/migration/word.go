package migration

// Word is what a person says to a migration that waits (MIG-10, SQS-05).
type Word string

// The words, in the guide's terms.
const (
	Never         Word = "never" // the step waits for none
	StartTransfer Word = "start-transfer"
	ConfigureSync Word = "configure-and-sync"
	Commit        Word = "commit"
	BulkDone      Word = "bulk-done" // the data came by other means, and is there
)

// waits is the word that a step of this migration waits for: one that was
// ordered by message goes on by itself, but for data that comes by other means
//
func (m *Migration) waits(r Row) Word {
	switch {
	case m.Order.Origin != FromMessage:
		return r.Waits
	case m.Order.Offline && r.Does == TransferImage:
		return BulkDone
	}
	return Never
}

// Awaits are the words that the migration would hear now: none if it does not
// wait. Where it waits for the data, a person may also have brought it.
func (m *Migration) Awaits() []Word {
	if m.State != Waiting {
		return nil
	}
	switch word := m.waits(Tables[m.Order.Type].row(m.Next)); {
	case word == StartTransfer && m.Order.Offline:
		return []Word{ConfigureSync}
	case word == StartTransfer:
		return []Word{StartTransfer, ConfigureSync}
	default:
		return []Word{word}
	}
}

// Brings says whether the word means that the data came by other means, so that
// it has to be looked for in the cloud before the word counts.
func (m *Migration) Brings(w Word) bool {
	return m.State == Waiting && m.Next == StepTransfer && (w == ConfigureSync || w == BulkDone)
}

// said hears the word that the migration waits for.
func (d *decision) said(ev Said) {
	heard := false
	for _, w := range d.m.Awaits() {
		heard = heard || w == ev.Word
	}
	switch {
	case !heard:
		d.ignore("it does not wait for %s", ev.Word)
	case d.m.Brings(ev.Word) && ev.Image == "":
		d.ignore("the data is not in the cloud")
	default:
		next := d.m.Next
		brought := d.m.Brings(ev.Word)
		d.move(Running)
		if brought {
			d.m.Image = ev.Image
			next = d.table[d.table.index(next)+1].Step
		}
		d.begin(next)
	}
}
