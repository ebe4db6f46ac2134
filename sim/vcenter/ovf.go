package vcenter

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"text/template"

	"github.com/vmware/govmomi/ovf"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// ovfCalls: vcsim describes no VM, and panics on descriptors that lack a part.
type ovfCalls struct {
	call
	ovf *simulator.OvfManager
}

// CreateDescriptor describes a VM as an OVF envelope. Files are named as the
// caller carried them; ovf:populatedSize is what each disk has in use.
func (c *ovfCalls) CreateDescriptor(_ *simulator.Context, r *types.CreateDescriptor) soap.HasFault {
	b := new(methods.CreateDescriptorBody)
	m := c.vc.machines[r.Obj]
	if m == nil {
		b.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "obj"}, "only VMs can be described, not %s", r.Obj)
		return b
	}
	e, problems := describeOVF(m, &r.Cdp)
	text, err := e.text()
	if err != nil {
		b.Fault_ = fault(&types.OvfExport{}, "describing %q: %v", m.vm.Name, err)
		return b
	}
	b.Res = &types.CreateDescriptorResponse{Returnval: types.OvfCreateDescriptorResult{OvfDescriptor: text, Error: problems}}
	return b
}

// envelope is what the template of a descriptor needs.
type envelope struct {
	Name, GuestID, Firmware, Annotation string
	CPUs, MemoryMB                      int32
	Files                               []envelopeFile
	Networks                            []string
	Items                               []envelopeItem
}

type envelopeFile struct {
	ID, DiskID, Href          string
	Size, Capacity, Populated int64
}

// envelopeItem is a device: an Item of CIM_ResourceAllocationSettingData.
type envelopeItem struct {
	ID, Type, Address int
	Parent, Unit      string
	Name, SubType     string
	Disk, Network     string
}

// CIM resource types.
const (
	cimIDE   = 5
	cimSCSI  = 6
	cimNIC   = 10
	cimCDROM = 15
	cimDisk  = 17
	cimOther = 20
)

// cimSubType is the name of a controller in a descriptor.
var cimSubType = map[string]string{
	"pvscsi": "VirtualSCSI", "lsilogic": "lsilogic", "lsilogic-sas": "lsilogicsas", "buslogic": "buslogic",
	"ide": "", "sata": "vmware.sata.ahci", "nvme": "vmware.nvme.controller",
}

var nicSubType = map[string]string{"vmxnet3": "VmxNet3", "vmxnet2": "VmxNet2", "e1000": "E1000", "e1000e": "E1000e", "pcnet32": "PCNet32"}

func describeOVF(m *machine, p *types.OvfCreateDescriptorParams) (*envelope, []types.LocalizedMethodFault) {
	vm := m.vm
	e := &envelope{
		Name: vm.Name, GuestID: vm.Config.GuestId, Firmware: vm.Config.Firmware, Annotation: vm.Config.Annotation,
		CPUs: vm.Config.Hardware.NumCPU, MemoryMB: vm.Config.Hardware.MemoryMB,
	}
	if p.Name != "" {
		e.Name = p.Name
	}
	ids := map[int32]int{} // of items, by device key
	n := 2                 // items so far: CPUs and memory
	item := func(d types.BaseVirtualDevice, it envelopeItem) {
		n++
		it.ID = n
		v := d.GetVirtualDevice()
		ids[v.Key] = n
		it.Name = v.DeviceInfo.GetDescription().Label
		if v.ControllerKey != 0 && ids[v.ControllerKey] != 0 {
			it.Parent = strconv.Itoa(ids[v.ControllerKey])
			if v.UnitNumber != nil {
				it.Unit = strconv.Itoa(int(*v.UnitNumber))
			}
		}
		e.Items = append(e.Items, it)
	}
	for _, d := range vm.Config.Hardware.Device { // controllers first: others name them
		switch kind := controllerKind(d); kind {
		case "":
		case "ide":
			item(d, envelopeItem{Type: cimIDE, Address: int(d.(*types.VirtualIDEController).BusNumber)})
		case "sata", "nvme":
			item(d, envelopeItem{Type: cimOther, SubType: cimSubType[kind]})
		default:
			item(d, envelopeItem{Type: cimSCSI, SubType: cimSubType[kind], Address: int(d.(types.BaseVirtualController).GetVirtualController().BusNumber)})
		}
	}
	var problems []types.LocalizedMethodFault
	for _, d := range vm.Config.Hardware.Device {
		switch d := d.(type) {
		case *types.VirtualDisk:
			i := len(e.Files)
			f, problem := m.envelopeFile(i, p.OvfFiles)
			if problem != nil {
				problems = append(problems, *problem)
			}
			e.Files = append(e.Files, f)
			item(d, envelopeItem{Type: cimDisk, Disk: f.DiskID})
		case *types.VirtualCdrom:
			item(d, envelopeItem{Type: cimCDROM})
		case types.BaseVirtualEthernetCard:
			network := d.GetVirtualEthernetCard().DeviceInfo.GetDescription().Summary
			e.addNetwork(network)
			item(d.(types.BaseVirtualDevice), envelopeItem{Type: cimNIC, SubType: nicSubType[nicType(d)], Network: network})
		}
	}
	return e, problems
}

