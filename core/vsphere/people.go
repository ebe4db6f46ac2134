package vsphere

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// extensionKey is HDM's name among the extensions of a vCenter, and the first
// part of the ids of its tasks and events.
const extensionKey = "com.hdm"

// The types of the tasks that show what HDM does.
const (
	TaskMigrate     = extensionKey + ".migrate"
	TaskMigrateBack = extensionKey + ".migrateBack"
	TaskDeploy      = extensionKey + ".deploy"
	TaskUndeploy    = extensionKey + ".undeploy"
	TaskReset       = extensionKey + ".reset"
)

// taskLabels are what people read of them.
var taskLabels = []types.KeyValue{
	{Key: TaskMigrate + ".label", Value: "Migrate VM to the cloud (HDM)"},
	{Key: TaskMigrateBack + ".label", Value: "Migrate VM back from the cloud (HDM)"},
	{Key: TaskDeploy + ".label", Value: "Deploy HDM"},
	{Key: TaskUndeploy + ".label", Value: "Undeploy HDM"},
	{Key: TaskReset + ".label", Value: "Reset HDM"},
}

func taskTypes() (all []types.ExtensionTaskTypeInfo) {
	for _, l := range taskLabels {
		all = append(all, types.ExtensionTaskTypeInfo{TaskID: strings.TrimSuffix(l.Key, ".label")})
	}
	return all
}

// RegisterExtension makes HDM known to the vCenter, which then accepts its
// tasks and events. It does nothing if it is known in this version.
func (s *Session) RegisterExtension(ctx context.Context, version string) error {
	const op, object = "register", "the extension " + extensionKey
	manager := *s.vim.ServiceContent.ExtensionManager
	find := func() (*types.Extension, error) {
		res, err := methods.FindExtension(ctx, s.vim, &types.FindExtension{This: manager, ExtensionKey: extensionKey})
		if err != nil {
			return nil, err
		}
		return res.Returnval, nil
	}
	now, err := find()
	if err != nil {
		return s.fail(op, object, err, reads)
	}
	if now != nil && now.Version == version {
		return nil
	}
	ext := extension(version, s.runtime.Now())
	if now != nil {
		_, err = methods.UpdateExtension(ctx, s.vim, &types.UpdateExtension{This: manager, Extension: ext})
	} else {
		_, err = methods.RegisterExtension(ctx, s.vim, &types.RegisterExtension{This: manager, Extension: ext})
	}
	if faultOf(err) != nil {
		if now, e := find(); e == nil && now != nil && now.Version == version {
			return nil // another session was faster
		}
	}
	return s.fail(op, object, err, changes)
}

func extension(version string, now time.Time) types.Extension {
	return types.Extension{
		Key: extensionKey, Version: version, Company: "HDM project", LastHeartbeatTime: now,
		Description: &types.Description{Label: "HDM", Summary: "Moves VMs to the cloud and back"},
		TaskList:    taskTypes(),
		ResourceList: []types.ExtensionResourceInfo{{
			Locale: "en", Module: "task",
			Data: taskLabels,
		}},
	}
}

// TaskHandle is a task that people see in the vCenter, and a session to speak
// of it. The task does nothing there: HDM tells how far its own work is.
type TaskHandle struct {
	Ref     Ref
	session *Session
}

// EnsureTask finds the task of that type on the VM, or on what else the
// inventory has, that has this mark, or makes one: queued, with a text that
// people read. The mark becomes the task's activation id. The extension must be
// registered.
func (s *Session) EnsureTask(ctx context.Context, vm Ref, mark, kind, text string) (TaskHandle, error) {
	const op = "make a task for"
	if found, _, err := s.findTask(ctx, vm, mark, kind); err != nil || found.Ref != "" {
		return found, s.fail(op, string(vm), err, reads)
	}
	res, err := methods.CreateTask(ctx, s.vim, &types.CreateTask{
		This: *s.vim.ServiceContent.TaskManager, Obj: vm.managed(), TaskTypeId: kind,
		InitiatedBy: s.user, Cancelable: true, ActivationId: mark,
	})
	if err != nil {
		return TaskHandle{}, s.fail(op, string(vm), err, changes)
	}
	t := s.Task(refOf(res.Returnval.Task))
	return t, t.Describe(ctx, text)
}

// OpenTask finds the task of that type on an object that has this mark and has
// not ended. The zero handle if there is none.
func (s *Session) OpenTask(ctx context.Context, object Ref, mark, kind string) (TaskHandle, error) {
	found, over, err := s.findTask(ctx, object, mark, kind)
	if err != nil || over {
		return TaskHandle{}, s.fail("look for a task of", string(object), err, reads)
	}
	return found, nil
}

