package vcenter

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/vmware/govmomi/pbm"
	pbmmethods "github.com/vmware/govmomi/pbm/methods"
	pbmtypes "github.com/vmware/govmomi/pbm/types"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// Storage policies live at an endpoint of their own, /pbm, which is HTTP even
// for clients in this process. A client tells its session in the SOAP header.
// Which policy a disk has is what ReconfigVM_Task was told last; govmomi's own
// simulator of PBM keeps nothing of that, and makes identities by chance.

const pbmPath = pbm.Path

// Limits of what clients can make.
const (
	maxProfiles    = 256
	maxProfileName = 80 // as in vSphere
)

var (
	profileManager = ref{Type: "PbmProfileProfileManager", Value: "ProfileManager"}
	pbmContent     = pbmtypes.PbmServiceInstanceContent{
		AboutInfo:                 pbmtypes.PbmAboutInfo{Name: "PBM", Version: "2.0"},
		SessionManager:            ref{Type: "PbmSessionManager", Value: "SessionManager"},
		CapabilityMetadataManager: ref{Type: "PbmCapabilityMetadataManager", Value: "CapabilityMetadataManager"},
		ProfileManager:            profileManager,
		ComplianceManager:         ref{Type: "PbmComplianceManager", Value: "complianceManager"},
		PlacementSolver:           ref{Type: "PbmPlacementSolver", Value: "placementSolver"},
	}
)

// registerPBM adds the endpoint to the vCenter's service.
func (vc *VCenter) registerPBM() {
	r := simulator.NewRegistry()
	r.Namespace, r.Path = pbm.Namespace, pbmPath
	r.Cookie = func(ctx *simulator.Context) string {
		key := simulator.SOAPCookie(ctx)
		if s := vc.sessions[key]; s != nil { // one of this process, which vcsim does not know
			ctx.Session = &simulator.Session{UserSession: s.user, Registry: simulator.NewRegistry(), Map: vc.reg}
		}
		return key
	}
	r.Handler = func(_ *simulator.Context, m *simulator.Method) (mo.Reference, types.BaseMethodFault) {
		if !strings.HasPrefix(m.Name, "Pbm") {
			return nil, &types.MethodNotFound{Receiver: m.This, Method: m.Name}
		}
		return nil, nil
	}
	r.Put(&pbmService{pbm.ServiceInstance, vc})
	vc.policies = &profiles{ManagedObjectReference: profileManager, vc: vc}
	r.Put(vc.policies)
	vc.service.RegisterSDK(r, pbmPath+"/sdk")
}

type pbmService struct {
	types.ManagedObjectReference
	vc *VCenter
}

// PbmRetrieveServiceContent tells where things are. It needs no session.
func (s *pbmService) PbmRetrieveServiceContent(*pbmtypes.PbmRetrieveServiceContent) soap.HasFault {
	content := pbmContent
	content.AboutInfo.InstanceUuid = s.vc.config.InstanceUUID
	return &pbmmethods.PbmRetrieveServiceContentBody{Res: &pbmtypes.PbmRetrieveServiceContentResponse{Returnval: content}}
}

// profiles is the ProfileManager.
type profiles struct {
	types.ManagedObjectReference
	vc  *VCenter
	all []*pbmtypes.PbmCapabilityProfile // by creation
	seq int
}

func (p *profiles) find(id string) *pbmtypes.PbmCapabilityProfile {
	for _, o := range p.all {
		if o.ProfileId.UniqueId == id {
			return o
		}
	}
	return nil
}

// name is that of a profile; "" if there is none.
func (p *profiles) name(id string) string {
	if o := p.find(id); o != nil {
		return o.Name
	}
	return ""
}

