package vcenter

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/sim/event"
)

// work is what a task does.
type work struct {
	method     string // as on the wire: "PowerOnVM_Task"
	entity     ref
	name       string   // of the entity, for people and the trace
	m          *machine // keeps other tasks off this VM while it runs, if not nil
	duration   time.Duration
	cancelable bool
	user       string // who started it; "": the vCenter itself
	// run applies it, at the end of its duration. A task that somebody else ends
	// (a lease's, an extension's) has none.
	run func(*simulator.Context) (types.AnyType, types.BaseMethodFault)
	// cancelled undoes what was begun, when it has been cancelled.
	cancelled func(*simulator.Context)
}

// task is a task object of ours in vcsim's registry:
//
//	queued --> running, progress rising --> success | error
//	   \___________\____________ CancelTask --> error(RequestCanceled)
//
// What it does is applied as a whole at its end, so that nothing that is
// cancelled or cut off has half happened.
type task struct {
	work
	obj  *simulator.Task
	stop func() bool
}

// The steps by which progress rises: percent done after that part of the
// duration.
var progressSteps = []int32{10, 40, 70}

func (t *task) stopTimer() {
	if t.stop != nil {
		t.stop()
		t.stop = nil
	}
}

func (t *task) done() bool {
	return t.obj.Info.State == types.TaskInfoStateSuccess || t.obj.Info.State == types.TaskInfoStateError
}

// start makes a task and lets its time begin. One without a duration is done
// when start returns.
func (vc *VCenter) start(w work) ref {
	t := vc.newTask(w, strings.TrimSuffix(w.method, "_Task"))
	if w.m != nil {
		w.m.busy = t
	}
	if w.duration == 0 {
		vc.setRunning(t)
		vc.apply(t)
		return t.obj.Self
	}
	vc.step(t, 0)
	return t.obj.Self
}

