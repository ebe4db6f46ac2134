package migration

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hdm-project/hdm/core/vsphere"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// script drives one migration by hand.
type script struct {
	t       require.TestingT
	m       Migration
	now     Now
	pending Effect
	moves   []Move
	effects []Effect
}

func begin(t require.TestingT) *script { return beginOf(t, Order{VM: "db-01", Type: Cold}) }

func beginOf(t require.TestingT, o Order) *script {
	m := New(1, o, start)
	if o.Type == Back {
		m = NewBack(1, o, start, bound)
	}
	if o.Type == Recover {
		return &script{t: t, m: NewRecover(1, start, bound), now: Now{Wall: start}}
	}
	s := &script{t: t, m: m, now: Now{Wall: start}}
	s.hear(CheckDue{})
	return s
}

// bound is a migration that is over and whose VM runs in the cloud.
var bound = Migration{ID: "m-0000", Order: Order{VM: "db-01", Type: TBC}, State: Completed, Bound: true, Plan: plan, Copy: "VirtualMachine:vm-2", Snapshot: "_hdm1"}

var plan = Plan{Source: "VirtualMachine:vm-1", WasOn: true, Bytes: 10}

func (s *script) hear(ev Event) Verdict {
	v := DefaultKnobs.Decide(s.m, s.now, ev)
	s.m = v.Migration
	if v.Ignored == "" {
		s.moves = append(s.moves, v.Migration.Moved...)
	}
	s.effects = append(s.effects, v.Effects...)
	require.LessOrEqual(s.t, len(v.Effects), 1)
	require.False(s.t, s.m.Held && len(v.Effects) > 0, "nothing is begun while it is held")
	require.False(s.t, v.Cancel != "" && len(v.Effects) > 0, "what is to end ends first")
	if len(v.Effects) == 1 {
		s.pending = v.Effects[0]
		s.now.Wall, s.now.Up = s.now.Wall.Add(s.pending.Delay), s.now.Up+s.pending.Delay
	}
	return v
}

func (s *script) done(r Result) { s.hear(EffectDone{Key: s.pending.Key, Result: r}) }

func (s *script) fail(c vsphere.Class) {
	s.hear(EffectFailed{Key: s.pending.Key, Failure: Failure{Class: c, What: "no luck"}})
}

// until goes on without trouble until the effect of that kind is outstanding.
func (s *script) until(k Kind) *script {
	for range 50 {
		if s.pending.Kind == k && !s.m.State.Final() && s.m.State != Checking {
			return s
		}
		s.proceed()
	}
	require.FailNow(s.t, "never came", "%s", k)
	return s
}

func (s *script) proceed() {
	switch {
	case s.m.State == Queued:
		s.hear(TurnCame{})
		return
	case s.m.Held && s.m.Effect == "":
		s.hear(Resumed{})
		return
	case s.m.State == Waiting:
		word := s.m.Awaits()[0]
		said := Said{Word: word}
		if s.m.Brings(word) {
			said.Image = "VirtualMachine:vm-8"
		}
		require.Empty(s.t, s.hear(said).Ignored)
		return
	case s.m.Effect == "":
		s.hear(CheckDue{})
		return
	}
	var r Result
	switch s.pending.Kind {
	case Check:
		found := plan
		r.Plan = &found
	case Bind:
		r.Served = &Served{Datastore: "HDM_Cloud_Cache-0", Paths: []string{"[HDM_Cloud_Cache-0] m-0001/0.vmdk"}}
	case MakeClone:
		r.Copy = "VirtualMachine:vm-3"
	case CreateCompute:
		r.Copy = "VirtualMachine:vm-2"
	case TransferImage:
		r.Copy, r.Bytes = "VirtualMachine:vm-4", 10
	case TakeSnapshot:
		r.Snapshot = "_hdm1"
	case Transfer:
		r.Copy, r.Bytes = "VirtualMachine:vm-2", 10
	case Judge:
		r.Boots = true
	}
	s.done(r)
}

func (s *script) toTheEnd() *script {
	for range 100 {
		if s.m.State.Final() {
			return s
		}
		s.proceed()
	}
	require.FailNow(s.t, "never ended")
	return s
}