// filters says whether a profile asks for an I/O filter.
func (p *profiles) filters(id string) bool {
	o := p.find(id)
	if o == nil {
		return false
	}
	c, ok := o.Constraints.(*pbmtypes.PbmCapabilitySubProfileConstraints)
	return ok && slices.ContainsFunc(c.SubProfiles, func(s pbmtypes.PbmCapabilitySubProfile) bool {
		return slices.ContainsFunc(s.Capability, func(c pbmtypes.PbmCapabilityInstance) bool { return strings.Contains(c.Id.Namespace, "iofilter") })
	})
}

// PbmQueryProfile lists the profiles of a category.
func (p *profiles) PbmQueryProfile(r *pbmtypes.PbmQueryProfile) soap.HasFault {
	res := new(pbmtypes.PbmQueryProfileResponse)
	for _, o := range p.all {
		if o.ResourceType == r.ResourceType && (r.ProfileCategory == "" || o.ProfileCategory == r.ProfileCategory) {
			res.Returnval = append(res.Returnval, o.ProfileId)
		}
	}
	return &pbmmethods.PbmQueryProfileBody{Res: res}
}

// PbmRetrieveContent tells of profiles.
func (p *profiles) PbmRetrieveContent(r *pbmtypes.PbmRetrieveContent) soap.HasFault {
	b := &pbmmethods.PbmRetrieveContentBody{}
	res := new(pbmtypes.PbmRetrieveContentResponse)
	for _, id := range r.ProfileIds {
		o := p.find(id.UniqueId)
		if o == nil {
			b.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "profileIds"}, "there is no profile %s", id.UniqueId)
			return b
		}
		res.Returnval = append(res.Returnval, o)
	}
	b.Res = res
	return b
}

// PbmCreate makes a storage policy.
func (p *profiles) PbmCreate(ctx *simulator.Context, r *pbmtypes.PbmCreate) soap.HasFault {
	b, s := new(pbmmethods.PbmCreateBody), &r.CreateSpec
	switch {
	case s.Name == "" || len(s.Name) > maxProfileName:
		b.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "createSpec.name"}, "the name of a profile has 1 to %d bytes", maxProfileName)
	case slices.ContainsFunc(p.all, func(o *pbmtypes.PbmCapabilityProfile) bool { return o.Name == s.Name }):
		b.Fault_ = fault(&pbmtypes.PbmDuplicateName{Name: s.Name}, "there is a profile %q", s.Name)
	case len(p.all) >= maxProfiles:
		b.Fault_ = fault(new(pbmtypes.PbmFaultProfileStorageFault), "there are %d profiles, the most that are kept here", maxProfiles)
	}
	if b.Fault_ != nil {
		return b
	}
	p.seq++
	id := pbmtypes.PbmProfileId{UniqueId: nameUUID(fmt.Sprintf("profile/%s/%d", p.vc.config.Site, p.seq))}
	now, by := p.vc.now(), ctx.Session.UserName
	p.all = append(p.all, &pbmtypes.PbmCapabilityProfile{
		PbmProfile: pbmtypes.PbmProfile{
			ProfileId: id, Name: s.Name, Description: s.Description, CreationTime: now, CreatedBy: by, LastUpdatedTime: now, LastUpdatedBy: by,
		},
		ProfileCategory: s.Category, ResourceType: s.ResourceType, Constraints: s.Constraints,
	})
	b.Res = &pbmtypes.PbmCreateResponse{Returnval: id}
	return b
}

// PbmDelete deletes profiles that nothing has. What becomes of each is in the
// answer.
func (p *profiles) PbmDelete(r *pbmtypes.PbmDelete) soap.HasFault {
	res := new(pbmtypes.PbmDeleteResponse)
	for _, id := range r.ProfileId {
		out := pbmtypes.PbmProfileOperationOutcome{ProfileId: id}
		switch o := p.find(id.UniqueId); {
		case o == nil:
			out.Fault = &types.LocalizedMethodFault{Fault: &types.InvalidArgument{InvalidProperty: "profileId"}, LocalizedMessage: "there is no such profile"}
		case len(p.users(id.UniqueId)) > 0:
			out.Fault = &types.LocalizedMethodFault{Fault: &pbmtypes.PbmResourceInUse{Type: "profile", Name: o.Name}, LocalizedMessage: "VMs have the profile " + o.Name}
		default:
			p.all = slices.DeleteFunc(p.all, func(q *pbmtypes.PbmCapabilityProfile) bool { return q == o })
		}
		res.Returnval = append(res.Returnval, out)
	}
	return &pbmmethods.PbmDeleteBody{Res: res}
}

