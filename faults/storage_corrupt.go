package faults

import (
	"fmt"

	"github.com/hdm-project/hdm/core/vsphere"
)

// StorageCorrupt destroys one block of a VM's disk, below everybody who looks at
// it. The first block of the first disk is what the VM boots from (REC-05).
type StorageCorrupt struct {
	Site  vsphere.Site `yaml:"site" jsonschema:"enum=on-premises,enum=cloud"`
	VM    string       `yaml:"vm"`
	Disk  int          `yaml:"disk,omitempty"`  // in the VM's order, from 0
	Block int64        `yaml:"block,omitempty"` // of 4 KiB, from 0
}

// Limits of a StorageCorrupt: it says nothing that no disk has.
const (
	MaxDisk  = 63
	MaxBlock = 1 << 34 // 64 TiB
)

// Name implements Kind.
func (*StorageCorrupt) Name() string { return "storage-corrupt" }

// Target implements Kind.
func (s *StorageCorrupt) Target() string {
	return fmt.Sprintf("%s/%s disk %d block %d", s.Site, s.VM, s.Disk, s.Block)
}

func (s *StorageCorrupt) check(c *checker) {
	c.has(s.Site, "vm", s.VM, c.VMs)
	if s.Disk < 0 || s.Disk > MaxDisk {
		c.fail("disk", fmt.Sprintf("use 0 to %d", MaxDisk), "%d is no number of a disk", s.Disk)
	}
	if s.Block < 0 || s.Block > MaxBlock {
		c.fail("block", "count from 0, within the disk", "%d is no number of a block", s.Block)
	}
}
