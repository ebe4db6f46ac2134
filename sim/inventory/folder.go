package inventory

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// listedAtOnce bounds what is asked of a folder that may have no end.
const listedAtOnce = 1024

// list is the XML files of a folder in the order in which they were saved.
// Folders in it hold answers to methods, which say nothing of a site.
func list(folder fs.FS) ([]string, error) {
	info, err := fs.Stat(folder, ".")
	if err != nil {
		return nil, &Error{What: "it cannot be read: " + plain(err), Fix: "name the folder that govc wrote"}
	}
	if !info.IsDir() {
		return nil, &Error{What: "it is no folder", Fix: "name the folder that govc wrote, not a file in it"}
	}
	root, err := folder.Open(".")
	if err != nil {
		return nil, &Error{What: "it cannot be read: " + plain(err), Fix: "see to it that you may read the folder"}
	}
	defer root.Close()
	dir, ok := root.(fs.ReadDirFile)
	if !ok {
		return nil, &Error{What: "it is no folder", Fix: "name the folder that govc wrote, not a file in it"}
	}
	var names []string
	for seen := 0; ; {
		entries, err := dir.ReadDir(listedAtOnce)
		for _, e := range entries {
			if seen++; seen > MaxFiles {
				return nil, &Error{What: fmt.Sprintf("it has more than %d entries", MaxFiles), Fix: "name a folder with nothing in it but what govc wrote"}
			}
			if !e.IsDir() && strings.HasSuffix(e.Name(), ending) {
				names = append(names, e.Name())
			}
		}
		if errors.Is(err, io.EOF) || err == nil && len(entries) == 0 {
			break
		}
		if err != nil {
			return nil, &Error{What: "it cannot be read: " + plain(err), Fix: "see to it that you may read the folder"}
		}
	}
	if len(names) == 0 {
		return nil, &Error{What: "it holds no XML file", Fix: again + ", and name that folder"}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(number(a), number(b)), strings.Compare(a, b)) })
	return names, checkSizes(folder, names)
}

const ending = ".xml"

// number is the first part of a file's name: "0012-VirtualMachine-vm-7.xml" was
// the thirteenth.
func number(name string) int {
	digits, _, _ := strings.Cut(name, "-")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return -1
	}
	return n
}

// checkSizes looks at the files before any is opened: a pipe would be waited for.
func checkSizes(folder fs.FS, names []string) error {
	total := int64(0)
	for _, name := range names {
		info, err := fs.Stat(folder, name)
		switch {
		case err != nil:
			return &Error{File: name, What: "it cannot be read: " + plain(err), Fix: "take it out of the folder, or " + again}
		case !info.Mode().IsRegular():
			return &Error{File: name, What: "it is no regular file", Fix: "take it out of the folder"}
		case info.Size() > MaxFile:
			return &Error{File: name, What: fmt.Sprintf("it has %d bytes, more than %d", info.Size(), MaxFile), Fix: "take it out of the folder if it is none of govc's"}
		}
		if total += info.Size(); total > MaxBytes {
			return &Error{What: fmt.Sprintf("its files have more than %d bytes together", int64(MaxBytes)), Fix: "save a part of the inventory: give govc the path of a folder or cluster"}
		}
	}
	return nil
}

// plain is the error without the path, which the message has already.
func plain(err error) string {
	if path := new(fs.PathError); errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
