package vcenter

import (
	"fmt"
	"net/http"
	"time"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/hdm-project/hdm/core/vsphere"
)

// DownError says that a call found no vCenter: it restarts.
type DownError struct{ Site vsphere.Site }

func (e *DownError) Error() string {
	return fmt.Sprintf("the vCenter of %s is down: try again when it has restarted", e.Site)
}

// Restart takes the vCenter down for so long. Meanwhile calls find nobody, and
// what runs on the hosts runs on. What it keeps is in its database: inventory,
// snapshots, extraConfig, storage policies, events, and the tasks that an
// extension drives. Gone are all sessions, and with them the views, the filters
// and what waits for updates. Its own tasks that were not over fail with
// SystemError and are not done, for the hosts drop what nobody waits for; its
// leases are aborted. Down already, it is so anew for that long.
func (vc *VCenter) Restart(down time.Duration) {
	var visitors []string
	vc.do(func() {
		for _, s := range vc.sessionList() {
			if vc.sessions[s.Key] == nil {
				visitors = append(visitors, s.Key)
			}
		}
	})
	if !vc.Down() {
		for _, key := range visitors {
			vc.logout(key)
		}
	}
	vc.do(func() {
		if vc.stopDown != nil {
			vc.stopDown()
		}
		vc.down = true
		for _, key := range sortedKeys(vc.sessions) {
			vc.endSession(key)
		}
		vc.dropWork()
		vc.queue = append(vc.queue, vc.restartWatch...)
		vc.stopDown = vc.after(down, func() { vc.down, vc.stopDown = false, nil })
	})
}

// dropWork ends the leases and the vCenter's own tasks.
func (vc *VCenter) dropWork() {
	why := func() types.BaseMethodFault {
		return explained(&types.SystemError{Reason: "vCenter Server was restarted"}, "The operation was interrupted: vCenter Server was restarted.")
	}
	for _, l := range vc.leaseLog {
		l.close(vc.ctx(), leaseAborted, why())
	}
	for _, t := range vc.taskList {
		if t.run != nil || t.cancelled != nil {
			vc.finish(t, nil, why())
		}
	}
}

// Down says whether the vCenter is down.
func (vc *VCenter) Down() (down bool) {
	vc.do(func() { down = vc.down })
	return down
}

// whenUp answers for a vCenter that is down as the proxy before it does.
func (vc *VCenter) whenUp(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if vc.Down() {
			noVCenter(w)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func noVCenter(w http.ResponseWriter) {
	http.Error(w, "503 Service Unavailable (no healthy upstream)", http.StatusServiceUnavailable)
}

// serveOne answers a SOAP request into w, if there is a vCenter. mu is held.
func (vc *VCenter) serveOne(w http.ResponseWriter, r *http.Request) {
	if vc.down {
		noVCenter(w)
		return
	}
	vc.service.ServeSDK(w, r)
}
