// Package chrome writes runs in the Trace Event Format, which trace viewers open
// (ui.perfetto.dev, chrome://tracing): a process is a run, a thread a component, a
// link, a VM or a migration, and time is virtual.
//
// A viewer takes slices of one thread only if they follow or hold one another. So
// what can overlap (tasks, calls, transfers, faults) gets as many threads as it
// needs, and each slice the first that is free.
//
// It decides nothing about runs and keeps only what is under way.
// The format: "Trace Event Format", Google, 2016; object form with traceEvents.
package chrome

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/hdm-project/hdm/reports/record"
)

// The limits of a run.
const (
	mostThreads = 4096
	mostOpen    = 20_000 // slices under way
	mostText    = 200    // bytes of a name
)

// Run writes the slices of one run, a line each, as it goes. It belongs to one
// goroutine at a time.
type Run struct {
	emit    func(line []byte, bulk bool)
	at      time.Duration
	threads map[string]int // by name
	busy    map[int]bool   // threads with a slice under way
	open    map[string]*slice
	states  map[string]string // of migrations
	waiting int
	running int
	carried int64
	under   map[string]int64 // bytes of transfers under way
	depths  map[string]int   // of queues
	line    []byte
}

type slice struct {
	thread int
	from   time.Duration
	name   string
	kind   string
	args   []record.Attr
	seq    uint64
	bulk   bool
}

// NewRun returns one that hands its lines to emit. A line that is bulk is about
// a call: there are too many to keep them of every run.
func NewRun(emit func(line []byte, bulk bool)) *Run {
	return &Run{
		emit: emit, threads: map[string]int{}, busy: map[int]bool{}, open: map[string]*slice{},
		states: map[string]string{}, under: map[string]int64{}, depths: map[string]int{},
	}
}

// thread returns the thread of that name; 0 if there are too many.
func (r *Run) thread(name string, bulk bool) int {
	id := r.threads[name]
	if id == 0 && len(r.threads) < mostThreads {
		id = len(r.threads) + 1
		r.threads[name] = id
		r.begin(id, "M", 0)
		r.text("name", "thread_name")
		r.args([]record.Attr{{Key: "name", Value: name}}, 0)
		r.finish(bulk)
		r.begin(id, "M", 0)
		r.text("name", "thread_sort_index")
		r.line = append(r.line, fmt.Sprintf(`,"args":{"sort_index":%d}`, rank(name)*mostThreads+id)...)
		r.finish(bulk)
	}
	return id
}

// free is the first thread of a group that has nothing under way.
func (r *Run) free(group string, bulk bool) int {
	for n := 1; ; n++ {
		name := group
		if n > 1 {
			name += " (" + strconv.Itoa(n) + ")"
		}
		if id := r.thread(name, bulk); id == 0 || !r.busy[id] {
			return id
		}
	}
}

// start begins a slice on a thread of the group.
func (r *Run) start(key, group string, e *record.Event, name, kind string, bulk bool) {
	r.stop(key, e.At)
	if len(r.open) >= mostOpen {
		return
	}
	thread := r.free(group, bulk)
	if thread == 0 {
		return
	}
	r.busy[thread] = true
	r.open[key] = &slice{thread: thread, from: e.At, name: name, kind: kind, args: slices.Clone(e.Attrs), seq: e.Seq, bulk: bulk}
}

// stop ends a slice, if it is under way.
func (r *Run) stop(key string, at time.Duration, more ...record.Attr) {
	s := r.open[key]
	if s == nil {
		return
	}
	delete(r.open, key)
	delete(r.busy, s.thread)
	r.begin(s.thread, "X", s.from)
	r.line = append(r.line, `,"dur":`...)
	r.line = appendMicros(r.line, at-s.from)
	r.text("cat", s.kind)
	r.text("name", s.name)
	r.args(append(s.args, more...), s.seq)
	r.finish(s.bulk)
}

// mark writes a moment.
func (r *Run) mark(thread string, e *record.Event, name, kind string) {
	id := r.thread(thread, false)
	if id == 0 {
		return
	}
	r.begin(id, "i", e.At)
	r.line = append(r.line, `,"s":"t"`...)
	r.text("cat", kind)
	r.text("name", name)
	r.args(e.Attrs, e.Seq)
	r.finish(false)
}

// gauge writes values of a counter.
func (r *Run) gauge(at time.Duration, name string, values ...any) {
	r.begin(0, "C", at)
	r.text("name", name)
	r.line = append(r.line, `,"args":{`...)
	for i := 0; i+1 < len(values); i += 2 {
		if i > 0 {
			r.line = append(r.line, ',')
		}
		r.line = append(r.line, fmt.Sprintf("%q:%d", values[i], values[i+1])...)
	}
	r.line = append(r.line, '}')
	r.finish(false)
}

