package vcenter

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// How often the world is looked at for a client that waits for updates. vcsim
// takes 20 ms for a look, so that many who wait look more seldom.
const (
	lookEvery   = 100 * time.Millisecond
	lookForEach = 200 * time.Millisecond // of those who wait at once
)

// edits counts what vcsim tells its own collectors: a look that nothing preceded
// finds nothing.
type edits struct {
	types.ManagedObjectReference
	n uint64
}

func (e *edits) Reference() types.ManagedObjectReference { return e.ManagedObjectReference }

// PutObject implements simulator.RegisterObject.
func (e *edits) PutObject(*simulator.Context, mo.Reference) { e.n++ }

// UpdateObject implements simulator.RegisterObject.
func (e *edits) UpdateObject(*simulator.Context, mo.Reference, []types.PropertyChange) { e.n++ }

// RemoveObject implements simulator.RegisterObject.
func (e *edits) RemoveObject(*simulator.Context, types.ManagedObjectReference) { e.n++ }

// waiting is what a WaitForUpdates or WaitForUpdatesEx asks for.
type waiting struct {
	Version string `xml:"Body>WaitForUpdatesEx>version"`
	Old     string `xml:"Body>WaitForUpdates>version"`
	Max     *int32 `xml:"Body>WaitForUpdatesEx>options>maxWaitSeconds"`
	Objects int32  `xml:"Body>WaitForUpdatesEx>options>maxObjectUpdates"`
}

// serveWait answers a client that waits for updates. vcsim would wait beside the
// world, and read it while it changes; here it looks, again and again, when
// nothing else happens.
func (d *door) serveWait(r *http.Request, key, method string, this types.ManagedObjectReference, body []byte) (answer *httptest.ResponseRecorder, err error) {
	var w waiting
	if err := xml.Unmarshal(body, &w); err != nil {
		return nil, err
	}
	version := w.Version + w.Old // one of them is empty
	call := fmt.Sprintf(`<WaitForUpdatesEx xmlns="urn:vim25"><_this type="PropertyCollector">%s</_this><version>%s</version><options><maxWaitSeconds>0</maxWaitSeconds><maxObjectUpdates>%d</maxObjectUpdates></options></WaitForUpdatesEx>`,
		inXML(this.Value), inXML(version), w.Objects)
	var over <-chan time.Time
	if w.Max != nil {
		over = time.After(time.Duration(*w.Max) * time.Second)
	}
	cancelled := d.cancelled(key)
	d.waiters.Add(1)
	defer d.waiters.Add(-1)
	seen := ^uint64(0)
	for {
		gate := d.gate.Look(r.Context(), func() {
			if d.edits.n == seen {
				return
			}
			seen = d.edits.n
			answer = httptest.NewRecorder()
			d.vc.do(func() {
				defer d.vc.guard(this, &err)
				d.vc.serveOne(answer, d.vc.request(key, r.UserAgent(), call))
			})
		})
		if gate != nil || err != nil {
			return nil, d.gated(gate, err)
		}
		if answer.Code != http.StatusOK || bytes.Contains(answer.Body.Bytes(), []byte("<returnval")) {
			return renamedFor(method, answer), nil
		}
		next := time.NewTimer(max(lookEvery, time.Duration(d.waiters.Load())*lookForEach))
		select {
		case <-next.C:
			continue
		case <-over:
		case <-cancelled:
			answer = httptest.NewRecorder()
			answer.WriteHeader(http.StatusInternalServerError)
			_, _ = answer.WriteString(cancelledFault) // into memory
		case <-r.Context().Done():
		}
		next.Stop()
		return renamedFor(method, answer), nil
	}
}

// renamedFor makes the answer one to the method that was called.
func renamedFor(method string, answer *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	if method == "WaitForUpdates" {
		answer.Body = bytes.NewBuffer(bytes.ReplaceAll(answer.Body.Bytes(), []byte("WaitForUpdatesExResponse"), []byte("WaitForUpdatesResponse")))
	}
	return answer
}

const cancelledFault = xml.Header + `<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>The wait for updates was cancelled.</faultstring><detail><RequestCanceledFault xmlns="urn:vim25" xsi:type="RequestCanceled"></RequestCanceledFault></detail></soapenv:Fault></soapenv:Body></soapenv:Envelope>`

// cancelled is closed when the session cancels its waits.
func (d *door) cancelled(key string) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.sessions[key]
	if v == nil {
		return nil // it is refused at its first look
	}
	if v.cancel == nil {
		v.cancel = make(chan struct{})
	}
	return v.cancel
}

// cancelWaits lets go of all that a session waits for.
func (d *door) cancelWaits(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if v := d.sessions[key]; v != nil && v.cancel != nil {
		close(v.cancel)
		v.cancel = nil
	}
}