func (s *script) kinds() []Kind {
	var ks []Kind
	for _, e := range s.effects {
		ks = append(ks, e.Kind)
	}
	return ks
}

func TestTheDiagramIsTheTableOfEdges(t *testing.T) {
	source, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	drawn := map[State][]State{}
	for _, edge := range regexp.MustCompile(`(?m)^//\t(\w+)\s+-> (\w+)`).FindAllStringSubmatch(string(source), -1) {
		drawn[State(edge[1])] = append(drawn[State(edge[1])], State(edge[2]))
	}
	require.Len(t, drawn, len(Edges))
	for from, to := range Edges {
		assert.ElementsMatch(t, to, drawn[from], "edges from %s", from)
	}
}

func TestARowWithAnEmptyColumnIsRejected(t *testing.T) {
	full := Row{StepCheck, Check, 3, Again, Resumes, Never, Nothing, vsphere.OnPremises, Undoes, "Checking"}
	require.NoError(t, Table{full}.check())
	for name, empty := range map[string]func(*Row){
		"step": func(r *Row) { r.Step = "" }, "does": func(r *Row) { r.Does = "" }, "tries": func(r *Row) { r.Tries = 0 },
		"redo": func(r *Row) { r.Redo = "" }, "restart": func(r *Row) { r.Restart = "" }, "waits": func(r *Row) { r.Waits = "" },
		"failure": func(r *Row) { r.Failure = "" }, "undo": func(r *Row) { r.Undo = "" }, "at": func(r *Row) { r.At = "" }, "shows": func(r *Row) { r.Shows = "" },
	} {
		row := full
		empty(&row)
		assert.Error(t, Table{row}.check(), name)
	}
	assert.Error(t, Table{full, full}.check(), "a step that occurs twice")
}

func TestAColdMigrationRunsItsStepsInOrder(t *testing.T) {
	s := begin(t).toTheEnd()
	assert.Equal(t, Completed, s.m.State)
	assert.Equal(t, []Kind{Check, Check, ShutDown, TakeSnapshot, Transfer, ConnectNetwork, MoveToPool, PowerOnCopy}, s.kinds())
	assert.Equal(t, "_hdm1", s.m.Snapshot)
}

func TestAFailedBulkTransferIsTriedThreeTimesFromTheBeginningThenUndone(t *testing.T) { // COLD-04
	s := begin(t).until(Transfer)
	for range 3 {
		s.until(Transfer).fail(vsphere.Retryable)
	}
	s.toTheEnd()
	assert.Equal(t, Failed, s.m.State)
	assert.Equal(t, []Kind{Transfer, DestroyCopy, Transfer, DestroyCopy, Transfer, RemoveSnapshot, RestartSource, DestroyCopy}, s.kinds()[4:])
	assert.Contains(t, s.m.Reasons[0].What, "try 3 of 3")
}

func TestARefusedCallIsNotTriedAgain(t *testing.T) {
	s := begin(t).until(TakeSnapshot)
	s.fail(vsphere.Refused)
	assert.Equal(t, Undoing, s.m.State)
}

func TestAnOutageUnderFiveMinutesUsesUpNoTry(t *testing.T) { // WAN-01, A-13
	s := begin(t).until(Transfer)
	for s.now.Up < 4*time.Minute+59*time.Second-20*time.Second {
		s.fail(vsphere.Unreachable)
		require.Equal(t, Running, s.m.State)
	}
	assert.Zero(t, s.m.Tries)
	assert.Equal(t, Completed, s.toTheEnd().m.State)
}

func TestAnOutageOfFiveMinutesIsPermanent(t *testing.T) {
	s := begin(t).until(ConnectNetwork)
	for s.m.State == Running {
		s.fail(vsphere.Unreachable)
	}
	assert.Equal(t, 5*time.Minute, s.now.Up)
	assert.Equal(t, ConfirmOff, s.pending.Kind, "there is a copy")
	s.fail(vsphere.Unreachable)
	assert.Equal(t, []Undo{{StepSnapshot, RemoveSnapshot}, {StepShutDown, RestartSource}, {StepTransfer, DestroyCopy}}, s.m.ToUndo,
		"nobody can be asked about the copy, which was never started: the source first, then the cloud")
}