// newTask puts a queued task into the registry.
func (vc *VCenter) newTask(w work, id string) *task {
	vc.taskSeq++
	self := ref{Type: "Task", Value: fmt.Sprintf("task-%06d", vc.taskSeq)}
	user := cmp.Or(w.user, vc.config.User)
	obj := &simulator.Task{}
	obj.Self = self
	obj.Info = types.TaskInfo{
		Key: self.Value, Task: self, Name: w.method, DescriptionId: id,
		Entity: &w.entity, EntityName: w.name, State: types.TaskInfoStateQueued, Cancelable: w.cancelable,
		QueueTime: vc.now(), Reason: &types.TaskReasonUser{UserName: user},
	}
	if !strings.Contains(id, ".") {
		obj.Info.DescriptionId = w.entity.Type + "." + lowerFirst(id)
	}
	t := &task{work: w, obj: obj}
	ctx := vc.ctx()
	put := func() { vc.reg.Put(obj) } // tells the TaskManager and the entity's recentTask
	if entity := vc.reg.Get(w.entity); entity != nil {
		ctx.WithLock(entity, put)
	} else {
		put()
	}
	vc.tasks[self] = t
	vc.taskList = append(vc.taskList, t)
	if len(vc.taskList) > maxTasks && vc.taskList[0].done() {
		old := vc.taskList[0]
		vc.taskList = vc.taskList[1:]
		delete(vc.tasks, old.obj.Self)
		vc.reg.Remove(ctx, old.obj.Self)
	}
	vc.changed(event.TaskStarted, string(vc.config.Site), "task", self.Value, "method", w.method, "entity", w.name)
	return t
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// step takes a task from one step of its progress to the next, and to its end.
func (vc *VCenter) step(t *task, i int) {
	part := t.duration / time.Duration(len(progressSteps)+1)
	if i == len(progressSteps) {
		part = t.duration - part*time.Duration(len(progressSteps))
	}
	t.stop = vc.after(part, func() {
		t.stop = nil
		if i == len(progressSteps) {
			vc.apply(t)
			return
		}
		if i == 0 {
			vc.setRunning(t)
		}
		vc.update(vc.ctx(), t.obj, set("info.progress", progressSteps[i]))
		vc.step(t, i+1)
	})
}

func (vc *VCenter) setRunning(t *task) {
	vc.update(vc.ctx(), t.obj, set("info.state", types.TaskInfoStateRunning), set("info.startTime", vc.now()))
}

// apply does what the task is for and ends it.
func (vc *VCenter) apply(t *task) {
	result, err := t.run(vc.ctx())
	vc.finish(t, result, err)
}

// finish ends a task with a result or a fault.
func (vc *VCenter) finish(t *task, result types.AnyType, err types.BaseMethodFault) {
	if t.done() {
		return
	}
	t.stopTimer()
	if t.m != nil && t.m.busy == t {
		t.m.busy = nil
	}
	changes := []types.PropertyChange{set("info.completeTime", vc.now())}
	attrs := []string{"task", t.obj.Self.Value, "method", t.method, "entity", t.name}
	if err != nil {
		changes = append(changes, set("info.state", types.TaskInfoStateError),
			set("info.error", types.LocalizedMethodFault{Fault: err, LocalizedMessage: explain(err)}))
		attrs = append(attrs, "state", "error", "error", faultName(err))
	} else {
		changes = append(changes, set("info.progress", int32(100)), set("info.state", types.TaskInfoStateSuccess))
		if result != nil {
			changes = append(changes, set("info.result", result))
		}
		attrs = append(attrs, "state", "success")
	}
	vc.update(vc.ctx(), t.obj, changes...)
	vc.changed(event.TaskFinished, string(vc.config.Site), attrs...)
}

// faultName is a fault's type, as the trace tells it.
func faultName(f types.BaseMethodFault) string { return typeName(f) }

// typeName is the name of an API type behind a pointer.
func typeName(v any) string { return reflect.TypeOf(v).Elem().Name() }

// explain is what a person reads of a fault.
func explain(f types.BaseMethodFault) string {
	for _, m := range f.GetMethodFault().FaultMessage {
		if m.Message != "" {
			return m.Message
		}
	}
	switch f := f.(type) {
	case *types.RequestCanceled:
		return "The task was canceled by a user."
	case *types.InvalidPowerState:
		return fmt.Sprintf("The attempted operation cannot be performed in the current state (%s).", f.ExistingState)
	case *types.TaskInProgress:
		return "The operation is not allowed: another task is already in progress."
	case *types.DuplicateName:
		return fmt.Sprintf("The name '%s' already exists.", f.Name)
	}
	return faultName(f)
}

// busy says which task keeps others off a VM.
func (m *machine) busyFault() types.BaseMethodFault {
	switch {
	case m.busy != nil:
		return &types.TaskInProgress{Task: m.busy.obj.Self}
	case m.lease != nil:
		return &types.TaskInProgress{Task: m.lease.task.obj.Self}
	}
	return nil
}

// taskCalls: vcsim's stamp with the wall clock, and its CancelTask leaves
// running what it cancels.
type taskCalls struct{ call }

func invalidState(format string, args ...any) *soap.Fault {
	return fault(new(types.InvalidState), format, args...)
}

// CancelTask ends a task that can be cancelled: what it is for will not happen.
func (c *taskCalls) CancelTask(ctx *simulator.Context, _ *types.CancelTask) soap.HasFault {
	b := new(methods.CancelTaskBody)
	t := c.vc.tasks[c.Self]
	switch {
	case t == nil:
		b.Fault_ = fault(&types.ManagedObjectNotFound{Obj: c.Self}, "the task %s is not known any more", c.Self.Value)
	case t.done():
		b.Fault_ = invalidState("the task %s has ended already", c.Self.Value)
	case !t.cancelable:
		b.Fault_ = fault(new(types.NotSupported), "the task %s cannot be cancelled", c.Self.Value)
	default:
		c.vc.update(ctx, t.obj, set("info.cancelled", true))
		if t.run == nil && t.cancelled == nil { // an extension's: it has to see the wish and end the task
			b.Res = new(types.CancelTaskResponse)
			return b
		}
		c.vc.finish(t, nil, new(types.RequestCanceled))
		if t.cancelled != nil {
			t.cancelled(ctx)
		}
		b.Res = new(types.CancelTaskResponse)
	}
	return b
}

// external is a task that its extension drives.
func (c *taskCalls) external() (*task, *soap.Fault) {
	t := c.vc.tasks[c.Self]
	switch {
	case t == nil:
		return nil, fault(&types.ManagedObjectNotFound{Obj: c.Self}, "the task %s is not known any more", c.Self.Value)
	case t.run != nil || t.cancelled != nil:
		return nil, fault(new(types.NotSupported), "the task %s is the vCenter's own", c.Self.Value)
	case t.done():
		return nil, invalidState("the task %s has ended already", c.Self.Value)
	}
	return t, nil
}

// SetTaskState changes the state of an extension's task.
func (c *taskCalls) SetTaskState(_ *simulator.Context, r *types.SetTaskState) soap.HasFault {
	b := new(methods.SetTaskStateBody)
	t, f := c.external()
	if f != nil {
		b.Fault_ = f
		return b
	}
	b.Res = new(types.SetTaskStateResponse)
	switch r.State {
	case types.TaskInfoStateRunning:
		c.vc.setRunning(t)
	case types.TaskInfoStateSuccess:
		c.vc.finish(t, r.Result, nil)
	case types.TaskInfoStateError:
		c.vc.finishExternal(t, r.Fault)
	default:
		b.Res, b.Fault_ = nil, invalidState("a task cannot go back to %s", r.State)
	}
	return b
}

// finishExternal ends a task with the extension's own words.
func (vc *VCenter) finishExternal(t *task, why *types.LocalizedMethodFault) {
	if why == nil || why.Fault == nil {
		vc.finish(t, nil, &types.SystemError{})
		return
	}
	f := why.Fault
	vc.finish(t, nil, f)
	if why.LocalizedMessage != "" {
		vc.update(vc.ctx(), t.obj, set("info.error", types.LocalizedMethodFault{Fault: f, LocalizedMessage: why.LocalizedMessage}))
	}
}

// UpdateProgress tells how far an extension's task is.
func (c *taskCalls) UpdateProgress(ctx *simulator.Context, r *types.UpdateProgress) soap.HasFault {
	b := new(methods.UpdateProgressBody)
	t, f := c.external()
	if f == nil && t.obj.Info.State != types.TaskInfoStateRunning {
		f = invalidState("the task %s is not running", c.Self.Value)
	}
	if f != nil {
		b.Fault_ = f
		return b
	}
	c.vc.update(ctx, t.obj, set("info.progress", r.PercentDone))
	b.Res = new(types.UpdateProgressResponse)
	return b
}

// SetTaskDescription tells what an extension's task is doing now.
func (c *taskCalls) SetTaskDescription(ctx *simulator.Context, r *types.SetTaskDescription) soap.HasFault {
	b := new(methods.SetTaskDescriptionBody)
	t, f := c.external()
	if f != nil {
		b.Fault_ = f
		return b
	}
	c.vc.update(ctx, t.obj, set("info.description", &r.Description))
	b.Res = new(types.SetTaskDescriptionResponse)
	return b
}

// taskManagerCalls: vcsim's CreateTask answers before the task is there.
type taskManagerCalls struct{ call }

// CreateTask makes a task that its extension drives. The type must be in the
// task list of a registered extension.
func (c *taskManagerCalls) CreateTask(ctx *simulator.Context, r *types.CreateTask) soap.HasFault {
	b, vc := new(methods.CreateTaskBody), c.vc
	known := false
	for _, e := range vc.reg.ExtensionManager().ExtensionList {
		for _, t := range e.TaskList {
			known = known || t.TaskID == r.TaskTypeId
		}
	}
	entity, ok := vc.reg.Get(r.Obj).(mo.Entity)
	switch {
	case !ok:
		b.Fault_ = fault(&types.ManagedObjectNotFound{Obj: r.Obj}, "%s is not there", r.Obj)
		return b
	case !known:
		b.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "taskType"}, "no registered extension has a task type %q", r.TaskTypeId)
		return b
	}
	t := vc.newTask(work{method: r.TaskTypeId, entity: r.Obj, name: entity.Entity().Name, cancelable: r.Cancelable, user: ctx.Session.UserName}, r.TaskTypeId)
	t.obj.Info.ParentTaskKey, t.obj.Info.ActivationId = r.ParentTaskKey, r.ActivationId
	b.Res = &types.CreateTaskResponse{Returnval: t.obj.Info}
	return b
}
