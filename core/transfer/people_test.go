package transfer_test

import (
	"context"
	"io"
	"net/http"
	"strings"
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

// corrupt makes something on the premises flip a bit of every disk that is
// sent, behind the checksum that the vCenter tells.
func (w *world) corrupt(t *testing.T) {
	t.Helper()
	target := &w.OnPremises.Path.Target
	target.HTTP = corrupting{target.HTTP}
}

type corrupting struct{ inner http.RoundTripper }

func (c corrupting) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := c.inner.RoundTrip(req)
	if err != nil || !strings.HasPrefix(req.URL.Path, "/nfc/") {
		return res, err
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	body[70] ^= 1 // in the header's padding, where no decoder looks
	res.Body = io.NopCloser(strings.NewReader(string(body)))
	return res, nil
}
