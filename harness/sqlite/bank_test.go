package sqlite

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/ncruces/go-sqlite3"
	_ "github.com/ncruces/go-sqlite3/embed" // SQLite itself, as WebAssembly
	"github.com/ncruces/go-sqlite3/vfs"
)

const (
	accounts = 60
	opening  = 1000 // of each account
	padding  = 700  // bytes that make a transfer worth some pages
)

// bank is a database in which each transaction is a transfer from one account
// to another: it changes two old rows, and adds one. What transfer n is follows
// from the seed.
type bank struct {
	conn *sqlite3.Conn
	name string // of its VFS
}

var banks atomic.Uint64 // SQLite knows a VFS by its name, process-wide

// pragmas are in order: without shared memory the log needs the exclusive lock
// first. A small cache and short logs make SQLite read and write its disks.
var pragmas = []string{
	"PRAGMA locking_mode = exclusive",
	"PRAGMA journal_mode = %s",
	"PRAGMA synchronous = full",
	"PRAGMA wal_autocheckpoint = 12",
	"PRAGMA cache_size = 10",
	"PRAGMA temp_store = memory",
}

// How SQLite makes a transaction atomic. Either way it relies on the order of
// what it writes to two files, and so to two disks.
const (
	ahead = "wal"      // what is new goes to the log first, and from there to the database
	undo  = "truncate" // what is old goes to the journal first
)

func openBank(f *files, mode string) (*bank, error) {
	b := &bank{name: fmt.Sprintf("hdm-bank-%d", banks.Add(1))}
	vfs.Register(b.name, f)
	var err error
	if b.conn, err = sqlite3.OpenFlags("file:"+database+"?vfs="+b.name, sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE|sqlite3.OPEN_URI); err != nil {
		vfs.Unregister(b.name)
		return nil, err
	}
	for _, p := range pragmas {
		if err := b.conn.Exec(strings.Replace(p, "%s", mode, 1)); err != nil {
			return nil, errors.Join(err, b.close())
		}
	}
	return b, nil
}

func (b *bank) close() error {
	defer vfs.Unregister(b.name)
	return b.conn.Close()
}

func (b *bank) found() error {
	return b.conn.Exec(fmt.Sprintf(`BEGIN;
		CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, padding TEXT NOT NULL);
		CREATE TABLE transfer (id INTEGER PRIMARY KEY, padding TEXT NOT NULL);
		CREATE INDEX balances ON account (balance);
		WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT INTO account SELECT i, %d, printf('%%0*d', %d, i) FROM n;
		COMMIT`, accounts-1, opening, padding))
}

// transfer number n, counted from 1.
func (b *bank) transfer(seed uint64, n int) error {
	from, to, amount := drawTransfer(seed, n)
	return b.conn.Exec(fmt.Sprintf(`BEGIN IMMEDIATE;
		UPDATE account SET balance = balance - %d WHERE id = %d;
		UPDATE account SET balance = balance + %d WHERE id = %d;
		INSERT INTO transfer VALUES (%d, printf('%%0*d', %d, %d));
		COMMIT`, amount, from, amount, to, n, padding, n))
}

func drawTransfer(seed uint64, n int) (from, to, amount int) {
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	return r.IntN(accounts), r.IntN(accounts), 1 + r.IntN(20)
}

// audit returns how many transfers the database holds, if it is whole: SQLite
// finds it so, and it holds the first so many transfers and nothing else.
func (b *bank) audit(seed uint64) (transfers int, err error) {
	check, err := b.rows(`PRAGMA integrity_check`)
	if err != nil {
		return 0, err
	}
	if !slices.Equal(check, []string{"ok"}) {
		return 0, fmt.Errorf("SQLite finds it damaged: %.200s", strings.Join(check, "; "))
	}
	log, err := b.rows(`SELECT id FROM transfer WHERE padding = printf('%0*d', ` + fmt.Sprint(padding) + `, id) ORDER BY id`)
	if err != nil {
		return 0, err
	}
	balances, err := b.rows(`SELECT balance FROM account ORDER BY id`)
	if err != nil {
		return 0, err
	}
	want := make([]int, accounts)
	for i := range want {
		want[i] = opening
	}
	for i, id := range log {
		if id != fmt.Sprint(i+1) {
			return 0, fmt.Errorf("transfer %d is missing, %s is there", i+1, id)
		}
		from, to, amount := drawTransfer(seed, i+1)
		want[from] -= amount
		want[to] += amount
	}
	for i, balance := range balances {
		if balance != fmt.Sprint(want[i]) {
			return 0, fmt.Errorf("account %d holds %s, and %d after %d transfers", i, balance, want[i], len(log))
		}
	}
	return len(log), nil
}

// rows are the first columns of what a query returns.
func (b *bank) rows(query string) ([]string, error) {
	s, _, err := b.conn.Prepare(query)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var rows []string
	for s.Step() {
		rows = append(rows, s.ColumnText(0))
	}
	return rows, s.Err()
}

// bounds are how many transfers an image may hold: those that were committed
// at an instant, and those that were begun.
type bounds struct{ committed, begun int }

// judge opens the database on these disks, as a VM that boots would, and says
// what is wrong with it.
func (b bounds) judge(seed uint64, mode string, drives []drive) error {
	f, err := mount(drives)
	if err != nil {
		return err
	}
	db, err := openBank(f, mode)
	if err != nil {
		return fmt.Errorf("it does not open: %w", err)
	}
	n, err := db.audit(seed)
	if err := errors.Join(err, db.close()); err != nil {
		return err
	}
	return b.holds(n)
}

func (b bounds) holds(n int) error {
	switch {
	case n < b.committed:
		return fmt.Errorf("lost: %d transfers were committed, %d are there", b.committed, n)
	case n > b.begun:
		return fmt.Errorf("from nowhere: %d transfers were begun, %d are there", b.begun, n)
	}
	return nil
}
