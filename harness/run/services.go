package run

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hdm-project/hdm/core/component"
	"github.com/hdm-project/hdm/core/deployment"
	"github.com/hdm-project/hdm/core/runtime"
	"github.com/hdm-project/hdm/core/vsphere"
)

// services is the component.Port of one boot of the appliance: the client of the
// component VMs of the deployment that there is, which may change meanwhile.
type services struct {
	runtime runtime.Runtime
	link    component.Link
	boot    int // of the appliance
	now     func() deployment.Deployment

	client *component.Client // of that deployment; nil: none yet
	number int
}

var _ component.Port = (*services)(nil)

// of is the client of the deployment that there is.
func (s *services) of(op, object string) (*component.Client, error) {
	d := s.now()
	if d.Phase == deployment.None {
		return nil, &vsphere.Error{Site: vsphere.OnPremises, Op: op, Object: object, Class: vsphere.Refused, Hint: "deploy HDM", Err: errors.New("HDM is not deployed")}
	}
	if s.client != nil && s.number == d.Number {
		return s.client, nil
	}
	plan, err := deployment.Plan(d.Mode)
	if err != nil {
		return nil, &vsphere.Error{Site: vsphere.OnPremises, Op: op, Object: object, Class: vsphere.Refused, Err: err}
	}
	c := component.ClientConfig{Runtime: s.runtime, Link: s.link, Name: fmt.Sprintf("%s/boot-%d/deployment-%d", applianceID, s.boot, d.Number)}
	for _, vm := range plan {
		if slices.Contains(vm.Services, component.CloudCache) {
			c.Caches = append(c.Caches, vm.Name)
		}
		if slices.Contains(vm.Services, component.PremIOManager) {
			c.Homes = append(c.Homes, vm.Name)
		}
	}
	s.client, s.number = component.NewClient(c), d.Number
	return s.client, nil
}

// Bind implements component.Port.
func (s *services) Bind(ctx context.Context, b component.Binding) (component.Bound, error) {
	c, err := s.of("bind", b.ID)
	if err != nil {
		return component.Bound{}, err
	}
	return c.Bind(ctx, b)
}

// Flush implements component.Port.
func (s *services) Flush(ctx context.Context, ids []string) ([]component.Flushed, error) {
	c, err := s.of("flush", fmt.Sprint(ids))
	if err != nil {
		return nil, err
	}
	return c.Flush(ctx, ids)
}

// Reconcile implements component.Port.
func (s *services) Reconcile(ctx context.Context, id string, image vsphere.Ref, progress func(vsphere.Progress)) (int, error) {
	c, err := s.of("reconcile", id)
	if err != nil {
		return 0, err
	}
	return c.Reconcile(ctx, id, image, progress)
}

// Release implements component.Port.
func (s *services) Release(ctx context.Context, id string) error {
	c, err := s.of("release", id)
	if err != nil {
		return err
	}
	return c.Release(ctx, id)
}

// Discard implements component.Port.
func (s *services) Discard(ctx context.Context, id string) error {
	c, err := s.of("discard", id)
	if err != nil {
		return err
	}
	return c.Discard(ctx, id)
}

// Bindings implements component.Port.
func (s *services) Bindings(ctx context.Context) ([]component.Status, error) {
	c, err := s.of("ask", "the component VMs")
	if err != nil {
		return nil, err
	}
	return c.Bindings(ctx)
}

// heard takes a heartbeat of a component VM to the appliance, if it is up.
func (st *stage) heard(h component.Heartbeat) {
	if st.app != nil {
		st.app.Hear(h)
	}
}
