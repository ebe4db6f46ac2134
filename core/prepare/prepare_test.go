package prepare_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hdm-project/hdm/core/prepare"
	"github.com/hdm-project/hdm/core/vsphere"
)

// sound is a VM against which nothing stands.
func sound() vsphere.VM {
	return vsphere.VM{
		Name: "db-01", InstanceUUID: "501f", Power: vsphere.On, GuestID: "ubuntu64Guest", Firmware: "bios",
		ToolsRunning: true, ToolsStatus: "guestToolsCurrent", Marks: map[string]string{},
		Disks:      []vsphere.Disk{{Label: "Hard disk 1", Controller: "pvscsi"}},
		GuestDisks: []vsphere.GuestDisk{{Path: "/", Capacity: 20 << 30, Free: 50 << 20}, {Path: "/boot", Capacity: 1 << 30, Free: 1 << 20}},
	}
}

func TestASoundVMCanBePrepared(t *testing.T) {
	for name, change := range map[string]func(*vsphere.VM){
		"as it is":                            func(*vsphere.VM) {},
		"Windows":                             func(vm *vsphere.VM) { vm.GuestID, vm.GuestDisks[0].Path = "windows9Server64Guest", `C:\` },
		"a guest that tells no disks":         func(vm *vsphere.VM) { vm.GuestDisks = nil },
		"CD/DVD devices with nothing in them": func(vm *vsphere.VM) { vm.CDROMs = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			vm := sound()
			change(&vm)
			assert.Empty(t, prepare.Checks(vm))
		})
	}
}

func TestEachCheckRefusesAVM(t *testing.T) {
	for name, c := range map[string]struct {
		change       func(*vsphere.VM)
		code, clause string
		says         string
	}{
		"powered off":            {func(vm *vsphere.VM) { vm.Power, vm.ToolsRunning = vsphere.Off, false }, prepare.CodeOff, "PRE-01", "not powered on"},
		"suspended":              {func(vm *vsphere.VM) { vm.Power, vm.ToolsRunning = vsphere.Suspended, false }, prepare.CodeOff, "PRE-01", "not powered on"},
		"an unsupported guest":   {func(vm *vsphere.VM) { vm.GuestID = "freebsd12_64Guest" }, prepare.CodeGuest, "PRE-02", "freebsd12_64Guest"},
		"no tools":               {func(vm *vsphere.VM) { vm.ToolsRunning, vm.ToolsStatus = false, "guestToolsNotInstalled" }, prepare.CodeToolsMissing, "PRE-03", "not installed"},
		"tools nobody tells of":  {func(vm *vsphere.VM) { vm.ToolsRunning, vm.ToolsStatus = false, "" }, prepare.CodeToolsMissing, "PRE-03", "not installed"},
		"tools that do not run":  {func(vm *vsphere.VM) { vm.ToolsRunning = false }, prepare.CodeToolsStopped, "PRE-03", "do not run"},
		"old tools":              {func(vm *vsphere.VM) { vm.ToolsStatus = "guestToolsNeedUpgrade" }, prepare.CodeToolsOld, "PRE-03", "upgrade"},
		"tools that are too old": {func(vm *vsphere.VM) { vm.ToolsStatus = "guestToolsTooOld" }, prepare.CodeToolsOld, "PRE-03", "upgrade"},
		"tools with a known bug": {func(vm *vsphere.VM) { vm.ToolsStatus = "guestToolsBlacklisted" }, prepare.CodeToolsOld, "PRE-03", "upgrade"},
		"a full system": {func(vm *vsphere.VM) { vm.GuestDisks[0].Free = 49 << 20 }, prepare.CodeSystemSpace, "PRE-09",
			"/ has 49 MB free, and 50 MB are needed"},
		"a full Windows":    {func(vm *vsphere.VM) { vm.GuestDisks[0] = vsphere.GuestDisk{Path: `c:\`, Free: 50<<20 - 1} }, prepare.CodeSystemSpace, "PRE-09", `c:\ has 49 MB`},
		"UEFI":              {func(vm *vsphere.VM) { vm.Firmware = "efi" }, prepare.CodeFirmware, "PRE-15", `"efi", not BIOS`},
		"an IDE disk":       {func(vm *vsphere.VM) { vm.Disks[0].Controller = "ide" }, prepare.CodeIDE, "", "Hard disk 1 is on an IDE controller"},
		"a USB device":      {func(vm *vsphere.VM) { vm.USB = true }, prepare.CodeUSB, "", "USB"},
		"an image attached": {func(vm *vsphere.VM) { vm.ISO = true }, prepare.CodeISO, "", "ISO image"},
	} {
		t.Run(name, func(t *testing.T) {
			vm := sound()
			c.change(&vm)
			found := prepare.Checks(vm)
			require.Len(t, found, 1)
			assert.Equal(t, c.code, found[0].Code)
			assert.Equal(t, c.clause, found[0].Clause)
			assert.Contains(t, found[0].What, c.says)
			assert.True(t, strings.HasPrefix(found[0].What, "db-01: "))
			assert.NotEmpty(t, found[0].Fix)
			assert.True(t, prepare.Blocked(found))
		})
	}
}

func TestToolsThatAreNobodysToJudgeAreToldAndBlockNothing(t *testing.T) {
	for status, code := range map[string]string{
		"guestToolsUnmanaged": prepare.CodeToolsUnmanaged, "guestToolsSupportedOld": prepare.CodeToolsOther, "guestToolsTooNew": prepare.CodeToolsOther,
	} {
		vm := sound()
		vm.ToolsStatus = status
		found := prepare.Checks(vm)
		require.Len(t, found, 1)
		assert.Equal(t, code, found[0].Code)
		assert.False(t, prepare.Blocked(found))
		vm.ToolsRunning = false
		assert.True(t, prepare.Blocked(prepare.Checks(vm)), "they must run all the same")
	}
}

func TestAllThatStandsAgainstAVMIsSaidAtOnce(t *testing.T) {
	var codes []string
	for _, f := range prepare.Checks(vsphere.VM{
		Name: "db-01", Power: vsphere.Off, GuestID: "solaris11_64Guest", Firmware: "efi", ToolsStatus: "guestToolsTooOld", USB: true, ISO: true,
		Disks: []vsphere.Disk{{Controller: "ide"}, {Controller: "ide"}}, GuestDisks: []vsphere.GuestDisk{{Path: "/"}},
	}) {
		codes = append(codes, f.Code)
	}
	assert.Equal(t, []string{
		prepare.CodeOff, prepare.CodeGuest, prepare.CodeToolsOld, prepare.CodeSystemSpace, prepare.CodeFirmware,
		prepare.CodeIDE, prepare.CodeIDE, prepare.CodeUSB, prepare.CodeISO,
	}, codes)
}

func TestAMarkIsOfOneVM(t *testing.T) {
	vm := sound()
	assert.False(t, prepare.Prepared(vm))
	vm.Marks[prepare.Mark] = prepare.MarkOf(vm)
	assert.True(t, prepare.Prepared(vm))
	clone := vm
	clone.InstanceUUID = "502a"
	assert.False(t, prepare.Prepared(clone), "its mark came with the files")
	assert.False(t, prepare.Prepared(vsphere.VM{Marks: map[string]string{prepare.Mark: ""}}), "a VM that tells nothing of itself")
}

func TestThePeopleWhoAreRefusedReadWhichGuestsWouldDo(t *testing.T) {
	for _, one := range []string{"Windows Server 2012 R2", "RHEL 6.10", "SLES 15 SP2", "Oracle Linux 7.7"} {
		assert.Contains(t, prepare.Supported(), one)
	}
}
