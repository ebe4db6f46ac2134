package appliance

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/hdm-project/hdm/core/migration"
	"github.com/hdm-project/hdm/core/transfer"
	"github.com/hdm-project/hdm/core/vsphere"
)

// execute does one effect and answers with an event. It runs as a task of its
// own.
func (a *Appliance) execute(ctx context.Context, e migration.Effect, m migration.Migration) {
	var result migration.Result
	err := a.Runtime.Sleep(ctx, e.Delay)
	if err == nil {
		err = a.awaitParts(ctx, e, m)
	}
	if err == nil && e.Kind == migration.PowerOffCompute {
		err = a.awaitOthers(ctx, m)
	}
	began := err == nil
	if began {
		a.tell(func(o Observer, epoch int) { o.EffectStarted(e, epoch) })
		result, err = a.do(ctx, e, m)
	}
	for ; began && vsphere.ClassOf(err) == vsphere.Retryable && a.awaitsParts(e, m); result, err = a.do(ctx, e, m) {
		if a.awaitParts(ctx, e, m) != nil { // it failed because of what is being repaired: that uses up no try
			break
		}
	}
	if a.ctx.Err() != nil {
		return // the appliance stops: what became of this is found out at the next boot
	}
	if began && a.BeforeCompletion != nil {
		a.BeforeCompletion(e.Key)
	}
	a.mu.Lock()
	delete(a.running, e.Key)
	a.mu.Unlock()
	var ev migration.Event = migration.EffectDone{Key: e.Key, Result: result}
	outcome := "done"
	if err != nil {
		f := failure(ctx, err)
		ev, outcome = migration.EffectFailed{Key: e.Key, Failure: f}, f.Class.String()
	}
	if began {
		a.tell(func(o Observer, epoch int) { o.EffectEnded(e, epoch, outcome, err) })
	}
	// An error here is the journal's; every later call answers with it.
	_, _ = a.deliver(Heard{m.ID, ev}, e.Key)
}

// partLook is how often a step looks whether what it needs is repaired.
const partLook = 5 * time.Second

// awaitsParts says whether an effect needs a part of HDM that is being repaired.
func (a *Appliance) awaitsParts(e migration.Effect, m migration.Migration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state.blocked(e, m)
}

// awaitParts waits until what an effect needs is repaired.
func (a *Appliance) awaitParts(ctx context.Context, e migration.Effect, m migration.Migration) error {
	for a.awaitsParts(e, m) {
		if err := a.Runtime.Sleep(ctx, partLook); err != nil {
			return err
		}
	}
	return nil
}

// awaitOthers waits until nothing is done any more for what else was begun with
// the same VM: a power-on that was told to stop can come late until its session is
// closed (MIG-13).
func (a *Appliance) awaitOthers(ctx context.Context, m migration.Migration) error {
	for a.othersAt(m) {
		if err := a.Runtime.Sleep(ctx, time.Second); err != nil {
			return err
		}
	}
	return nil
}

func (a *Appliance) othersAt(m migration.Migration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key := range a.running { //hdm:order-safe whether there is one
		id, _, _ := strings.Cut(key, "/")
		if other, ok := a.state.Migration(migration.ID(id)); ok && other.ID != m.ID && other.Maker() == m.Maker() {
			return true
		}
	}
	return false
}

// tell tells the observer something, in order with all else that it is told.
func (a *Appliance) tell(what func(o Observer, epoch int)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.Observer != nil {
		what(a.Observer, a.state.Epoch)
	}
}

// failure is an executor's error as the machine hears of it.
func failure(ctx context.Context, err error) migration.Failure {
	f := migration.Failure{Class: vsphere.ClassOf(err), What: err.Error()}
	f.Cancelled = ctx.Err() != nil || f.Class == vsphere.Cancelled || vsphere.FaultName(err) == "RequestCanceled"
	var typed *vsphere.Error
	if errors.As(err, &typed) {
		f.Fix, f.Down = typed.Hint, typed.Down
	}
	return f
}

