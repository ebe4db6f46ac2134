package vcenter

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// Foreign lets clients of other hands into a world that somebody else drives. Its
// methods are called from the server's goroutines; what they run must be run
// where nothing else touches the world. An error says that it was not run, and is
// told the client.
type Foreign interface {
	// Look runs fn, which reads and leaves nothing behind that the world would see.
	Look(ctx context.Context, fn func()) error
	// Change runs fn, which may change the world: c says what it is, so that a
	// Repeater can do it again.
	Change(ctx context.Context, c ForeignCall, fn func()) error
}

// ForeignCall is a call of a foreign client as it can be kept: without passwords
// and session keys.
type ForeignCall struct {
	Session int    `json:"session,omitempty"` // number of the client's session, from 1; 0: none
	Agent   string `json:"agent,omitempty"`   // what the client calls itself
	Method  string `json:"method"`            // of the API ("PowerOnVM_Task"), or else of HTTP
	Object  string `json:"object,omitempty"`  // of the API: "VirtualMachine:vm-42"
	Path    string `json:"path"`
	Body    string `json:"body,omitempty"` // SOAP
	Data    []byte `json:"data,omitempty"` // a disk image
}

// Limits of foreign clients.
const (
	maxForeignBody     = 4 << 20   // bytes of a SOAP request
	maxForeignTransfer = 128 << 20 // bytes of a disk image as it travels
	maxForeignSessions = 1000
	maxAgent           = 200 // bytes kept of a user agent
)

// reads are the methods that leave nothing behind but what belongs to the session
// that calls them. Whatever is not here counts as a change.
var reads = setOf(`
	RetrieveServiceContent RetrieveProperties RetrievePropertiesEx ContinueRetrievePropertiesEx CancelRetrievePropertiesEx Fetch
	CreateFilter DestroyPropertyFilter CreatePropertyCollector DestroyPropertyCollector CheckForUpdates
	CreateContainerView CreateListView ModifyListView ResetListView DestroyView
	FindByUuid FindAllByUuid FindByInventoryPath FindChild FindByIp FindAllByIp FindByDnsName FindAllByDnsName FindByDatastorePath
	CurrentTime Login LoginByToken LoginExtensionByCertificate CloneSession AcquireCloneTicket SessionIsActive RetrieveUserGroups
	QueryEvents CreateCollectorForEvents CreateCollectorForTasks ReadNextEvents ReadPreviousEvents ReadNextTasks ReadPreviousTasks
	ResetCollector RewindCollector SetCollectorPageSize DestroyCollector
	QueryConfigOption QueryConfigOptionEx QueryConfigOptionDescriptor QueryConfigTarget QueryTargetCapabilities
	QueryPerf QueryPerfCounter QueryPerfProviderSummary QueryAvailablePerfMetric
	RetrieveRolePermissions RetrieveEntityPermissions RetrieveAllPermissions
	HasPrivilegeOnEntities HasPrivilegeOnEntity HasUserPrivilegeOnEntities FetchUserPrivilegeOnEntities
	QueryOptions FindExtension QueryAssignedLicenses DecodeLicense QueryIpPools QueryNetConfig QueryNetworkHint
	PbmRetrieveServiceContent PbmQueryProfile PbmRetrieveContent
	PbmQueryAssociatedProfile PbmQueryAssociatedProfiles PbmQueryAssociatedEntity
	HttpNfcLeaseGetManifest QueryIoFilterInfo QueryDisksUsingFilter DoesCustomizationSpecExist GetCustomizationSpec GetAlarm
	FetchDVPorts QueryTpmAttestationReport RetrieveDynamicTypeManager RetrieveInternalContent RetrieveManagedMethodExecuter`)

