package inventory_test

import (
	"bytes"
	"errors"
	"testing"
	"testing/fstest"

	"github.com/hdm-project/hdm/sim/inventory"
	"github.com/hdm-project/hdm/sim/site"
)

// small are objects as govc writes them, cut down to what is looked at.
var small = []string{
	`<ObjectContent><obj type="VirtualMachine">vm-1</obj><propSet><name>name</name><val type="xsd:string">db</val></propSet><propSet><name>config</name><val><uuid>u</uuid><guestId>g</guestId><hardware><numCPU>2</numCPU><memoryMB>64</memoryMB><device XMLSchema-instance:type="VirtualDisk"><key>2</key><backing XMLSchema-instance:type="VirtualDiskFlatVer2BackingInfo"><fileName>[ds] a</fileName><datastore type="Datastore">d</datastore></backing><capacityInBytes>4096</capacityInBytes></device><device XMLSchema-instance:type="VirtualVmxnet3"><macAddress>00:50:56:00:00:01</macAddress></device></hardware></val></propSet></ObjectContent>`,
	`<ObjectContent><obj type="HostSystem">h</obj><propSet><name>name</name><val>h</val></propSet></ObjectContent>`,
	`<ObjectContent><obj type="ResourcePool">p</obj><propSet><name>parent</name><val type="ResourcePool">p</val></propSet></ObjectContent>`,
	`<ObjectContent><obj type="Datastore">d</obj><propSet><name>summary</name><val><capacity>9</capacity><freeSpace>-1</freeSpace></val></propSet></ObjectContent>`,
	`<ObjectContent><obj type="Network">n</obj></ObjectContent>`,
}

// FuzzLoad loads a folder of the parts of the input between NULs: it ends in an
// error that tells what to do, or in a site that can be built.
func FuzzLoad(f *testing.F) {
	for _, s := range small {
		f.Add([]byte(s))
	}
	for i := range small[1:] {
		f.Add([]byte(small[0] + "\x00" + small[i+1]))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		folder := fstest.MapFS{}
		for i, part := range bytes.SplitN(data, []byte{0}, 8) {
			folder[string(rune('a'+i))+".xml"] = &fstest.MapFile{Data: part}
		}
		s, _, err := inventory.Load(folder)
		typed := new(inventory.Error)
		switch {
		case err == nil:
			if err := (site.Description{OnPremises: s}).Validate(); err != nil {
				t.Fatalf("a site that cannot be built: %v", err)
			}
		case !errors.As(err, &typed) || typed.What == "" || typed.Fix == "":
			t.Fatalf("an error that says too little: %v", err)
		}
	})
}
