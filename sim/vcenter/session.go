package vcenter

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// session is a session of a client in this process. Those over HTTP are
// vcsim's; who lists or terminates sessions sees both.
type session struct {
	user     types.UserSession
	registry *simulator.Registry // its views, collectors and filters
}

// Direct is a client of the vCenter in this process: a soap.RoundTripper that
// calls methods without XML or sockets. Each has its own session, none until
// it logs in, as an HTTP client with its own cookie jar has. A vim25.Client of
// it lacks what needs a soap.Client: transfers go through Handler.
type Direct struct {
	vc        *VCenter
	userAgent string
	key       string // of its session; may have been terminated
}

// Direct returns a client without a session. The user agent is what a list of
// sessions tells of it.
func (vc *VCenter) Direct(userAgent string) *Direct { return &Direct{vc: vc, userAgent: userAgent} }

// Fork returns another client of the same vCenter, without a session.
func (d *Direct) Fork(userAgent string) *Direct { return d.vc.Direct(userAgent) }

type directKey struct{}

// RoundTrip implements soap.RoundTripper: it applies the call before it
// returns. Errors are soap faults, as from a vCenter over HTTP, or *DownError.
func (d *Direct) RoundTrip(ctx context.Context, req, res soap.HasFault) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	if done, err := d.login(req, res); done {
		return err
	}
	name, this := Target(req)
	apply := func() {
		defer d.vc.guard(this, &err)
		if d.vc.down {
			err = &DownError{d.vc.config.Site}
			return
		}
		err = d.vc.service.RoundTrip(context.WithValue(ctx, directKey{}, d), req, res)
	}
	if waits(name) && !d.vc.Down() {
		apply()
		d.vc.deliver()
	} else {
		d.vc.do(apply)
	}
	if name == "Logout" && err == nil {
		d.key = ""
	}
	return err
}

// login answers the one call that makes a session.
func (d *Direct) login(req, res soap.HasFault) (done bool, err error) {
	in, ok := req.(*methods.LoginBody)
	if !ok {
		return false, nil
	}
	d.vc.do(func() {
		if d.vc.down {
			err = &DownError{d.vc.config.Site}
			return
		}
		password, _ := d.vc.service.Listen.User.Password()
		if d.vc.sessions[d.key] != nil || in.Req.UserName != d.vc.config.User || in.Req.Password != password {
			err = soap.WrapSoapFault(fault(new(types.InvalidLogin), "Cannot complete login due to an incorrect user name or password."))
			return
		}
		d.vc.sessSeq++
		now := d.vc.now()
		s := &session{registry: simulator.NewRegistry(), user: types.UserSession{
			Key: fmt.Sprintf("session-%06d", d.vc.sessSeq), UserName: in.Req.UserName, FullName: in.Req.UserName,
			LoginTime: now, LastActiveTime: now, Locale: "en", MessageLocale: "en",
			IpAddress: "127.0.0.1", UserAgent: d.userAgent,
		}}
		d.key = s.user.Key
		d.vc.sessions[d.key] = s
		res.(*methods.LoginBody).Res = &types.LoginResponse{Returnval: s.user}
	})
	return true, err
}

// admit gives the request its session, or refuses it for want of one.
func (vc *VCenter) admit(ctx *simulator.Context, m *simulator.Method) types.BaseMethodFault {
	d, direct := ctx.Value(directKey{}).(*Direct)
	if !direct {
		if ctx.Session == nil && !anonymous(m) {
			return notAuthenticated(m.This)
		}
		if m.Name == "Logout" {
			vc.endLeasesOf(ctx.Session.Key)
		}
		return nil
	}
	s := vc.sessions[d.key]
	if s == nil {
		if !anonymous(m) {
			return notAuthenticated(m.This)
		}
		*ctx.Session = simulator.Session{Registry: simulator.NewRegistry(), Map: vc.reg}
		return nil
	}
	s.user.LastActiveTime = vc.now()
	s.user.CallCount++
	*ctx.Session = simulator.Session{UserSession: s.user, Registry: s.registry, Map: vc.reg}
	return nil
}

