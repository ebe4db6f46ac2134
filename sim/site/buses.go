package site

// Buses counts the controllers that the disks of one VM need. Its zero value has
// none.
type Buses struct {
	have map[string]int // controllers by family
	used map[string]int // disks by kind of controller
}

// busOf is the family of a kind of controller, how many of the family a VM has at
// most, and how many disks each takes. The kinds of SCSI are one family.
func busOf(controller string) (family string, most, units int) {
	switch controller {
	case "ide":
		return controller, 2, 2
	case "sata":
		return controller, 4, 30
	case "nvme":
		return controller, 4, 15
	}
	return "SCSI", 4, 15
}

// Take finds a place for one more disk, and says whether there is one.
func (b *Buses) Take(controller string) bool {
	if b.have == nil {
		b.have, b.used = map[string]int{}, map[string]int{}
	}
	family, most, units := busOf(controller)
	if b.used[controller]%units == 0 {
		if b.have[family] == most {
			return false
		}
		b.have[family]++
	}
	b.used[controller]++
	return true
}
