package vsphere

import (
	"context"
	"time"
)

type NewVM struct {
	Name, Mark, BIOSUUID string
	Pool, Host, Folder   Ref
	Datastore            string
	GuestID, Firmware    string
	CPUs, MemoryMB       int32
	Disks                []NewDisk
	NICs                 []NewNIC
	Extra                map[string]string
}
type NewDisk struct {
	Controller, Path string
	Capacity         int64
	Datastore        string
}
type NewNIC struct{ Network, Adapter, MAC string }

func (s *Session) EnsureVM(ctx context.Context, v NewVM) (Ref, error) { return "", nil }
func (s *Session) LinkedClone(ctx context.Context, vm Ref, snapshotMark, name, mark string) (Ref, error) {
	return "", nil
}
func (s *Session) Rename(ctx context.Context, vm Ref, name string) error                 { return nil }
func (s *Session) RebootGuest(ctx context.Context, vm Ref, patience time.Duration) error { return nil }
func (s *Session) AwaitTools(ctx context.Context, vm Ref, patience time.Duration) (bool, error) {
	return true, nil
}
func (s *Session) MountServed(ctx context.Context, host Ref, name, remote string) error { return nil }
func (s *Session) UnmountServed(ctx context.Context, host Ref, name string) error       { return nil }
func (s *Session) ApplyPolicy(ctx context.Context, vm Ref, profile string) error        { return nil }
func (s *Session) EnsurePolicy(ctx context.Context, profile string) error               { return nil }
