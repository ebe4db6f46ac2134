package vcenter

import (
	"path"
	"strings"
)

// Transfer is what a URL of a lease leads to: one disk, on its way out or in.
type Transfer struct {
	VM   string // name
	File string // "disk-0.vmdk"
	Used int64  // bytes that the disk has in use: what a real stream would be about as long as

	lease *lease
}

// Transfer tells what lies behind the path of a URL of a lease, if anything
// does: for whoever carries the bytes and must know what they weigh.
func (vc *VCenter) Transfer(urlPath string) (t Transfer, ok bool) {
	id, name := path.Split(strings.TrimPrefix(urlPath, nfcPrefix))
	vc.do(func() {
		l := vc.leases[strings.TrimSuffix(id, "/")]
		if l == nil {
			return
		}
		for _, f := range l.files {
			if f.name == name {
				t, ok = Transfer{VM: l.vm, File: name, Used: f.a.disk.Used(), lease: l}, true
			}
		}
	})
	return t, ok
}

// Ended reports whether the lease has ended, which breaks the transfer.
func (t Transfer) Ended() (ended bool) {
	t.lease.vc.do(func() { ended = t.lease.end != "" })
	return ended
}
