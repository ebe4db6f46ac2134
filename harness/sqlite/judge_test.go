package sqlite

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/sim/disk"
)

// TestTheJudgeRejectsADatabaseThatIsNotWhole: a bank of five transfers, and what
// may not become of it.
func TestTheJudgeRejectsADatabaseThatIsNotWhole(t *testing.T) {
	const seed = 7
	for _, c := range []struct {
		name   string
		holds  bounds
		change string // SQL
		damage int64  // byte of the first disk to write over; 0: none
		says   string // "" if it must be accepted
	}{
		{"as it was committed", bounds{5, 5}, "", 0, ""},
		{"one more was begun", bounds{4, 6}, "", 0, ""},
		{"one was committed that is not there", bounds{6, 6}, "", 0, "lost: 6 transfers were committed, 5 are there"},
		{"one is there that was not begun", bounds{4, 4}, "", 0, "from nowhere"},
		{"half of a transfer", bounds{5, 5}, "UPDATE account SET balance = balance + 1 WHERE id = 3", 0, "account 3 holds"},
		{"a gap", bounds{4, 5}, "DELETE FROM transfer WHERE id = 2", 0, "transfer 2 is missing, 3 is there"},
		{"a transfer of rubbish", bounds{5, 5}, "UPDATE transfer SET padding = 'x' WHERE id = 5", 0, "account"},
		{"a page that is torn", bounds{5, 5}, "", dataStart + 2*4096 + 100, "damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			drives := []drive{disk.New("disk-0", capacity), disk.New("disk-1", capacity)}
			f, err := mount(drives)
			require.NoError(t, err)
			db, err := openBank(f, ahead)
			require.NoError(t, err)
			require.NoError(t, db.found())
			for n := range 5 {
				require.NoError(t, db.transfer(seed, n+1))
			}
			require.NoError(t, db.conn.Exec(c.change))
			require.NoError(t, db.close())
			if c.damage > 0 {
				_, err := drives[0].WriteAt(make([]byte, 1024), c.damage)
				require.NoError(t, err)
			}
			err = c.holds.judge(seed, ahead, drives)
			if c.says == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, c.says)
			}
		})
	}
}
