package journal

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ncruces/go-sqlite3"
	_ "github.com/ncruces/go-sqlite3/embed" // SQLite itself, as WebAssembly
	"github.com/ncruces/go-sqlite3/vfs"
)

// formatVersion is kept in the file's user_version: a journal of another
// version is refused, never guessed at.
const formatVersion = 1

// applicationID marks the file as ours ("HDMJ"), so that another database is
// not taken for a journal.
const applicationID = 0x48444d4a

// SQLite is a Journal in one SQLite file: write-ahead log, synchronous=FULL (a
// commit returns after the log is synced), one connection that holds the file's
// lock from Open to Close.
//
// The connection is SQLite's own, not one of database/sql, which would run a
// goroutine beside the caller.
type SQLite struct {
	path    string
	vfsName string // registered for this journal; "" if the system's is used

	mu     sync.Mutex
	conn   *sqlite3.Conn
	put    *sqlite3.Stmt
	remove *sqlite3.Stmt
	failed error // of the first write that failed: none is tried after it
}

// OpenSQLite opens the journal at path, making it if it is not there. Errors
// are *FailedError; a journal that another process holds is one.
func OpenSQLite(path string) (*SQLite, error) { return open(path, "") }

var vfsCount atomic.Uint64

// OpenSQLiteVFS opens the journal called name on files of v. A simulated disk
// can stand under it that way. v needs no shared memory.
func OpenSQLiteVFS(name string, v vfs.VFS) (*SQLite, error) {
	vfsName := fmt.Sprintf("hdm-journal-%d", vfsCount.Add(1)) // SQLite knows them by name, process-wide
	vfs.Register(vfsName, v)
	j, err := open(name, vfsName)
	if err != nil {
		vfs.Unregister(vfsName)
	}
	return j, err
}

func open(path, vfsName string) (*SQLite, error) {
	j := &SQLite{path: path, vfsName: vfsName}
	if err := j.open(); err != nil {
		if j.conn != nil {
			err = errors.Join(err, j.closeConn())
		}
		return nil, &FailedError{Op: "open", Journal: path, Fix: fixFor(err), Err: err}
	}
	return j, nil
}

// pragmas are in order: without shared memory the write-ahead log needs the
// exclusive lock first.
var pragmas = []string{
	"PRAGMA locking_mode = exclusive",
	"PRAGMA journal_mode = wal",
	"PRAGMA synchronous = full",
}

const schema = `CREATE TABLE record (
	kind  TEXT NOT NULL,
	key   TEXT NOT NULL,
	value BLOB NOT NULL,
	PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID`

func (j *SQLite) open() (err error) {
	name := "file:" + escapePath(j.path)
	if j.vfsName != "" {
		name += "?vfs=" + j.vfsName
	}
	if j.conn, err = sqlite3.OpenFlags(name, sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE|sqlite3.OPEN_URI); err != nil {
		return err
	}
	for _, p := range pragmas {
		if err := j.conn.Exec(p); err != nil {
			return err
		}
	}
	if err := j.check(); err != nil {
		return err
	}
	if j.put, _, err = j.conn.Prepare(`INSERT INTO record (kind, key, value) VALUES (?, ?, ?)
		ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value`); err != nil {
		return err
	}
	j.remove, _, err = j.conn.Prepare(`DELETE FROM record WHERE kind = ? AND key = ?`)
	return err
}

// check makes sure that the file is a whole journal of our version, and makes a
// new file into one, in one transaction.
func (j *SQLite) check() (err error) {
	// Immediate, so that the lock is ours from here on.
	if err := j.conn.Exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err == nil {
			err = j.conn.Exec("COMMIT")
		}
		if err != nil {
			err = errors.Join(err, j.rollback())
		}
	}()
	id, err := j.one("PRAGMA application_id")
	if err != nil {
		return err
	}
	version, err := j.one("PRAGMA user_version")
	if err != nil {
		return err
	}
	tables, err := j.one("SELECT count(*) FROM sqlite_schema")
	switch {
	case err != nil:
		return err
	case id == "0" && version == "0" && tables == "0":
		return j.conn.Exec(fmt.Sprintf("%s; PRAGMA application_id = %d; PRAGMA user_version = %d", schema, applicationID, formatVersion))
	case id != fmt.Sprint(applicationID):
		return errForeign
	case version != fmt.Sprint(formatVersion):
		return fmt.Errorf("%w: it has version %s, this program reads version %d", errVersion, version, formatVersion)
	}
	verdict, err := j.one("PRAGMA quick_check(1)")
	if err == nil && verdict != "ok" {
		err = fmt.Errorf("%w: %s", errDamaged, verdict)
	}
	return err
}

