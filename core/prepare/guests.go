package prepare

import (
	"maps"
	"slices"
	"strings"
)

// guests are the guest identifiers of vSphere under which a supported guest OS
// runs (the product's list of supported guests; PRE-02). They tell no minor
// release: RHEL 7.1 and 7.2 have the same. What a release lacks is found in the
// guest.
var guests = map[string]string{
	"windows8Server64Guest":  "Windows Server 2012 R2",
	"windows9Server64Guest":  "Windows Server 2016",
	"windows2019srv_64Guest": "Windows Server 2019",
	"rhel6_64Guest":          "RHEL 6.10",
	"rhel7_64Guest":          "RHEL 7.2 or later",
	"rhel8_64Guest":          "RHEL 8 up to 8.3",
	"centos7_64Guest":        "CentOS 7.4 or later",
	"centos8_64Guest":        "CentOS 8 up to 8.3",
	"sles12_64Guest":         "SLES 12 SP5",
	"sles15_64Guest":         "SLES 15 SP2",
	"ubuntu64Guest":          "Ubuntu 16.04, 18.04 or 20.04",
	"oracleLinux7_64Guest":   "Oracle Linux 7.7",
}

// Supported names the supported guest OSs, for people.
func Supported() string {
	return strings.Join(slices.Compact(slices.Sorted(maps.Values(guests))), "; ")
}