// End says that the run is over. What is still under way ends with it.
func (r *Run) End() {
	for _, key := range slices.Sorted(maps.Keys(r.open)) {
		r.stop(key, r.at, record.Attr{Key: "ended", Value: "with the run"})
	}
}

func (r *Run) begin(thread int, phase string, at time.Duration) {
	r.line = append(r.line[:0], `"tid":`...)
	r.line = strconv.AppendInt(r.line, int64(thread), 10)
	r.line = append(r.line, `,"ph":"`+phase+`","ts":`...)
	r.line = appendMicros(r.line, at)
}

func (r *Run) text(key, value string) {
	r.line = append(r.line, `,"`+key+`":`...)
	r.line = append(r.line, quoted(value)...)
}

func (r *Run) args(attrs []record.Attr, seq uint64) {
	r.line = append(r.line, `,"args":{`...)
	comma := false
	if seq > 0 {
		r.line = append(r.line, `"event":`...)
		r.line = strconv.AppendUint(r.line, seq, 10)
		comma = true
	}
	told := map[string]bool{"event": seq > 0}
	for i := len(attrs) - 1; i >= 0; i-- { // what came last counts
		a := attrs[i]
		if told[a.Key] || a.Value == "" {
			continue
		}
		told[a.Key] = true
		if comma {
			r.line = append(r.line, ',')
		}
		comma = true
		r.line = append(r.line, quoted(a.Key)...)
		r.line = append(r.line, ':')
		r.line = append(r.line, quoted(a.Value)...)
	}
	r.line = append(r.line, '}')
}

func (r *Run) finish(bulk bool) {
	r.line = append(r.line, "}\n"...)
	r.emit(r.line, bulk)
}

func quoted(s string) []byte {
	if len(s) > mostText {
		s = s[:mostText] + "…"
	}
	b, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("chrome: a string that JSON cannot hold: %v", err)) // there is none
	}
	return b
}

// appendMicros writes a time in microseconds, to the nanosecond.
func appendMicros(b []byte, d time.Duration) []byte {
	b = strconv.AppendInt(b, int64(d/time.Microsecond), 10)
	if ns := d % time.Microsecond; ns > 0 {
		b = append(b, fmt.Sprintf(".%03d", ns)...)
	}
	return b
}

// File writes what runs have written as one object.
type File struct {
	w     *bufio.Writer
	lines int
}

// NewFile begins the object.
func NewFile(w io.Writer) *File {
	f := &File{w: bufio.NewWriter(w)}
	fmt.Fprint(f.w, `{"displayTimeUnit":"ms","traceEvents":[`) // the writer keeps an error for Close
	return f
}

// Process writes a run: its number, from 1, its record, and the lines that its
// Run gave.
func (f *File) Process(number int, run *record.Run, lines io.Reader) error {
	f.event(number, fmt.Appendf(nil, `"ph":"M","name":"process_name","args":{"name":%s}}`, quoted(run.Scenario+" ("+string(run.Verdict)+")")))
	f.event(number, fmt.Appendf(nil, `"ph":"M","name":"process_sort_index","args":{"sort_index":%d}}`, number))
	for i := range run.Violations {
		v := &run.Violations[i]
		what, err := json.Marshal(map[string]any{"what": v.What, "clauses": v.Clauses, "evidence": v.Evidence})
		if err != nil {
			return err
		}
		f.event(number, fmt.Appendf(nil, `"tid":0,"ph":"i","s":"p","ts":%s,"cat":"violation","name":%s,"args":%s}`,
			appendMicros(nil, v.At), quoted("VIOLATED "+v.Oracle+" "+v.Subject), what))
	}
	scan := bufio.NewScanner(lines)
	scan.Buffer(make([]byte, 64<<10), 1<<20)
	for scan.Scan() {
		f.event(number, bytes.TrimSpace(scan.Bytes()))
	}
	return scan.Err()
}

// event writes one; the writer keeps an error for Close.
func (f *File) event(process int, rest []byte) {
	if f.lines++; f.lines > 1 {
		fmt.Fprint(f.w, ",")
	}
	fmt.Fprintf(f.w, "\n{\"pid\":%d,%s", process, rest)
}

// Close ends the object.
func (f *File) Close() error {
	fmt.Fprint(f.w, "\n]}\n")
	return f.w.Flush()
}