func (a *Appliance) do(ctx context.Context, e migration.Effect, m migration.Migration) (migration.Result, error) {
	switch e.Kind {
	case migration.Check:
		return a.atBoth(ctx, func(here, there *vsphere.Session) (migration.Result, error) { return a.check(ctx, e, m, here, there) })
	case migration.ShutDown:
		return a.at(ctx, vsphere.OnPremises, func(s *vsphere.Session) (migration.Result, error) {
			return done(s.ShutdownGuest(ctx, m.Plan.Source, a.Patience))
		})
	case migration.TakeSnapshot:
		return a.at(ctx, vsphere.OnPremises, func(s *vsphere.Session) (migration.Result, error) {
			snapshot, err := s.EnsureSnapshot(ctx, m.Plan.Source, a.mark(m.ID), SnapshotPrefix)
			if err != nil {
				return migration.Result{}, err
			}
			on, err := s.LastPowerOn(ctx, m.Plan.Source)
			return migration.Result{Snapshot: snapshot.Name, LastOn: on}, err
		})
	case migration.Transfer, migration.TransferImage:
		return a.atBoth(ctx, func(here, there *vsphere.Session) (migration.Result, error) { return a.transfer(ctx, m, here, there) })
	case migration.ConnectNetwork:
		return a.at(ctx, vsphere.Cloud, func(s *vsphere.Session) (migration.Result, error) {
			return done(s.ConnectNICs(ctx, cmp.Or(m.Image, m.Copy), nics(m.Plan.NICs)))
		})
	case migration.MoveToPool:
		return a.at(ctx, vsphere.OnPremises, func(s *vsphere.Session) (migration.Result, error) {
			return done(intoMigratePool(ctx, s, m.Plan.Source))
		})
	case migration.PowerOnCopy, migration.StartCompute:
		return a.powerOn(ctx, m, m.Copy)
	case migration.StartImage:
		return a.startImage(ctx, m)
	case migration.RestartSource:
		return a.at(ctx, vsphere.OnPremises, func(s *vsphere.Session) (migration.Result, error) {
			if !m.Plan.WasOn {
				return migration.Result{}, nil
			}
			if err := a.cloneOff(ctx, s, m); err != nil {
				return migration.Result{}, err
			}
			return done(s.PowerOn(ctx, m.Plan.Source))
		})
	case migration.RemoveSnapshot:
		return a.at(ctx, vsphere.OnPremises, func(s *vsphere.Session) (migration.Result, error) {
			if err := s.Settle(ctx, m.Plan.Source); err != nil {
				return migration.Result{}, err
			}
			return done(s.RemoveSnapshot(ctx, m.Plan.Source, a.mark(m.Maker())))
		})
	case migration.ReturnToPool:
		return a.at(ctx, vsphere.OnPremises, func(s *vsphere.Session) (migration.Result, error) {
			return done(s.MoveIntoPool(ctx, m.Plan.Source, m.Plan.HomePool))
		})
	case migration.DestroyCopy:
		return a.destroy(ctx, vsphere.Cloud, imported(a.mark(m.ID)))
	case migration.DestroyImage:
		return a.destroy(ctx, vsphere.Cloud, imported(a.imageMark(m)))
	case migration.DestroyCompute:
		return a.destroy(ctx, vsphere.Cloud, made(a.mark(m.Maker())))
	case migration.RemoveClone:
		return a.destroy(ctx, vsphere.OnPremises, func(ctx context.Context, s *vsphere.Session) ([]vsphere.VM, error) {
			// A clone that nobody waits for any more may still come: it is a task of the
			// source's.
			if err := s.Settle(ctx, m.Plan.Source); err != nil {
				return nil, err
			}
			return s.FindMade(ctx, a.cloneMark(m))
		})
	case migration.ConfirmOff:
		return a.confirmOff(ctx, m)
	case migration.PowerOffCompute, migration.Salvage, migration.Judge, migration.EndTrial, migration.MoveToRecovery:
		return a.bringsBack(ctx, e, m)
	}
	return a.onCloudCache(ctx, e, m)
}

func done(err error) (migration.Result, error) { return migration.Result{}, err }

// SnapshotPrefix begins the name of a migrate-time snapshot (MIG-11).
const SnapshotPrefix = "_hdm"

// mark is what this appliance leaves on everything that it makes for a
// migration, so that a second attempt finds it.
func (a *Appliance) mark(id migration.ID) string {
	return a.ID + "/" + a.incarnation + "/" + string(id)
}