func TestARestartRunsTheStepAgainByItsRule(t *testing.T) { // APP-02, APP-03
	for _, row := range ColdTable[1:] {
		s := begin(t).until(row.Does)
		old := s.pending
		tries := s.m.Tries
		s.hear(Restarted{})
		if row.Redo == FromBeginning {
			assert.Equal(t, row.Undo, s.pending.Kind, "%s: what was done so far is thrown away", row.Step)
			s.proceed()
		}
		assert.Equal(t, row.Does, s.pending.Kind, "%s", row.Step)
		assert.NotEqual(t, old.Key, s.pending.Key)
		assert.Equal(t, tries, s.m.Tries)
		assert.Equal(t, Completed, s.toTheEnd().m.State)
	}
}

func TestALateCompletionIsNotAccepted(t *testing.T) {
	s := begin(t).until(Transfer)
	old := s.pending.Key
	s.hear(Restarted{})
	v := s.hear(EffectDone{Key: old, Result: Result{Copy: "VirtualMachine:vm-9"}})
	assert.NotEmpty(t, v.Ignored)
	assert.Empty(t, s.m.Copy)
}

func TestACancelledMigrationPutsEverythingBack(t *testing.T) {
	for _, row := range ColdTable[1 : len(ColdTable)-1] {
		s := begin(t).until(row.Does)
		v := s.hear(CancelAsked{})
		require.Equal(t, s.pending.Key, v.Cancel)
		s.hear(EffectFailed{Key: s.pending.Key, Failure: Failure{Class: vsphere.Cancelled, Cancelled: true}})
		s.toTheEnd()
		assert.Equal(t, Cancelled, s.m.State, "%s", row.Step)
		for _, begun := range ColdTable[:ColdTable.index(row.Step)+1] {
			if begun.Undo != Nothing {
				assert.Contains(t, s.kinds(), begun.Undo, "%s", row.Step)
			}
		}
	}
}

func TestACancelThatComesTooLateDoesNotStopTheVM(t *testing.T) {
	s := begin(t).until(PowerOnCopy)
	s.hear(CancelAsked{})
	s.done(Result{})
	assert.Equal(t, Completed, s.m.State)
}

func TestACopyThatRunsIsNeverTakenBack(t *testing.T) { // COLD-05, MIG-13
	s := begin(t).until(PowerOnCopy)
	for range 3 {
		s.fail(vsphere.Retryable)
	}
	require.Equal(t, ConfirmOff, s.pending.Kind)
	s.done(Result{Running: true})
	assert.Equal(t, Completed, s.m.State)
}

func TestTheSourceStaysOffWhileTheCopyMayRun(t *testing.T) { // MIG-13
	s := begin(t).until(PowerOnCopy)
	s.fail(vsphere.Refused)
	for range DefaultKnobs.UndoTries {
		require.Equal(t, ConfirmOff, s.pending.Kind)
		s.fail(vsphere.Retryable)
	}
	assert.Equal(t, Failed, s.m.State)
	assert.NotContains(t, s.kinds(), RestartSource)
	assert.NotEmpty(t, s.m.Leftovers)
}

func TestACopyThatSomebodyElseStartedKeepsTheSourceOff(t *testing.T) { // MIG-13
	s := begin(t).until(MoveToPool)
	s.hear(CancelAsked{})
	s.hear(EffectFailed{Key: s.pending.Key, Failure: Failure{Cancelled: true}})
	require.Equal(t, ConfirmOff, s.pending.Kind)
	s.done(Result{Running: true})
	assert.Equal(t, Cancelled, s.m.State)
	assert.NotContains(t, s.kinds(), RestartSource)
	assert.NotEmpty(t, s.m.Leftovers)
}

func TestClearingTheWayDoesNotEndAnOutage(t *testing.T) { // SYS-02: the premises are out of reach, the cloud is not
	s := begin(t).until(Transfer)
	for range 100 {
		if s.m.State != Running {
			break
		}
		if s.pending.Kind == Transfer {
			s.fail(vsphere.Unreachable)
		} else {
			s.done(Result{})
		}
	}
	assert.Equal(t, Undoing, s.m.State)
	assert.Equal(t, 5*time.Minute, s.now.Up)
}

