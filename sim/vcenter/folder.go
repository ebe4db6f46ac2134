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
	f, refused := vc.openFolder(r)
	if refused != nil {
		refused.send(w)
		return
	}
	serveDisk(w, r, f)
}

func serveDisk(w http.ResponseWriter, r *http.Request, disk interface {
	io.ReaderAt
	size() int64
}) {
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(disk, 0, disk.size()))
}

// folderFile is a disk that is being read.
type folderFile struct {
	m    *machine
	path string
	disk *disk.Disk
}

func (f *folderFile) size() int64 { return f.disk.Capacity() }

// ReadAt reads a disk that no guest writes.
func (f *folderFile) ReadAt(p []byte, at int64) (int, error) {
	if err := f.locked(); err != nil {
		return 0, err
	}
	return f.disk.ReadAt(p, at)
}

// locked: ESXi holds a lock on it, and here a guest writes beside us.
func (f *folderFile) locked() error {
	if f.m.vm.Runtime.PowerState == poweredOn {
		return fmt.Errorf("%q is locked: its VM is powered on", f.path)
	}
	return nil
}

// httpError is a refusal of a request.
type httpError struct {
	status int
	why    string
}

func (e *httpError) send(w http.ResponseWriter) {
	if e.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="vCenter"`)
	}
	http.Error(w, e.why, e.status)
}

// openFolder finds the disk that a request is about.
func (vc *VCenter) openFolder(r *http.Request) (*folderFile, *httpError) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil, &httpError{http.StatusMethodNotAllowed, "disks can only be read here"}
	}
	if vc.Down() {
		return nil, &httpError{http.StatusServiceUnavailable, (&DownError{vc.config.Site}).Error()}
	}
	if !vc.authorized(r) {
		return nil, &httpError{http.StatusUnauthorized, "log in first"}
	}
	path, store := strings.TrimPrefix(r.URL.Path, folderPrefix), r.URL.Query().Get("dsName")
	var f *folderFile
	var locked error
	vc.do(func() {
		for _, m := range vc.order {
			for _, a := range m.disks {
				if a.store.served == nil && a.store.obj.Name == store && flatName(a.path) == path {
					f = &folderFile{m, path, a.disk}
					locked = f.locked()
				}
			}
		}
	})
	switch {
	case f == nil:
		return nil, &httpError{http.StatusNotFound, fmt.Sprintf("the datastore %q has no %q", store, path)}
	case locked != nil:
		return nil, &httpError{http.StatusInternalServerError, locked.Error()}
	}
	return f, nil
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
