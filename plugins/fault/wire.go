package fault

import (
	"net/netip"

	"github.com/firedrill-io/firedrill/plugins/internal/faultpb"
)

// The functions of this file translate between the contract and its wire form.

func errorPB(err error) *faultpb.Error {
	e := AsError(err)
	if e == nil {
		return nil
	}
	return &faultpb.Error{Code: string(e.Code), Field: e.Field, Message: e.Message}
}

func errorOf(e *faultpb.Error) *Error {
	if e == nil {
		return nil
	}
	return &Error{Code: Code(e.GetCode()), Field: e.GetField(), Message: e.GetMessage()}
}

func targetPB(t Target) *faultpb.Target {
	pb := &faultpb.Target{
		Host: t.Host, BootId: t.BootID, NetnsPath: t.NetNS.Path, NetnsInode: t.NetNS.Inode,
		Mounts: t.Mounts, Power: t.Power, StateDir: t.StateDir, ExemptNames: t.ExemptNames,
	}
	for _, peer := range t.Exempt {
		pb.Exempt = append(pb.Exempt, peer.String())
	}
	for _, c := range t.Cgroups {
		pb.Cgroups = append(pb.Cgroups, &faultpb.Cgroup{Path: c.Path, Inode: c.Inode})
	}
	return pb
}

// targetOf leaves a peer that it cannot read as the zero AddrPort: Prepare
// refuses that, and Revert goes on all the same.
func targetOf(pb *faultpb.Target) Target {
	t := Target{
		Host: pb.GetHost(), BootID: pb.GetBootId(), NetNS: NetNS{Path: pb.GetNetnsPath(), Inode: pb.GetNetnsInode()},
		Mounts: pb.GetMounts(), Power: pb.GetPower(), StateDir: pb.GetStateDir(), ExemptNames: pb.GetExemptNames(),
	}
	for _, text := range pb.GetExempt() {
		peer, err := netip.ParseAddrPort(text)
		if err != nil {
			peer = netip.AddrPort{}
		}
		t.Exempt = append(t.Exempt, peer)
	}
	for _, c := range pb.GetCgroups() {
		t.Cgroups = append(t.Cgroups, Cgroup{Path: c.GetPath(), Inode: c.GetInode()})
	}
	return t
}

func itemsPB(items []RawItem) []*faultpb.Item {
	pbs := make([]*faultpb.Item, len(items))
	for i, it := range items {
		pbs[i] = &faultpb.Item{Id: string(it.ID), Target: targetPB(it.Target), Change: it.Change}
	}
	return pbs
}

func itemsOf(pbs []*faultpb.Item) []RawItem {
	items := make([]RawItem, len(pbs))
	for i, pb := range pbs {
		items[i] = RawItem{ID: InjectionID(pb.GetId()), Target: targetOf(pb.GetTarget()), Change: pb.GetChange()}
	}
	return items
}

func appliedPB(as []Applied) []*faultpb.Applied {
	pbs := make([]*faultpb.Applied, len(as))
	for i, a := range as {
		pb := &faultpb.Applied{Id: string(a.ID), At: int64(a.At), Woke: int64(a.Woke), Done: int64(a.Done), Timer: a.Timer}
		if a.Err != nil {
			pb.Error = errorPB(a.Err)
		}
		for _, p := range a.Phase {
			pb.Phases = append(pb.Phases, &faultpb.Phase{Name: p.Name, At: int64(p.At)})
		}
		pbs[i] = pb
	}
	return pbs
}

func appliedOf(pbs []*faultpb.Applied) []Applied {
	as := make([]Applied, len(pbs))
	for i, pb := range pbs {
		a := Applied{
			ID: InjectionID(pb.GetId()), At: BootTime(pb.GetAt()), Woke: BootTime(pb.GetWoke()), Done: BootTime(pb.GetDone()),
			Timer: pb.GetTimer(), Err: errorOf(pb.GetError()),
		}
		for _, p := range pb.GetPhases() {
			a.Phase = append(a.Phase, Phase{Name: p.GetName(), At: BootTime(p.GetAt())})
		}
		as[i] = a
	}
	return as
}

func observationPB(o Observation, err error) *faultpb.ObserveResponse {
	return &faultpb.ObserveResponse{
		State: string(o.State), Dose: string(o.Dose), Asked: measuresPB(o.Asked), Achieved: measuresPB(o.Achieved),
		Detail: o.Detail, Error: errorPB(err), Called: o.Called,
	}
}

func observationOf(pb *faultpb.ObserveResponse) Observation {
	return Observation{
		State: State(pb.GetState()), Dose: Dose(pb.GetDose()), Asked: measuresOf(pb.GetAsked()),
		Achieved: measuresOf(pb.GetAchieved()), Detail: pb.GetDetail(), Called: pb.GetCalled(),
	}
}

func measuresPB(ms []Measure) (pbs []*faultpb.Measure) {
	for _, m := range ms {
		pbs = append(pbs, &faultpb.Measure{Name: m.Name, Value: m.Value, Unit: m.Unit})
	}
	return pbs
}

func measuresOf(pbs []*faultpb.Measure) (ms []Measure) {
	for _, pb := range pbs {
		ms = append(ms, Measure{Name: pb.GetName(), Value: pb.GetValue(), Unit: pb.GetUnit()})
	}
	return ms
}