func (e *envelope) addNetwork(name string) {
	for _, n := range e.Networks {
		if n == name {
			return
		}
	}
	e.Networks = append(e.Networks, name)
}

// envelopeFile is the i-th disk and the file that the caller made of it. A disk
// that the caller has not carried is a problem, not a fault, as in vSphere.
func (m *machine) envelopeFile(i int, files []types.OvfFile) (envelopeFile, *types.LocalizedMethodFault) {
	a := m.disks[i]
	f := envelopeFile{
		ID: fmt.Sprintf("file%d", i+1), DiskID: fmt.Sprintf("vmdisk%d", i+1), Href: fmt.Sprintf("disk-%d.vmdk", i),
		Capacity: a.disk.Capacity(), Populated: a.disk.Used(),
	}
	key := fmt.Sprintf("/%s/disk:%d", m.vm.Self.Value, i)
	for _, o := range files {
		if o.DeviceId == key {
			f.Size = o.Size
			if o.Path != "" {
				f.Href = o.Path
			}
			return f, nil
		}
	}
	if len(files) == 0 {
		return f, nil
	}
	return f, &types.LocalizedMethodFault{
		Fault:            &types.OvfUnknownDevice{Device: nil, VmName: m.vm.Name},
		LocalizedMessage: fmt.Sprintf("no file was given for the disk %s of %q", key, m.vm.Name),
	}
}

func (e *envelope) text() (string, error) {
	var out bytes.Buffer
	if err := envelopeTemplate.Execute(&out, e); err != nil {
		return "", err
	}
	return out.String(), nil
}

func escape(s string) (string, error) {
	var b strings.Builder
	err := xml.EscapeText(&b, []byte(s))
	return b.String(), err
}

var envelopeTemplate = template.Must(template.New("ovf").Funcs(template.FuncMap{"x": escape}).Parse(`<?xml version="1.0" encoding="UTF-8"?>
<Envelope vmw:buildId="build-0" xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:cim="http://schemas.dmtf.org/wbem/wscim/1/common" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" xmlns:vmw="http://www.vmware.com/schema/ovf" xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <References>{{range .Files}}
    <File ovf:href="{{x .Href}}" ovf:id="{{.ID}}" ovf:size="{{.Size}}"/>{{end}}
  </References>
  <DiskSection>
    <Info>Virtual disk information</Info>{{range .Files}}
    <Disk ovf:capacity="{{.Capacity}}" ovf:capacityAllocationUnits="byte * 2^0" ovf:diskId="{{.DiskID}}" ovf:fileRef="{{.ID}}" ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized" ovf:populatedSize="{{.Populated}}"/>{{end}}
  </DiskSection>
  <NetworkSection>
    <Info>The list of logical networks</Info>{{range .Networks}}
    <Network ovf:name="{{x .}}"/>{{end}}
  </NetworkSection>
  <VirtualSystem ovf:id="{{x .Name}}">
    <Info>A virtual machine</Info>
    <Name>{{x .Name}}</Name>
    <OperatingSystemSection ovf:id="1" vmw:osType="{{x .GuestID}}">
      <Info>The kind of installed guest operating system</Info>
    </OperatingSystemSection>
    <VirtualHardwareSection>
      <Info>Virtual hardware requirements</Info>
      <System>
        <vssd:ElementName>Virtual Hardware Family</vssd:ElementName>
        <vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemIdentifier>{{x .Name}}</vssd:VirtualSystemIdentifier>
        <vssd:VirtualSystemType>vmx-19</vssd:VirtualSystemType>
      </System>
      <Item>
        <rasd:AllocationUnits>hertz * 10^6</rasd:AllocationUnits>
        <rasd:ElementName>{{.CPUs}} virtual CPU(s)</rasd:ElementName>
        <rasd:InstanceID>1</rasd:InstanceID>
        <rasd:ResourceType>3</rasd:ResourceType>
        <rasd:VirtualQuantity>{{.CPUs}}</rasd:VirtualQuantity>
      </Item>
      <Item>
        <rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits>
        <rasd:ElementName>{{.MemoryMB}}MB of memory</rasd:ElementName>
        <rasd:InstanceID>2</rasd:InstanceID>
        <rasd:ResourceType>4</rasd:ResourceType>
        <rasd:VirtualQuantity>{{.MemoryMB}}</rasd:VirtualQuantity>
      </Item>{{range .Items}}
      <Item>{{if eq .Type 5 6}}
        <rasd:Address>{{.Address}}</rasd:Address>{{end}}{{if .Unit}}
        <rasd:AddressOnParent>{{.Unit}}</rasd:AddressOnParent>{{end}}{{if .Network}}
        <rasd:AutomaticAllocation>true</rasd:AutomaticAllocation>
        <rasd:Connection>{{x .Network}}</rasd:Connection>{{end}}
        <rasd:ElementName>{{x .Name}}</rasd:ElementName>{{if .Disk}}
        <rasd:HostResource>ovf:/disk/{{.Disk}}</rasd:HostResource>{{end}}
        <rasd:InstanceID>{{.ID}}</rasd:InstanceID>{{if .Parent}}
        <rasd:Parent>{{.Parent}}</rasd:Parent>{{end}}{{if .SubType}}
        <rasd:ResourceSubType>{{.SubType}}</rasd:ResourceSubType>{{end}}
        <rasd:ResourceType>{{.Type}}</rasd:ResourceType>
      </Item>{{end}}
      <vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="{{x .Firmware}}"/>
    </VirtualHardwareSection>{{if .Annotation}}
    <AnnotationSection>
      <Info>A human-readable annotation</Info>
      <Annotation>{{x .Annotation}}</Annotation>
    </AnnotationSection>{{end}}
  </VirtualSystem>
</Envelope>
`))

