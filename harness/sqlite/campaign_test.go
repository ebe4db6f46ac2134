package sqlite

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/cache"
)

// campaign runs transfers on a data path whose power goes again and again, at
// either site, until that many points were judged.
type campaign struct {
	*path
	restarts int // of the cloud, each judged
	reboots  int // that were cut short
}

// run until there are that many points in all.
func (c *campaign) run(points int) error {
	db, err := c.boot()
	if err != nil {
		return err
	}
	for c.points+c.restarts < points {
		c.cloud.power.restore(c.r.IntN(1500))
		if db, err = c.live(db); err != nil {
			return err
		}
	}
	return c.judge(c.flushed)
}

// live transfers money until the cloud's power goes, and boots the VM again.
func (c *campaign) live(db *bank) (*bank, error) {
	for {
		c.now.begun++
		if err := db.transfer(c.seed, c.now.begun); err != nil {
			if !c.cloud.power.gone {
				return nil, fmt.Errorf("transfer %d: %w", c.now.begun, c.cause(err))
			}
			break
		}
		c.now.committed = c.now.begun
	}
	_ = db.close() // its devices are dead
	return c.restart()
}

// restart the cloud after a power cut; it may go again while the VM boots.
func (c *campaign) restart() (*bank, error) {
	for {
		for _, k := range c.cloud.caches {
			k.dev.Crash(c.r)
			k.chunks, k.waiting, k.done = nil, nil, map[uint64]error{}
		}
		c.cutting, c.failed = false, nil
		c.cloud.power.restore(never)
		for _, k := range c.cloud.caches {
			var err error
			if k.cache, err = cache.Recover(k.config, k.dev); err != nil {
				return nil, err
			}
		}
		if c.r.IntN(3) == 0 {
			c.cloud.power.restore(c.r.IntN(1000))
		}
		db, err := c.boot()
		if err == nil || !c.cloud.power.gone {
			c.restarts++
			return db, err
		}
		c.reboots++
	}
}

// boot the VM: open the database in the cloud, and judge it.
func (c *campaign) boot() (*bank, error) {
	f, err := mount([]drive{guestDisk{c.path, 0}, guestDisk{c.path, 1}})
	if err != nil {
		return nil, err
	}
	db, err := openBank(f, c.mode)
	if err != nil {
		return nil, &badImage{fmt.Errorf("in the cloud: it does not open: %w", c.cause(err))}
	}
	n, err := db.audit(c.seed)
	if err == nil {
		err = c.now.holds(n)
	}
	if err != nil {
		_ = db.close()
		return nil, &badImage{fmt.Errorf("in the cloud: %w", c.cause(err))}
	}
	c.now = bounds{n, n}
	return db, nil
}

// cause of an error that SQLite only calls an I/O error.
func (c *campaign) cause(err error) error {
	if c.failed != nil {
		return c.failed
	}
	return err
}

func (c *campaign) String() string {
	return fmt.Sprintf("%d flushes cut short (%d had been decided, %d recoveries were cut short too), %d restarts of the cloud (%d cut short too), between %d whole flushes and %d transactions",
		c.points, c.decided, c.twice, c.restarts, c.reboots, c.flushes, c.now.committed)
}

func start(t testing.TB, seed uint64, v variant) *campaign {
	t.Helper()
	p, err := newPath(seed, v)
	require.NoError(t, err)
	return &campaign{path: p}
}

func TestADatabaseSurvivesPowerCutsAtBothSites(t *testing.T) {
	for name, v := range map[string]variant{"one cache": {}, "a cache for each disk": {apart: true}, "a journal of what to undo": {undo: true}} {
		t.Run(name, func(t *testing.T) {
			c := start(t, 1, v)
			require.NoError(t, c.run(30))
			assert.Greater(t, c.points, 5)
			assert.Greater(t, c.restarts, 5)
			t.Log(c)
		})
	}
}

// mistakes are data paths that lose or tear data.
var mistakes = map[string]variant{
	"a cache that ignores FLUSH":       {deaf: true},
	"a flush that is torn":             {torn: true},
	"a cut that is not at one instant": {late: true},
}

func TestADataPathThatLosesDataIsCaught(t *testing.T) {
	for name, v := range mistakes {
		t.Run(name, func(t *testing.T) {
			caught := 0
			for seed := range uint64(5) {
				c := start(t, seed, v)
				if err := c.run(30); err != nil {
					var bad *badImage
					require.ErrorAs(t, err, &bad)
					t.Logf("at point %d: %v", c.points+c.restarts+1, err)
					caught++
				}
			}
			assert.GreaterOrEqual(t, caught, 4, "of 5 runs with 30 power cuts each")
		})
	}
}
