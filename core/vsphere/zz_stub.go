package vsphere

import "context"

func (s *Session) ApplyPolicy(ctx context.Context, vm Ref, profile string) error { return nil }
func (s *Session) EnsurePolicy(ctx context.Context, profile string) error        { return nil }