// users are the VMs and disks that have a profile.
func (p *profiles) users(id string) (list []pbmtypes.PbmServerObjectRef) {
	for _, m := range p.vc.order {
		if m.profile == id {
			list = append(list, p.object(pbmtypes.PbmObjectTypeVirtualMachine, m.vm.Self.Value))
		}
		for _, a := range m.disks {
			if a.profile == id {
				list = append(list, p.object(pbmtypes.PbmObjectTypeVirtualDiskId, fmt.Sprintf("%s:%d", m.vm.Self.Value, a.key)))
			}
		}
	}
	return list
}

func (p *profiles) object(kind pbmtypes.PbmObjectType, key string) pbmtypes.PbmServerObjectRef {
	return pbmtypes.PbmServerObjectRef{ObjectType: string(kind), Key: key, ServerUuid: p.vc.config.InstanceUUID}
}

// PbmQueryAssociatedEntity lists what has a profile.
func (p *profiles) PbmQueryAssociatedEntity(r *pbmtypes.PbmQueryAssociatedEntity) soap.HasFault {
	list := slices.DeleteFunc(p.users(r.Profile.UniqueId), func(o pbmtypes.PbmServerObjectRef) bool {
		return r.EntityType != "" && o.ObjectType != r.EntityType
	})
	return &pbmmethods.PbmQueryAssociatedEntityBody{Res: &pbmtypes.PbmQueryAssociatedEntityResponse{Returnval: list}}
}

// PbmQueryAssociatedProfile tells the profile of one VM or disk.
func (p *profiles) PbmQueryAssociatedProfile(r *pbmtypes.PbmQueryAssociatedProfile) soap.HasFault {
	b := new(pbmmethods.PbmQueryAssociatedProfileBody)
	one := p.associated(r.Entity)
	if one.Fault != nil {
		b.Fault_ = fault(one.Fault.Fault, "%s", one.Fault.LocalizedMessage)
		return b
	}
	b.Res = &pbmtypes.PbmQueryAssociatedProfileResponse{Returnval: one.ProfileId}
	return b
}

// PbmQueryAssociatedProfiles tells the profiles of VMs and disks. What cannot
// be told of one is a fault of its own.
func (p *profiles) PbmQueryAssociatedProfiles(r *pbmtypes.PbmQueryAssociatedProfiles) soap.HasFault {
	res := new(pbmtypes.PbmQueryAssociatedProfilesResponse)
	for _, e := range r.Entities {
		res.Returnval = append(res.Returnval, p.associated(e))
	}
	return &pbmmethods.PbmQueryAssociatedProfilesBody{Res: res}
}

func (p *profiles) associated(e pbmtypes.PbmServerObjectRef) pbmtypes.PbmQueryProfileResult {
	res := pbmtypes.PbmQueryProfileResult{Object: e}
	vm, key, isDisk := strings.Cut(e.Key, ":")
	m := p.vc.machines[ref{Type: "VirtualMachine", Value: vm}]
	profile, known := "", false
	switch {
	case m == nil:
	case e.ObjectType == string(pbmtypes.PbmObjectTypeVirtualMachine) && !isDisk:
		profile, known = m.profile, true
	case e.ObjectType == string(pbmtypes.PbmObjectTypeVirtualDiskId) && isDisk:
		for _, a := range m.disks {
			if fmt.Sprint(a.key) == key {
				profile, known = a.profile, true
			}
		}
	}
	if !known {
		res.Fault = &types.LocalizedMethodFault{Fault: &types.InvalidArgument{InvalidProperty: "entity"}, LocalizedMessage: "there is no " + e.ObjectType + " " + e.Key}
	}
	if profile != "" {
		res.ProfileId = []pbmtypes.PbmProfileId{{UniqueId: profile}}
	}
	return res
}