// CreateImportSpec is vcsim's for a descriptor that is complete, with the
// firmware and the bytes in use, which vcsim leaves out.
func (c *ovfCalls) CreateImportSpec(ctx *simulator.Context, r *types.CreateImportSpec) (res soap.HasFault) {
	b := new(methods.CreateImportSpecBody)
	env, err := ovf.Unmarshal(strings.NewReader(r.OvfDescriptor))
	if err == nil {
		err = complete(env)
	}
	if err != nil {
		b.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "ovfDescriptor"}, "the descriptor cannot be used: %v", err)
		return b
	}
	if _, ok := c.vc.reg.Get(r.ResourcePool).(*simulator.ResourcePool); !ok {
		b.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "resourcePool"}, "%s is no resource pool", r.ResourcePool)
		return b
	}
	if c.vc.storeOf(r.Datastore) == nil {
		b.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "datastore"}, "%s is no datastore", r.Datastore)
		return b
	}
	defer func() { // what complete has overlooked
		if p := recover(); p != nil {
			res = &methods.CreateImportSpecBody{Fault_: fault(&types.InvalidArgument{InvalidProperty: "ovfDescriptor"}, "the descriptor cannot be used: %v", p)}
		}
	}()
	res = c.ovf.CreateImportSpec(ctx, r)
	out, ok := res.(*methods.CreateImportSpecBody)
	if !ok || out.Res == nil {
		return res
	}
	if spec, ok := out.Res.Returnval.ImportSpec.(*types.VirtualMachineImportSpec); ok {
		amend(&spec.ConfigSpec, env)
	}
	return res
}

// amend adds what vcsim leaves out.
func amend(s *types.VirtualMachineConfigSpec, env *ovf.Envelope) {
	hw := env.VirtualSystem.VirtualHardware[0]
	for _, c := range hw.Config {
		if c.Key == "firmware" {
			s.Firmware = c.Value
		}
	}
	if a := env.VirtualSystem.Annotation; a != nil {
		s.Annotation = a.Annotation
	}
	i := 0
	for _, item := range hw.Item {
		if item.ResourceType == nil || *item.ResourceType != cimDisk {
			continue
		}
		if d := diskOfItem(env, item.HostResource); d != nil && d.PopulatedSize != nil {
			s.ExtraConfig = append(s.ExtraConfig, &types.OptionValue{Key: fmt.Sprint(populatedKey, i), Value: strconv.Itoa(*d.PopulatedSize)})
		}
		i++
	}
}

func diskOfItem(env *ovf.Envelope, resource []string) *ovf.VirtualDiskDesc {
	if len(resource) == 0 || env.Disk == nil {
		return nil
	}
	for i, d := range env.Disk.Disks {
		if strings.HasSuffix(resource[0], "/"+d.DiskID) {
			return &env.Disk.Disks[i]
		}
	}
	return nil
}

// complete says what a descriptor lacks that vcsim would panic without.
func complete(env *ovf.Envelope) error {
	switch {
	case env.VirtualSystem == nil:
		return fmt.Errorf("it has no VirtualSystem")
	case len(env.VirtualSystem.VirtualHardware) == 0:
		return fmt.Errorf("it has no VirtualHardwareSection")
	case env.VirtualSystem.VirtualHardware[0].System == nil:
		return fmt.Errorf("its VirtualHardwareSection has no System")
	}
	for _, item := range env.VirtualSystem.VirtualHardware[0].Item {
		if item.ResourceType == nil {
			return fmt.Errorf("the item %q has no ResourceType", item.ElementName)
		}
		switch *item.ResourceType {
		case 3, 4:
			if item.VirtualQuantity == nil {
				return fmt.Errorf("the item %q has no VirtualQuantity", item.ElementName)
			}
		case cimCDROM, cimDisk:
			if item.Parent == nil {
				return fmt.Errorf("the item %q has no Parent", item.ElementName)
			}
		}
		if *item.ResourceType == cimDisk {
			d := diskOfItem(env, item.HostResource)
			if d == nil || d.FileRef == nil {
				return fmt.Errorf("the disk item %q names no disk with a file", item.ElementName)
			}
		}
	}
	return nil
}
