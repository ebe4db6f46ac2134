// Package inventory reads a folder that `govc object.save` wrote and makes the
// site of it that package site can build.
//
// It decides what of a real vCenter a site keeps, and tells of everything else
// as losses: nothing is dropped in silence. It never builds a world, never asks a
// vCenter, and never trusts a folder: sizes, counts and depths are bounded, and
// any bytes end in an error with a place or in a site that site.Build accepts.
//
// It reads XML as a tree and not into govmomi's types: those would refuse what a
// newer vSphere adds, could not tell the line of a mistake, and are set by
// reflection from names that a stranger's file gives.
//
// What only a simulated world has (workloads, boot times, deaf guests) is not in
// a vCenter, so not in a folder either: it gets the defaults.
//
// Read this file first, then folder.go (which files), tree.go (their XML),
// objects.go, machine.go and devices.go (what is taken from them), merge.go and furnish.go
// (how it becomes a site).
package inventory

import (
	"fmt"
	"io/fs"

	"github.com/hdm-project/hdm/sim/site"
)

// Limits of a folder.
const (
	MaxFiles = 300_000 // entries of the folder, whatever they are
	MaxFile  = 32 << 20
	MaxBytes = 4 << 30 // of all files together
	MaxDepth = 64      // of elements in elements
	MaxNodes = 400_000 // elements of a file
)

// Loss is something that the folder says and a site cannot carry.
type Loss struct {
	Object string // such as `VM "db-01"`
	What   string // is lost
	Became string // what the site has in its place
}

// Error is a folder, or a file in it, that is no inventory.
type Error struct {
	File string // in the folder; "" if the folder is meant
	Line int    // 0 if the whole file is meant
	What string // is wrong
	Fix  string // what to do about it
}

func (e *Error) Error() string {
	where := ""
	switch {
	case e.Line > 0:
		where = fmt.Sprintf("%s:%d: ", e.File, e.Line)
	case e.File != "":
		where = e.File + ": "
	}
	return where + e.What + "; " + e.Fix
}

// again is what to do about a folder that is damaged.
const again = "save the inventory again with `govc object.save -d FOLDER`"

// Load reads the folder of XML files that folder is the root of. The site is
// expanded by none and accepted by site.Build; it is the same for the same files.
// Losses are in the order of the objects. Errors: *Error.
func Load(folder fs.FS) (site.Site, []Loss, error) {
	files, err := list(folder)
	if err != nil {
		return site.Site{}, nil, err
	}
	o := newObjects()
	for _, f := range files {
		if err := o.read(folder, f); err != nil {
			return site.Site{}, nil, err
		}
	}
	if len(o.vms)+len(o.hosts) == 0 {
		return site.Site{}, nil, &Error{What: fmt.Sprintf("none of its %d files is a VM or a host", len(files)), Fix: again}
	}
	if len(o.vms) > site.MaxVMs {
		return site.Site{}, nil, &Error{What: fmt.Sprintf("it holds %d VMs, more than %d", len(o.vms), site.MaxVMs), Fix: "save a part of it: give govc the path of a folder or cluster"}
	}
	m := newMerger(o)
	s := m.site()
	return s, m.losses, nil
}
