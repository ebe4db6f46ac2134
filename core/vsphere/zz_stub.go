package vsphere

import (
	"context"
	"time"
)

func (s *Session) RebootGuest(ctx context.Context, vm Ref, patience time.Duration) error { return nil }
func (s *Session) AwaitTools(ctx context.Context, vm Ref, patience time.Duration) (bool, error) {
	return true, nil
}
func (s *Session) ApplyPolicy(ctx context.Context, vm Ref, profile string) error { return nil }
func (s *Session) EnsurePolicy(ctx context.Context, profile string) error        { return nil }
