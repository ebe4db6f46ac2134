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

// taskKinds are the kinds of tasks that HDM shows, and their names.
var taskKinds = []struct{ kind, label string }{
	{"migrate", "Migrate VM to the cloud (HDM)"},
}

// extensionVersion changes when taskKinds do, so that a vCenter hears of it.
const extensionVersion = "1.0.0"

// RegisterExtension makes HDM known to the vCenter, which then accepts its
// tasks. It does nothing if it is known in this version. EnsureTask calls it
// when it must.
func (s *Session) RegisterExtension(ctx context.Context) error {
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
	if now != nil && now.Version == extensionVersion {
		return nil
	}
	ext := extension(s.runtime.Now())
	if now != nil {
		_, err = methods.UpdateExtension(ctx, s.vim, &types.UpdateExtension{This: manager, Extension: ext})
	} else {
		_, err = methods.RegisterExtension(ctx, s.vim, &types.RegisterExtension{This: manager, Extension: ext})
	}
	if faultOf(err) != nil {
		if now, e := find(); e == nil && now != nil && now.Version == extensionVersion {
			return nil // another session was faster
		}
	}
	return s.fail(op, object, err, changes)
}

func extension(now time.Time) types.Extension {
	ext := types.Extension{
		Key: extensionKey, Version: extensionVersion, Company: "HDM project", LastHeartbeatTime: now,
		Description: &types.Description{Label: "HDM", Summary: "Moves VMs to the cloud and back"},
	}
	words := types.ExtensionResourceInfo{Locale: "en", Module: "task"}
	for _, k := range taskKinds {
		id := extensionKey + "." + k.kind
		ext.TaskList = append(ext.TaskList, types.ExtensionTaskTypeInfo{TaskID: id})
		words.Data = append(words.Data, types.KeyValue{Key: id + ".label", Value: k.label})
	}
	ext.ResourceList = []types.ExtensionResourceInfo{words}
	return ext
}

// TaskHandle is a task that people see in the vCenter. It does nothing there:
// HDM tells how far its own work is. It outlives the session that found it.
type TaskHandle struct {
	Ref  Ref
	text string // as last described
}

// EnsureTask finds the task of that kind ("migrate") on the VM that has this
// mark, or makes one, and shows it as running. The mark becomes the task's
// activation id.
func (s *Session) EnsureTask(ctx context.Context, vm Ref, mark, kind string) (*TaskHandle, error) {
	const op = "make a task for"
	id := extensionKey + "." + kind
	var v mo.VirtualMachine
	if err := s.one(ctx, vm.managed(), &v, "recentTask"); err != nil {
		return nil, s.fail(op, string(vm), err, reads)
	}
	infos, err := s.taskInfos(ctx, v.RecentTask)
	if err != nil {
		return nil, s.fail(op, string(vm), err, reads)
	}
	for _, i := range infos {
		if i.ActivationId == mark && i.DescriptionId == id {
			return s.show(ctx, &TaskHandle{Ref: refOf(i.Task)}, i.State)
		}
	}
	create := func() (*types.CreateTaskResponse, error) {
		return methods.CreateTask(ctx, s.vim, &types.CreateTask{
			This: *s.vim.ServiceContent.TaskManager, Obj: vm.managed(), TaskTypeId: id,
			InitiatedBy: s.user, Cancelable: true, ActivationId: mark,
		})
	}
	res, err := create()
	if isFault[types.InvalidArgument](err) { // this vCenter does not know the kind yet
		if err := s.RegisterExtension(ctx); err != nil {
			return nil, err
		}
		res, err = create()
	}
	if err != nil {
		return nil, s.fail(op, string(vm), err, changes)
	}
	return s.show(ctx, &TaskHandle{Ref: refOf(res.Returnval.Task)}, res.Returnval.State)
}

// show takes a task that was just made from queued to running.
func (s *Session) show(ctx context.Context, t *TaskHandle, state types.TaskInfoState) (*TaskHandle, error) {
	if state != types.TaskInfoStateQueued {
		return t, nil
	}
	return t, t.set(ctx, s, types.TaskInfoStateRunning, nil)
}

// Progress shows how far it is, 0 to 100, and what is being done.
func (t *TaskHandle) Progress(ctx context.Context, s *Session, percent int32, text string) error {
	_, err := methods.UpdateProgress(ctx, s.vim, &types.UpdateProgress{This: t.Ref.managed(), PercentDone: min(max(percent, 0), 100)})
	if err != nil {
		return t.fail(s, "show progress of", err)
	}
	if text == t.text {
		return nil
	}
	_, err = methods.SetTaskDescription(ctx, s.vim, &types.SetTaskDescription{
		This: t.Ref.managed(), Description: types.LocalizableMessage{Key: extensionKey + ".text", Message: text},
	})
	if err == nil {
		t.text = text
	}
	return t.fail(s, "describe", err)
}

// Succeed ends the task well.
func (t *TaskHandle) Succeed(ctx context.Context, s *Session) error {
	return t.set(ctx, s, types.TaskInfoStateSuccess, nil)
}

// Fail ends the task with a reason.
func (t *TaskHandle) Fail(ctx context.Context, s *Session, reason string) error {
	return t.set(ctx, s, types.TaskInfoStateError, &types.LocalizedMethodFault{
		Fault: &types.ExtendedFault{FaultTypeId: extensionKey + ".failed"}, LocalizedMessage: reason,
	})
}

// set does nothing to a task that has ended: the vCenter does not let it
// change again.
func (t *TaskHandle) set(ctx context.Context, s *Session, state types.TaskInfoState, fault *types.LocalizedMethodFault) error {
	_, err := methods.SetTaskState(ctx, s.vim, &types.SetTaskState{This: t.Ref.managed(), State: state, Fault: fault})
	if isFault[types.InvalidState](err) {
		return nil
	}
	return t.fail(s, "show as "+string(state), err)
}

func (t *TaskHandle) fail(s *Session, op string, err error) error {
	return s.fail(op, "the task "+string(t.Ref), err, changes)
}

// PostEvent writes an event about a VM into the vCenter's log: kind begins
// with "com.hdm.". Posting has no mark: after a lost answer an event can be
// there twice.
func (s *Session) PostEvent(ctx context.Context, vm Ref, kind, text string) error {
	if !strings.HasPrefix(kind, extensionKey+".") {
		return s.refuse("post event", strconv.Quote(kind), "its type does not begin with "+extensionKey+".", "")
	}
	ref := vm.managed()
	_, err := methods.PostEvent(ctx, s.vim, &types.PostEvent{
		This: *s.vim.ServiceContent.EventManager,
		EventToPost: &types.EventEx{
			Event: types.Event{
				CreatedTime: s.runtime.Now(), UserName: s.user, FullFormattedMessage: text,
				Vm: &types.VmEventArgument{Vm: ref},
			},
			EventTypeId: kind, Severity: string(types.EventEventSeverityInfo), Message: text,
			ObjectId: ref.Value, ObjectType: ref.Type,
		},
	})
	return s.fail("post event", strconv.Quote(kind), err, changes)
}
