package transfer_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
)

// cancelImport does what a person does in the vCenter's list of tasks.
func cancelImport(t *testing.T, w *world) {
	t.Helper()
	ctx := context.Background()
	client := w.Cloud.VCenter.Direct("a person")
	content, err := methods.GetServiceContent(ctx, client)
	require.NoError(t, err)
	user := w.Cloud.VCenter.Credentials()
	password, _ := user.Password()
	_, err = methods.Login(ctx, client, &types.Login{This: *content.SessionManager, UserName: user.Username(), Password: password})
	require.NoError(t, err)
	for _, task := range w.Cloud.VCenter.Tasks() {
		if task.Method == "ImportVApp" && task.State == vsphere.TaskRunning {
			_, err = methods.CancelTask(ctx, client, &types.CancelTask{This: types.ManagedObjectReference{Type: "Task", Value: task.ID}})
			require.NoError(t, err)
		}
	}
	_, err = methods.Logout(ctx, client, &types.Logout{This: *content.SessionManager})
	require.NoError(t, err)
}