// sessionView is what a property collector sees as the SessionManager, if it is
// asked for that: the sessions over HTTP and those in this process.
func (vc *VCenter) sessionView(ctx *simulator.Context, m *simulator.Method) managed {
	for _, ref := range collected(m) {
		if ref.Type == "SessionManager" {
			view := vc.reg.SessionManager().SessionManager
			view.SessionList = vc.sessionList()
			if key := ctx.Session.Key; key != "" {
				current := ctx.Session.UserSession
				view.CurrentSession = &current
			}
			return &view
		}
	}
	return nil
}

// sessionList is every session, by login time.
func (vc *VCenter) sessionList() []types.UserSession {
	look := simulator.Session{Registry: simulator.NewRegistry(), Map: vc.reg}
	list := look.Get(*vc.content().SessionManager).(*simulator.SessionManager).SessionList
	for _, s := range vc.sessions { //hdm:order-safe sorted below
		list = append(list, s.user)
	}
	slices.SortFunc(list, func(a, b types.UserSession) int {
		return cmp.Or(a.LoginTime.Compare(b.LoginTime), cmp.Compare(a.Key, b.Key))
	})
	return list
}

func (vc *VCenter) content() types.ServiceContent {
	return vc.reg.Get(vim25.ServiceInstance).(*simulator.ServiceInstance).Content
}

// endSession forgets a session of this process and ends what it left open.
func (vc *VCenter) endSession(key string) {
	s := vc.sessions[key]
	if s == nil {
		return
	}
	delete(vc.sessions, key)
	for _, o := range s.registry.AllReference("") { // filters and collectors watch the registry
		if h, ok := o.(simulator.RegisterObject); ok {
			vc.reg.RemoveHandler(h)
		}
	}
	vc.endLeasesOf(key)
}

// sessionCalls: sessions of both kinds end here.
type sessionCalls struct{ call }

// Logout ends the session. What was sent in it and not yet applied finds it
// gone.
func (c *sessionCalls) Logout(ctx *simulator.Context, r *types.Logout) soap.HasFault {
	if key := ctx.Session.Key; c.vc.sessions[key] != nil {
		c.vc.endSession(key)
		return &methods.LogoutBody{Res: new(types.LogoutResponse)}
	}
	return c.vc.reg.SessionManager().Logout(ctx, r)
}

// TerminateSession ends other sessions, all or none.
func (c *sessionCalls) TerminateSession(ctx *simulator.Context, r *types.TerminateSession) soap.HasFault {
	b := new(methods.TerminateSessionBody)
	known := c.vc.sessionList()
	var overHTTP []string
	for _, key := range r.SessionId {
		if key == ctx.Session.Key {
			b.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "sessionId"}, "a session cannot terminate itself: log out instead")
			return b
		}
		if !slices.ContainsFunc(known, func(s types.UserSession) bool { return s.Key == key }) {
			b.Fault_ = fault(new(types.NotFound), "no session has this key: it has ended already")
			return b
		}
		if c.vc.sessions[key] == nil {
			overHTTP = append(overHTTP, key)
		}
	}
	for _, key := range r.SessionId {
		c.vc.endSession(key)
	}
	for _, key := range overHTTP {
		c.vc.endLeasesOf(key)
	}
	if len(overHTTP) > 0 {
		return c.vc.reg.SessionManager().TerminateSession(ctx, &types.TerminateSession{This: r.This, SessionId: overHTTP})
	}
	b.Res = new(types.TerminateSessionResponse)
	return b
}

// SessionIsActive says whether a session still lives.
func (c *sessionCalls) SessionIsActive(_ *simulator.Context, r *types.SessionIsActive) soap.HasFault {
	active := slices.ContainsFunc(c.vc.sessionList(), func(s types.UserSession) bool {
		return s.Key == r.SessionID && s.UserName == r.UserName
	})
	return &methods.SessionIsActiveBody{Res: &types.SessionIsActiveResponse{Returnval: active}}
}

// Sessions lists the live sessions, by login time.
func (vc *VCenter) Sessions() (list []types.UserSession) {
	vc.do(func() { list = vc.sessionList() })
	return list
}