// settlement says whether what earlier boots left at a site has been ended.
type settlement struct {
	mu   sync.Mutex
	done bool
}

// open is a session at a site, in which nothing of an earlier boot can act any
// more.
func (a *Appliance) open(ctx context.Context, site vsphere.Site) (*vsphere.Session, error) {
	client := a.OnPremises
	if site == vsphere.Cloud {
		client = a.Cloud
	}
	if err := a.settle(ctx, client); err != nil {
		return nil, err
	}
	return client.Open(ctx)
}

// settle ends the sessions of earlier boots, once. Tasks that find it undone
// each try: holding a lock over calls would stop the world.
func (a *Appliance) settle(ctx context.Context, client *vsphere.Client) error {
	s := a.settled[client.Site()]
	s.mu.Lock()
	finished := s.done
	s.mu.Unlock()
	if finished {
		return nil
	}
	if err := client.EndOtherSessions(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	s.done = true
	s.mu.Unlock()
	return nil
}

// at does something in a session of its own. Closing it fences what the
// attempt sent and nobody answered.
func (a *Appliance) at(ctx context.Context, site vsphere.Site, do func(*vsphere.Session) (migration.Result, error)) (migration.Result, error) {
	s, err := a.open(ctx, site)
	if err != nil {
		return migration.Result{}, err
	}
	defer s.Close(ctx)
	return do(s)
}

// atBoth does something in a session at each site.
func (a *Appliance) atBoth(ctx context.Context, do func(here, there *vsphere.Session) (migration.Result, error)) (migration.Result, error) {
	return a.at(ctx, vsphere.OnPremises, func(here *vsphere.Session) (migration.Result, error) {
		return a.at(ctx, vsphere.Cloud, func(there *vsphere.Session) (migration.Result, error) {
			return do(here, there)
		})
	})
}

// check reads both sites and lets Assess judge.
func (a *Appliance) check(ctx context.Context, e migration.Effect, m migration.Migration, here, there *vsphere.Session) (migration.Result, error) {
	premises, err := here.Resources(ctx)
	if err != nil {
		return migration.Result{}, err
	}
	cloud, err := there.Resources(ctx)
	if err != nil {
		return migration.Result{}, err
	}
	sites := migration.Sites{PremisesPools: premises.Pools, PremisesClusters: premises.Clusters, Resources: cloud, Reserved: e.Reserved, Cache: a.cacheRule()}
	if sites.OnPremises, err = here.Inventory(ctx); err != nil {
		return migration.Result{}, err
	}
	if sites.Cloud, err = there.Inventory(ctx); err != nil {
		return migration.Result{}, err
	}
	if m.Order.Type == migration.Back {
		return a.checkBack(m, sites), nil
	}
	plan, against := migration.Assess(m.Order, sites)
	if len(against) > 0 {
		return migration.Result{Refusals: against}, nil
	}
	return migration.Result{Plan: &plan}, nil
}

func (a *Appliance) transfer(ctx context.Context, m migration.Migration, here, there *vsphere.Session) (migration.Result, error) {
	spec := transfer.Spec{
		Source: m.Plan.Source, Name: m.Plan.Name, Mark: a.mark(m.ID), BIOSUUID: m.Plan.BIOSUUID,
		Pool: m.Plan.Pool, Datastore: m.Plan.Datastore, Host: m.Plan.Host, Networks: networks(m),
	}
	if m.Order.Type == migration.Warm {
		spec.Source, spec.Name, spec.Mark = m.Clone, migration.ImageName(m.Plan.Name), a.imageMark(m)
	}
	if err := here.Settle(ctx, spec.Source); err != nil {
		return migration.Result{}, err
	}
	result, err := transfer.Bulk(ctx, a.Runtime, here, there, spec, func(p vsphere.Progress) { a.carried(m.ID, p) })
	return migration.Result{Copy: result.Copy, Bytes: result.Bytes}, err
}

func (a *Appliance) carried(id migration.ID, p vsphere.Progress) {
	a.mu.Lock()
	a.progress[id] = p
	a.mu.Unlock()
}

func networks(m migration.Migration) map[string]string {
	to := map[string]string{}
	for _, n := range m.Plan.Networks {
		to[n.From] = n.To
	}
	return to
}

func nics(plan []migration.NIC) []vsphere.NICPlan {
	var all []vsphere.NICPlan
	for _, n := range plan {
		all = append(all, vsphere.NICPlan{MAC: n.MAC, Network: n.Network, Type: n.Adapter})
	}
	return all
}

// powerOn makes a VM in the cloud the VM. If somebody started the source since its
// snapshot was taken, the one in the cloud lacks what its guest wrote, although
// the source may be off again: then it must not run (COLD-05, MIG-13).
func (a *Appliance) powerOn(ctx context.Context, m migration.Migration, vm vsphere.Ref) (migration.Result, error) {
	return a.atBoth(ctx, func(here, there *vsphere.Session) (migration.Result, error) {
		if err := offSince(ctx, m, here); err != nil {
			return migration.Result{}, err
		}
		return done(there.PowerOn(ctx, vm))
	})
}

// offSince says whether the source has been off since its snapshot was taken.
func offSince(ctx context.Context, m migration.Migration, here *vsphere.Session) error {
	if err := here.Settle(ctx, m.Plan.Source); err != nil {
		return err
	}
	source, err := here.VM(ctx, m.Plan.Source)
	if err != nil {
		return err
	}
	on, err := here.LastPowerOn(ctx, m.Plan.Source)
	if err != nil {
		return err
	}
	// Both: the event can come a moment after the state, the state can be over. An
	// event that the vCenter has forgotten since is no newer one.
	if source.Power != vsphere.Off || on > m.LastOn {
		return &vsphere.Error{
			Site: vsphere.OnPremises, Op: "rely on", Object: m.Plan.Name, Class: vsphere.Refused,
			Hint: "leave the VM off while it is migrated, and order the migration again",
			Err:  errors.New("it was powered on while it was being migrated"),
		}
	}
	return nil
}

// finder finds what bears a mark.
type finder func(ctx context.Context, s *vsphere.Session) ([]vsphere.VM, error)

// imported finds what an import made.
func imported(mark string) finder {
	return func(ctx context.Context, s *vsphere.Session) ([]vsphere.VM, error) { return s.FindMarked(ctx, mark) }
}

// made finds what was created or cloned.
func made(mark string) finder {
	return func(ctx context.Context, s *vsphere.Session) ([]vsphere.VM, error) { return s.FindMade(ctx, mark) }
}

// destroy removes every VM at a site that is found. One that runs is never
// removed: its guest may have written.
func (a *Appliance) destroy(ctx context.Context, site vsphere.Site, find finder) (migration.Result, error) {
	return a.at(ctx, site, func(s *vsphere.Session) (migration.Result, error) {
		copies, err := find(ctx, s)
		if err != nil {
			return migration.Result{}, err
		}
		for _, vm := range copies {
			if vm.Power == vsphere.On {
				return migration.Result{}, &vsphere.Error{
					Site: site, Op: "remove", Object: vm.Name, Class: vsphere.Refused,
					Hint: "power it off if nothing it wrote is needed, then remove it by hand", Err: errors.New("it runs"),
				}
			}
			if err := s.Settle(ctx, vm.Ref); err != nil {
				return migration.Result{}, err
			}
			if err := s.Destroy(ctx, vm.Ref); err != nil {
				return migration.Result{}, err
			}
		}
		return migration.Result{}, nil
	})
}

// confirmOff makes sure that no copy runs, nor will: earlier sessions have
// ended, so that no power-on of theirs can come late, and its tasks are over.
func (a *Appliance) confirmOff(ctx context.Context, m migration.Migration) (migration.Result, error) {
	return a.at(ctx, vsphere.Cloud, func(s *vsphere.Session) (migration.Result, error) {
		mark := a.mark(m.ID)
		if m.Order.Type == migration.Warm {
			mark = a.imageMark(m)
		}
		copies, err := s.FindMarked(ctx, mark)
		if err != nil {
			return migration.Result{}, err
		}
		for _, found := range copies {
			if err := s.Settle(ctx, found.Ref); err != nil {
				return migration.Result{}, err
			}
			now, err := s.VM(ctx, found.Ref)
			if err != nil {
				return migration.Result{}, err
			}
			if now.Power != vsphere.Off {
				return migration.Result{Running: true}, nil
			}
		}
		return migration.Result{}, nil
	})
}