func (s *Session) findTask(ctx context.Context, object Ref, mark, kind string) (found TaskHandle, over bool, err error) {
	var v mo.ManagedEntity
	if err := s.one(ctx, object.managed(), &v, "recentTask"); err != nil {
		return TaskHandle{}, false, err
	}
	infos, err := s.taskInfos(ctx, v.RecentTask)
	if err != nil {
		return TaskHandle{}, false, err
	}
	for _, i := range infos {
		if i.ActivationId == mark && i.DescriptionId == kind {
			return s.Task(refOf(i.Task)), ended(i), nil
		}
	}
	return TaskHandle{}, false, nil
}

// Task is the handle of a task whose reference was kept.
func (s *Session) Task(ref Ref) TaskHandle { return TaskHandle{Ref: ref, session: s} }

// CancelledTasks are those that somebody asked in the vCenter to cancel. Tasks
// that the vCenter has forgotten are not among them.
func (s *Session) CancelledTasks(ctx context.Context, tasks []Ref) ([]Ref, error) {
	var refs []types.ManagedObjectReference
	for _, t := range tasks {
		refs = append(refs, t.managed())
	}
	infos, err := s.taskInfos(ctx, refs)
	if err != nil {
		return nil, s.fail("read", "HDM's tasks", err, reads)
	}
	var cancelled []Ref
	for _, i := range infos {
		if i.Cancelled {
			cancelled = append(cancelled, refOf(i.Task))
		}
	}
	return cancelled, nil
}

// Describe changes the text that people read.
func (t TaskHandle) Describe(ctx context.Context, text string) error {
	_, err := methods.SetTaskDescription(ctx, t.session.vim, &types.SetTaskDescription{
		This: t.Ref.managed(), Description: types.LocalizableMessage{Key: extensionKey + ".text", Message: text},
	})
	return t.fail("describe", err)
}

// Running shows the task as running.
func (t TaskHandle) Running(ctx context.Context) error {
	return t.set(ctx, types.TaskInfoStateRunning, nil)
}

// Progress shows how far it is, 0 to 100.
func (t TaskHandle) Progress(ctx context.Context, percent int32) error {
	_, err := methods.UpdateProgress(ctx, t.session.vim, &types.UpdateProgress{This: t.Ref.managed(), PercentDone: min(max(percent, 0), 100)})
	return t.fail("show progress of", err)
}

// Succeed ends the task well.
func (t TaskHandle) Succeed(ctx context.Context) error {
	return t.set(ctx, types.TaskInfoStateSuccess, nil)
}

// Fail ends the task with a reason.
func (t TaskHandle) Fail(ctx context.Context, reason string) error {
	return t.set(ctx, types.TaskInfoStateError, &types.LocalizedMethodFault{
		Fault: &types.ExtendedFault{FaultTypeId: extensionKey + ".failed"}, LocalizedMessage: reason,
	})
}

// Cancel ends the task as cancelled.
func (t TaskHandle) Cancel(ctx context.Context) error {
	return t.set(ctx, types.TaskInfoStateError, &types.LocalizedMethodFault{
		Fault: &types.RequestCanceled{}, LocalizedMessage: "Cancelled",
	})
}

// set does nothing to a task that has ended: the vCenter does not let it
// change again. Whether it has, the task itself must say: a vCenter refuses
// for other reasons too.
func (t TaskHandle) set(ctx context.Context, state types.TaskInfoState, fault *types.LocalizedMethodFault) error {
	_, err := methods.SetTaskState(ctx, t.session.vim, &types.SetTaskState{This: t.Ref.managed(), State: state, Fault: fault})
	if isFault[types.InvalidState](err) {
		infos, e := t.session.taskInfos(ctx, []types.ManagedObjectReference{t.Ref.managed()})
		if e == nil && (len(infos) == 0 || ended(infos[0])) {
			return nil
		}
	}
	return t.fail("show as "+string(state), err)
}

func (t TaskHandle) fail(op string, err error) error {
	return t.session.fail(op, "the task "+string(t.Ref), err, changes)
}

// PostEvent writes an event about a VM or a cluster into the vCenter's log: kind
// begins with "com.hdm.". Posting has no mark: after a lost answer an event can
// be there twice.
func (s *Session) PostEvent(ctx context.Context, about Ref, kind, text string) error {
	if !strings.HasPrefix(kind, extensionKey+".") {
		return s.refuse("post event", strconv.Quote(kind), "its type does not begin with "+extensionKey+".", "")
	}
	ref := about.managed()
	e := &types.EventEx{
		Event:       types.Event{CreatedTime: s.runtime.Now(), UserName: s.user, FullFormattedMessage: text},
		EventTypeId: kind, Severity: string(types.EventEventSeverityInfo), Message: text,
		ObjectId: ref.Value, ObjectType: ref.Type,
	}
	if ref.Type == "VirtualMachine" { // who looks at an object's events looks by these
		e.Vm = &types.VmEventArgument{Vm: ref}
	} else {
		e.ComputeResource = &types.ComputeResourceEventArgument{ComputeResource: ref}
	}
	_, err := methods.PostEvent(ctx, s.vim, &types.PostEvent{This: *s.vim.ServiceContent.EventManager, EventToPost: e})
	return s.fail("post event", strconv.Quote(kind), err, changes)
}
