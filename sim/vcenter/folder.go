package vcenter

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/hdm-project/hdm/sim/disk"
)

const folderPrefix = "/folder/"

// serveFolder gives the bytes of a disk, raw and with ranges: GET
// /folder/<dir>/<name>-flat.vmdk?dcPath=DC&dsName=<datastore>, by whoever has a
// session or the password. Nothing else is in a datastore, and nothing can be
// written this way.
func (vc *VCenter) serveFolder(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "disks can only be read here", http.StatusMethodNotAllowed)
		return
	}
	if !vc.authorized(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="vCenter"`)
		http.Error(w, "log in first", http.StatusUnauthorized)
		return
	}
	path, store := strings.TrimPrefix(r.URL.Path, folderPrefix), r.URL.Query().Get("dsName")
	var d *disk.Disk
	running := false
	vc.do(func() {
		for _, m := range vc.order {
			for _, a := range m.disks {
				if a.store.obj.Name == store && flatName(a.path) == path {
					d, running = a.disk, m.vm.Runtime.PowerState == poweredOn
				}
			}
		}
	})
	switch {
	case d == nil:
		http.Error(w, fmt.Sprintf("the datastore %q has no %q", store, path), http.StatusNotFound)
		return
	case running: // ESXi holds a lock on it, and here a guest writes beside us
		http.Error(w, fmt.Sprintf("%q is locked: its VM is powered on", path), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(d, 0, d.Capacity()))
}

// authorized says whether the request carries the cookie of a session, the
// ticket of one, or the password.
func (vc *VCenter) authorized(r *http.Request) bool {
	if user, password, ok := r.BasicAuth(); ok {
		want, _ := vc.Credentials().Password()
		return user == vc.config.User && password == want
	}
	if c, err := r.Cookie("vmware_cgi_ticket"); err == nil && c.Value != "" {
		return true // vcsim hands them out to sessions only
	}
	for _, name := range []string{"vmware_soap_session", "vmware-api-session-id"} {
		if c, err := r.Cookie(name); err == nil {
			key := strings.Trim(c.Value, `"`)
			for _, s := range vc.Sessions() {
				if s.Key == key {
					return true
				}
			}
		}
	}
	return false
}