func setOf(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

// door is the vCenter as foreign clients find it.
type door struct {
	vc   *VCenter
	gate Foreign

	mu       sync.Mutex
	sessions map[string]*visitor // by key
	waiters  atomic.Int64        // clients that wait for updates
	edits    edits
	numbers  int // given so far
	uses     uint64
}

// visitor is a session of a foreign client.
type visitor struct {
	number int           // 0 until it first changes something
	used   uint64        // when it was last used: the least is the idlest
	cancel chan struct{} // closed when it cancels its waits; nil: it has none
}

// foreignHandler is Handler for clients that the world's owner has to let in.
func (vc *VCenter) foreignHandler(gate Foreign) http.Handler {
	d := &door{vc: vc, gate: gate, sessions: map[string]*visitor{}}
	d.edits.ManagedObjectReference = types.ManagedObjectReference{Type: "hdm", Value: "edits"}
	vc.reg.AddHandler(&d.edits)
	vc.do(func() { vc.restartWatch = append(vc.restartWatch, d.forget) })
	mux := http.NewServeMux()
	mux.HandleFunc(sdkPath, d.serveSDK)
	mux.HandleFunc(sdkPath+"/vimService", d.serveSDK)
	mux.HandleFunc(sdkPath+"/vimServiceVersions.xml", vc.service.ServiceVersions)
	mux.HandleFunc(pbmPath, d.serveSDK)
	mux.HandleFunc(pbmPath+"/sdk", d.serveSDK)
	mux.HandleFunc(nfcPrefix+"{lease}/{file}", d.serveNFC)
	mux.HandleFunc(folderPrefix, d.serveFolder)
	return mux
}

// serveSDK lets one SOAP request in.
func (d *door) serveSDK(w http.ResponseWriter, r *http.Request) {
	body, ok := readBody(w, r, maxForeignBody)
	if !ok {
		return
	}
	method, this, err := SOAPTarget(body)
	if err == nil && !utf8.Valid(body) {
		err = errors.New("the request is not UTF-8")
	}
	key := sessionKey(r)
	if err == nil && strings.HasPrefix(r.URL.Path, pbmPath) {
		key, err = headerSession(body), isPBM(body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.Header.Set("User-Agent", agentOf(r))
	answer := httptest.NewRecorder()
	switch {
	case method == "CancelWaitForUpdates":
		d.cancelWaits(key)
		err = d.look(r.Context(), method, func() error { return d.vc.performSDK(answer, r, this) })
	case waits(method):
		answer, err = d.serveWait(r, key, method, this, body)
		if answer == nil {
			send(w, nil, err)
			return
		}
	case d.changes(method, key):
		call := ForeignCall{
			Session: d.number(key), Agent: agentOf(r), Method: method, Object: this.Type + ":" + this.Value, Path: r.URL.Path,
			Body: d.clean(string(body)),
		}
		err = d.gated(d.gate.Change(r.Context(), call, func() { err = d.vc.performSDK(answer, r, this) }), err)
	default:
		err = d.look(r.Context(), method, func() error { return d.vc.performSDK(answer, r, this) })
	}
	d.follow(method, key, answer)
	send(w, answer, err)
}

// gated is the error of a call that was let in, or that of the gate.
func (d *door) gated(gate, call error) error {
	if gate != nil {
		return &gateError{gate}
	}
	return call
}

// gateError says that a call was not let in.
type gateError struct{ err error }

func (e *gateError) Error() string { return e.err.Error() }
func (e *gateError) Unwrap() error { return e.err }

var errSessions = errors.New("too many sessions are open: log out of some")

// look runs a read. A login makes room first, if there is none.
func (d *door) look(ctx context.Context, method string, fn func() error) (err error) {
	idlest, room := "", true
	if method == "Login" || method == "CloneSession" {
		idlest, room = d.room()
	}
	if !room {
		return &gateError{errSessions}
	}
	gate := d.gate.Look(ctx, func() {
		if idlest != "" {
			d.vc.logout(idlest)
		}
		err = fn()
	})
	return d.gated(gate, err)
}

// room says whether another session may open, and which one ends for it: the
// idlest of those that never changed anything.
func (d *door) room() (idlest string, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.sessions) < maxForeignSessions {
		return "", true
	}
	for key, v := range d.sessions { //hdm:order-safe no two were last used at once
		if v.number == 0 && (idlest == "" || v.used < d.sessions[idlest].used) {
			idlest = key
		}
	}
	delete(d.sessions, idlest)
	return idlest, idlest != ""
}

// changes says whether a call has to go in as a change. What has no session
// changes nothing: it is refused.
func (d *door) changes(method, key string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.sessions[key]
	if v == nil || reads[method] {
		return false
	}
	return method != "Logout" || v.number > 0 // one that changed nothing leaves nothing open
}

// forget all sessions: none has outlived a restart of the vCenter. Who waits is
// let go.
func (d *door) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, v := range d.sessions { //hdm:order-safe each for itself
		if v.cancel != nil {
			close(v.cancel)
		}
	}
	clear(d.sessions)
}

// number is that of a session, a new one if it has none yet.
func (d *door) number(key string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.sessions[key]
	if v == nil {
		return 0
	}
	if v.number == 0 {
		d.numbers++
		v.number = d.numbers
	}
	return v.number
}

// follow keeps track of the sessions that there are.
func (d *door) follow(method, key string, answer *httptest.ResponseRecorder) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.uses++
	if v := d.sessions[key]; v != nil {
		v.used = d.uses
	}
	if method == "Logout" && answer.Code == http.StatusOK {
		delete(d.sessions, key)
	}
	for _, c := range answer.Result().Cookies() {
		if c.Name == soap.SessionCookieName {
			d.sessions[c.Value] = &visitor{used: d.uses}
		}
	}
}

// clean takes out of a body what must not be kept: secrets, and the keys of
// sessions, which give way to marks.
func (d *door) clean(body string) string {
	d.mu.Lock()
	keys := slices.Sorted(maps.Keys(d.sessions))
	d.mu.Unlock()
	return hideSessions(withoutSecrets(body, func(code, value string) bool { return disguised(code, value, keys) }), keys, d.number)
}

// agentOf is what a client calls itself, told apart from those of the world.
func agentOf(r *http.Request) string {
	agent := strings.ToValidUTF8(strings.TrimPrefix(r.UserAgent(), foreignAgent), "?")
	return foreignAgent + agent[:min(len(agent), maxAgent)]
}