func (j *SQLite) one(query string) (string, error) {
	stmt, _, err := j.conn.Prepare(query)
	if err != nil {
		return "", err
	}
	defer stmt.Close()
	if !stmt.Step() {
		return "", errors.Join(stmt.Err(), fmt.Errorf("%q gave no row", query))
	}
	return stmt.ColumnText(0), nil
}

var (
	errForeign = errors.New("the file is a database, but not a journal")
	errVersion = errors.New("the journal is of another version")
	errDamaged = errors.New("the journal is damaged")
)

// fixFor says what to do about an error of SQLite.
func fixFor(err error) string {
	switch {
	case errors.Is(err, sqlite3.BUSY):
		return "another appliance has this journal open: stop it, or give this one a journal of its own"
	case errors.Is(err, sqlite3.FULL):
		return "the disk of the journal is full: make room and start again"
	case errors.Is(err, sqlite3.CANTOPEN), errors.Is(err, sqlite3.READONLY), errors.Is(err, sqlite3.PERM):
		return "check that its folder exists and that this user may write there"
	case errors.Is(err, errForeign), errors.Is(err, sqlite3.NOTADB):
		return "give the path of a journal, or of a file that does not exist yet"
	case errors.Is(err, errVersion):
		return "start the version of the program that wrote it"
	case errors.Is(err, errDamaged), errors.Is(err, sqlite3.CORRUPT):
		return "move the file away, keep it for analysis, and restore it from a backup"
	default:
		return "close the journal, open it again and load it"
	}
}

// Write implements Journal.
func (j *SQLite) Write(batch []Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.conn == nil {
		return ErrClosed
	}
	if err := checkLimits(batch); err != nil {
		return err
	}
	// After a failed sync the system may have dropped the pages that it could not
	// write, and a second try would succeed without them. So there is none.
	if j.failed != nil {
		return j.failed
	}
	if err := j.write(batch); err != nil {
		j.failed = &FailedError{Op: "write", Journal: j.path, Fix: fixFor(err), Err: err}
	}
	return j.failed
}

func (j *SQLite) write(batch []Record) error {
	if err := j.conn.Exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, r := range batch {
		if err := j.change(r); err != nil {
			return errors.Join(err, j.rollback())
		}
	}
	if err := j.conn.Exec("COMMIT"); err != nil {
		return errors.Join(err, j.rollback())
	}
	return nil
}

// rollback ends a transaction that SQLite has not rolled back by itself.
func (j *SQLite) rollback() error {
	if j.conn.GetAutocommit() {
		return nil
	}
	return j.conn.Exec("ROLLBACK")
}

func (j *SQLite) change(r Record) error {
	stmt := j.put
	if r.Value == nil {
		stmt = j.remove
	} else if err := stmt.BindBlob(3, r.Value); err != nil {
		return err
	}
	err := errors.Join(stmt.BindText(1, r.Kind), stmt.BindText(2, r.Key))
	if err == nil {
		err = stmt.Exec()
	}
	return errors.Join(err, stmt.ClearBindings())
}

// Load implements Journal. The records come in the order of BINARY collation,
// which is that of Go's strings.
func (j *SQLite) Load() ([]Record, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.conn == nil {
		return nil, ErrClosed
	}
	stmt, _, err := j.conn.Prepare(`SELECT kind, key, value FROM record ORDER BY kind, key`)
	if err != nil {
		return nil, &FailedError{Op: "load", Journal: j.path, Fix: fixFor(err), Err: err}
	}
	defer stmt.Close()
	var records []Record
	for stmt.Step() {
		value := append([]byte{}, stmt.ColumnRawBlob(2)...) // empty, not nil: nil would be a deletion
		records = append(records, Record{Kind: stmt.ColumnText(0), Key: stmt.ColumnText(1), Value: value})
	}
	if err := stmt.Err(); err != nil {
		return nil, &FailedError{Op: "load", Journal: j.path, Fix: fixFor(err), Err: err}
	}
	return records, nil
}

// Close implements Journal.
func (j *SQLite) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.conn == nil {
		return nil
	}
	err := j.closeConn()
	if j.vfsName != "" {
		vfs.Unregister(j.vfsName)
	}
	if err != nil {
		return &FailedError{Op: "close", Journal: j.path, Fix: fixFor(err), Err: err}
	}
	return nil
}

func (j *SQLite) closeConn() error {
	conn := j.conn
	j.conn = nil
	return errors.Join(j.put.Close(), j.remove.Close(), conn.Close())
}

// escapePath makes a path safe in a file: URI.
func escapePath(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}