func TestAnOutageCountsFromWhenTheWayWentDown(t *testing.T) {
	s := begin(t).until(Transfer)
	s.now.Up = time.Hour
	s.hear(EffectFailed{Key: s.pending.Key, Failure: Failure{Class: vsphere.Unreachable, Down: 5 * time.Minute}})
	assert.Equal(t, Undoing, s.m.State)
}

func TestAStepOfTheWallClockIsNoOutage(t *testing.T) {
	s := begin(t).until(TakeSnapshot)
	s.fail(vsphere.Unreachable)
	s.now.Wall = s.now.Wall.Add(24 * time.Hour)
	s.fail(vsphere.Unreachable)
	assert.Equal(t, Running, s.m.State)
}

func TestASecondCancelChangesNothing(t *testing.T) {
	s := begin(t).until(Transfer)
	s.hear(CancelAsked{})
	assert.NotEmpty(t, s.hear(CancelAsked{}).Ignored)
}

func TestWhatAVCenterSaysIsKeptShort(t *testing.T) {
	s := begin(t).until(Transfer)
	s.hear(EffectFailed{Key: s.pending.Key, Failure: Failure{Class: vsphere.Refused, What: strings.Repeat("é", 1<<20)}})
	assert.Less(t, len(s.m.Reasons[0].What), 600)
}

func TestUndoIsTriedABoundedNumberOfTimesAndNamesWhatItLeft(t *testing.T) { // SYS-02
	s := begin(t).until(TakeSnapshot)
	s.fail(vsphere.Refused)
	for range DefaultKnobs.UndoTries {
		require.Equal(t, RemoveSnapshot, s.pending.Kind)
		s.fail(vsphere.Retryable)
	}
	s.toTheEnd()
	assert.Equal(t, Failed, s.m.State)
	assert.Len(t, s.m.Leftovers, 1)
	assert.Contains(t, s.kinds(), RestartSource)
}

// Whatever comes, in whatever order: only declared edges, never a key twice,
// and an end once the trouble is over.
func TestEveryHistoryEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := beginOf(t, Order{
			VM: "db-01", Type: rapid.SampledFrom([]Type{Cold, Warm, TBC, Back, Recover}).Draw(t, "type"),
			Origin:  rapid.SampledFrom([]Origin{FromVCenter, FromMessage}).Draw(t, "origin"),
			Offline: rapid.Bool().Draw(t, "offline"),
		})
		for range rapid.IntRange(0, 60).Draw(t, "events") {
			switch rapid.IntRange(0, 13).Draw(t, "event") {
			case 0:
				s.fail(vsphere.Retryable)
			case 1:
				s.fail(vsphere.Unreachable)
			case 2:
				s.fail(vsphere.Refused)
			case 3:
				s.hear(Restarted{})
			case 4:
				s.hear(CancelAsked{})
			case 5:
				s.hear(EffectDone{Key: "m-0001/0/none"})
			case 7:
				s.hear(Held{})
			case 8:
				s.hear(Resumed{})
				s.hear(LeftoverDeleted{})
			case 9:
				if rapid.IntRange(0, 4).Draw(t, "breaks") == 0 {
					s.hear(Broken{Why: path})
				}
			case 6:
				s.hear(TurnCame{})
				s.hear(CheckDue{})
				s.hear(Said{Word: rapid.SampledFrom([]Word{StartTransfer, ConfigureSync, Commit, BulkDone}).Draw(t, "word")})
			default:
				if !s.m.State.Final() {
					s.proceed()
				}
			}
		}
		s.toTheEnd()
		keys := map[string]bool{}
		for _, e := range s.effects {
			require.False(t, keys[e.Key], "key %s is used twice", e.Key)
			keys[e.Key] = true
		}
		for _, m := range s.moves {
			if m.From != m.To {
				require.Contains(t, Edges[m.From], m.To)
			}
		}
		s.theSourceWaits()
		if s.m.Order.Type == Recover && s.m.State == Completed {
			require.Contains(t, s.kinds(), MoveToRecovery)
			require.False(t, s.m.Bound)
		}
	})
}