// foreignAgent begins the user agents of foreign clients, so that none is taken
// for one of the world's own.
const foreignAgent = "foreign "

func sessionKey(r *http.Request) string {
	c, err := r.Cookie(soap.SessionCookieName)
	if err != nil {
		return ""
	}
	return c.Value
}

// readBody reads a request's body, or refuses it.
func readBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if large := new(http.MaxBytesError); errors.As(err, &large) {
		http.Error(w, "the body is larger than "+strconv.FormatInt(large.Limit, 10)+" bytes, the most that is taken here", http.StatusRequestEntityTooLarge)
		return nil, false
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return nil, false
	}
	return body, true
}

// send writes an answer once others may go on: a slow reader holds up nobody.
func send(w http.ResponseWriter, answer *httptest.ResponseRecorder, failed error) {
	switch {
	case errors.As(failed, new(*gateError)):
		w.Header().Set("Retry-After", "1")
		http.Error(w, failed.Error(), http.StatusServiceUnavailable)
		return
	case failed != nil:
		http.Error(w, failed.Error(), http.StatusInternalServerError)
		return
	}
	for k, v := range answer.Header() { //hdm:order-safe headers have no order
		w.Header()[k] = v
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // the client has gone: nobody to tell
}

// serveNFC lets one transfer in, as a whole: an image is received before it
// changes anything, and read before it is sent.
func (d *door) serveNFC(w http.ResponseWriter, r *http.Request) {
	body, ok := readBody(w, r, maxForeignTransfer)
	if !ok {
		return
	}
	call := ForeignCall{Agent: agentOf(r), Method: r.Method, Path: r.URL.Path, Data: body}
	answer := httptest.NewRecorder()
	var err error
	err = d.gated(d.gate.Change(r.Context(), call, func() { err = d.vc.performNFC(answer, r.Method, r.URL.Path, body) }), err)
	send(w, answer, err)
}

var errTransfer = errors.New("the transfer broke: the lease ended, or the disk holds more than can be carried here")

// performNFC carries one disk in one go.
func (vc *VCenter) performNFC(answer *httptest.ResponseRecorder, method, path string, body []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p != any(http.ErrAbortHandler) {
				panic(p)
			}
			err = errTransfer
		}
	}()
	r := (&http.Request{Method: method, Body: io.NopCloser(bytes.NewReader(body))}).WithContext(context.Background())
	id, file, _ := strings.Cut(strings.TrimPrefix(path, nfcPrefix), "/")
	r.SetPathValue("lease", id)
	r.SetPathValue("file", file)
	vc.serveNFC(&bounded{ResponseRecorder: answer, left: maxForeignTransfer}, r)
	return nil
}

// bounded is an answer that can only become so large.
type bounded struct {
	*httptest.ResponseRecorder
	left int
}

// Write implements http.ResponseWriter.
func (b *bounded) Write(p []byte) (int, error) {
	if len(p) > b.left {
		return 0, errTransfer
	}
	b.left -= len(p)
	return b.ResponseRecorder.Write(p)
}

// performSDK answers a SOAP request whose target has been read already.
func (vc *VCenter) performSDK(answer *httptest.ResponseRecorder, r *http.Request, this types.ManagedObjectReference) (failed error) {
	apply := func() {
		defer vc.guard(this, &failed)
		vc.serveOne(answer, r)
	}
	vc.do(apply)
	return failed
}

// serveFolder lets a disk be read piece by piece, so that a large one holds up
// nobody.
func (d *door) serveFolder(w http.ResponseWriter, r *http.Request) {
	var f *folderFile
	var refused *httpError
	if err := d.gate.Look(r.Context(), func() { f, refused = d.vc.openFolder(r) }); err != nil {
		send(w, nil, &gateError{err})
		return
	}
	if refused != nil {
		refused.send(w)
		return
	}
	serveDisk(w, r, &pieces{file: f, look: func(fn func()) error { return d.gate.Look(r.Context(), fn) }})
}

// pieces reads a disk a piece at a time.
type pieces struct {
	file *folderFile
	look func(func()) error
	at   int64 // where have begins
	have []byte
}

const piece = 1 << 20

// ReadAt implements io.ReaderAt.
func (p *pieces) ReadAt(b []byte, at int64) (n int, err error) {
	if at < p.at || at >= p.at+int64(len(p.have)) {
		p.at, p.have = at, make([]byte, min(piece, p.file.disk.Capacity()-at))
		if gate := p.look(func() { _, err = p.file.ReadAt(p.have, at) }); gate != nil {
			err = gate
		}
		if err != nil {
			p.have = nil
			return 0, err
		}
	}
	n = copy(b, p.have[at-p.at:])
	if n < len(b) {
		more, err := p.ReadAt(b[n:], at+int64(n))
		return n + more, err
	}
	return n, nil
}

func (p *pieces) size() int64 { return p.file.size() }
