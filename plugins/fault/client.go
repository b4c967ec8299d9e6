package fault

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/firedrill-io/firedrill/plugins/internal/faultpb"
)

// client is the agent's half of the transport. Errors of the plugin come back
// as *Error; errors of the transport (deadline, process gone) as they are.
type client struct{ pb faultpb.FaultClient }

func (c client) Describe(ctx context.Context) (Info, error) {
	r, err := c.pb.Describe(ctx, &faultpb.DescribeRequest{})
	if err := either("describe", err, r.GetError()); err != nil {
		return Info{}, err
	}
	var info Info
	if err := json.Unmarshal(r.GetInfo(), &info); err != nil {
		return Info{}, fmt.Errorf("decode the plugin's description: %w", err)
	}
	return info, nil
}

func (c client) Prepare(ctx context.Context, t Target, params json.RawMessage) (json.RawMessage, error) {
	r, err := c.pb.Prepare(ctx, &faultpb.PrepareRequest{Target: targetPB(t), Params: params})
	if err := either("prepare", err, r.GetError()); err != nil {
		return nil, err
	}
	return r.GetChange(), nil
}

func (c client) Apply(ctx context.Context, items []RawItem, at, until BootTime) ([]Applied, error) {
	r, err := c.pb.Apply(ctx, &faultpb.ApplyRequest{Items: itemsPB(items), At: int64(at), Until: int64(until)})
	if err := either("apply", err, r.GetError()); err != nil {
		return nil, err
	}
	if len(r.GetApplied()) != len(items) {
		return nil, fmt.Errorf("apply: the plugin answered for %d of %d injections", len(r.GetApplied()), len(items))
	}
	return appliedOf(r.GetApplied()), nil
}

func (c client) Observe(ctx context.Context, t Target, change json.RawMessage) (Observation, error) {
	r, err := c.pb.Observe(ctx, &faultpb.ObserveRequest{Target: targetPB(t), Change: change})
	return orAbsent(observationOf(r), either("observe", err, r.GetError()))
}

func (c client) Revert(ctx context.Context, t Target, change json.RawMessage) error {
	r, err := c.pb.Revert(ctx, &faultpb.RevertRequest{Target: targetPB(t), Change: change})
	return either("revert", err, r.GetError())
}

// either returns the transport's error or the plugin's.
func either(step string, transport error, plugin *faultpb.Error) error {
	if transport != nil {
		return fmt.Errorf("%s: call plugin: %w", step, transport)
	}
	return errorOf(plugin).Err()
}