// profileOf reads a profile that a spec asks for. The profile that is empty
// takes one away.
func (vc *VCenter) profileOf(specs []types.BaseVirtualMachineProfileSpec) (id string, asked bool, f types.BaseMethodFault) {
	for _, s := range specs {
		switch s := s.(type) {
		case *types.VirtualMachineDefinedProfileSpec:
			if vc.policies.find(s.ProfileId) == nil {
				return "", false, &types.InvalidArgument{InvalidProperty: "profileId"}
			}
			id, asked = s.ProfileId, true
		case *types.VirtualMachineEmptyProfileSpec, *types.VirtualMachineDefaultProfileSpec:
			id, asked = "", true
		}
	}
	return id, asked, nil
}

// diskEdit refuses every change of a disk but that of its profile.
func diskEdit(devices []types.BaseVirtualDevice, s *types.VirtualDeviceConfigSpec, d *types.VirtualDisk, index int32) types.BaseMethodFault {
	if s.Operation != types.VirtualDeviceConfigSpecOperationEdit || s.FileOperation != "" {
		return notSupported("adding, removing and resizing disks is not simulated")
	}
	for _, o := range devices {
		if now, ok := o.(*types.VirtualDisk); ok && now.Key == d.Key {
			if d.CapacityInBytes != 0 && d.CapacityInBytes != now.CapacityInBytes || d.CapacityInKB != 0 && d.CapacityInKB != now.CapacityInKB {
				return notSupported("adding, removing and resizing disks is not simulated")
			}
			return nil
		}
	}
	return &types.InvalidDeviceSpec{InvalidVmConfig: types.InvalidVmConfig{Property: "deviceChange.device.key"}, DeviceIndex: index}
}

// policyChanges finds the profiles that a spec gives to a VM and its disks, and
// returns what sets them.
func (vc *VCenter) policyChanges(m *machine, s *types.VirtualMachineConfigSpec) (apply func(), f types.BaseMethodFault) {
	home, asked, f := vc.profileOf(s.VmProfile)
	if f != nil {
		return nil, f
	}
	disks := map[int32]string{}
	for _, c := range s.DeviceChange {
		change := c.GetVirtualDeviceConfigSpec()
		id, asked, f := vc.profileOf(change.Profile)
		if f != nil {
			return nil, f
		}
		if d, ok := change.Device.(*types.VirtualDisk); ok && asked {
			disks[d.Key] = id
		}
	}
	return func() {
		if asked {
			m.profile = home
		}
		for _, a := range m.disks {
			if id, ok := disks[a.key]; ok {
				a.profile = id
			}
		}
	}, nil
}

// headerSession is the key of the session that a request's SOAP header tells.
func headerSession(body []byte) string {
	dec := xml.NewDecoder(bytes.NewReader(body))
	for {
		tok, err := dec.Token()
		if err != nil {
			return ""
		}
		start, ok := tok.(xml.StartElement)
		switch {
		case ok && start.Name.Local == "Body":
			return ""
		case ok && start.Name.Local == "vcSessionCookie":
			var key string
			if dec.DecodeElement(&key, &start) != nil {
				return ""
			}
			return key
		}
	}
}

// servePBM is serveSDK for storage policies.
func (vc *VCenter) servePBM(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = isPBM(body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	vc.serveSDK(w, r)
}

// isPBM refuses a request for anything but storage policies.
func isPBM(body []byte) error {
	method, _, err := SOAPTarget(body)
	if err == nil && !strings.HasPrefix(method, "Pbm") {
		err = fmt.Errorf("%s is not of storage policies: it goes to %s", method, sdkPath)
	}
	return err
}
