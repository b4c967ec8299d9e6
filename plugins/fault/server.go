package fault

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/netip"
	"slices"

	"github.com/firedrill-io/firedrill/plugins/internal/faultpb"
)

// server is the plugin's half of the transport. It remembers what it applied,
// for the case that the agent goes away.
type server struct {
	faultpb.UnimplementedFaultServer
	driver Driver
	live   *live
	log    *slog.Logger
}

func (s *server) Describe(ctx context.Context, _ *faultpb.DescribeRequest) (*faultpb.DescribeResponse, error) {
	info, err := s.driver.Describe(withLogger(ctx, s.log))
	if err != nil {
		return &faultpb.DescribeResponse{Error: errorPB(err)}, nil
	}
	b, err := json.Marshal(info)
	return &faultpb.DescribeResponse{Info: b, Error: errorPB(err)}, nil
}

func (s *server) Prepare(ctx context.Context, r *faultpb.PrepareRequest) (*faultpb.PrepareResponse, error) {
	t := targetOf(r.GetTarget())
	if slices.ContainsFunc(t.Exempt, func(peer netip.AddrPort) bool { return !peer.IsValid() }) {
		err := Refuse("", "the peer of the control connection cannot be read; give agent and plugin the same version")
		return &faultpb.PrepareResponse{Error: errorPB(err)}, nil
	}
	change, err := s.driver.Prepare(withLogger(ctx, s.log), t, r.GetParams())
	return &faultpb.PrepareResponse{Change: change, Error: errorPB(err)}, nil
}

// Apply notes its injections before it applies them: an Apply that ends in the
// middle has changed the host too.
func (s *server) Apply(ctx context.Context, r *faultpb.ApplyRequest) (*faultpb.ApplyResponse, error) {
	items := itemsOf(r.GetItems())
	settle := s.live.add(items, BootTime(r.GetUntil()))
	applied, err := s.driver.Apply(withLogger(ctx, s.log), items, BootTime(r.GetAt()), BootTime(r.GetUntil()))
	if err != nil {
		settle(nil)
		return &faultpb.ApplyResponse{Error: errorPB(err)}, nil
	}
	settle(applied)
	for _, a := range applied {
		s.log.Info("applied", "injection", a.ID, "wake_error", a.Woke.Sub(a.At), "took", a.Done.Sub(a.Woke), "timer", a.Timer, "result", resultOf(a.Err.Err()))
	}
	return &faultpb.ApplyResponse{Applied: appliedPB(applied)}, nil
}

func (s *server) Observe(ctx context.Context, r *faultpb.ObserveRequest) (*faultpb.ObserveResponse, error) {
	o, err := s.driver.Observe(withLogger(ctx, s.log), targetOf(r.GetTarget()), r.GetChange())
	return observationPB(o, err), nil
}

func (s *server) Revert(ctx context.Context, r *faultpb.RevertRequest) (*faultpb.RevertResponse, error) {
	t := targetOf(r.GetTarget())
	err := s.live.settled(ctx, t, r.GetChange())
	if err == nil {
		err = s.driver.Revert(withLogger(ctx, s.log), t, r.GetChange())
	}
	if ended(err) {
		s.live.remove(t, r.GetChange())
	}
	s.log.Info("reverted", "host", t.Host, "result", resultOf(err))
	return &faultpb.RevertResponse{Error: errorPB(err)}, nil
}

func resultOf(err error) string {
	if err == nil {
		return "ok"
	}
	return err.Error()
}
