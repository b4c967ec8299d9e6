package plan

import (
	"errors"
	"io"
	"time"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/internal/inventory"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// New folds the experiment and one layout's inventory into a plan.
func New(exp *experiments.Experiment, inv *inventory.Inventory, layout string, infos map[fault.Kind]fault.Info) (*Plan, error) {
	return nil, errors.New("plan: not built yet")
}

// Digest is the SHA-256 of the plan's canonical JSON, in hex.
func (p *Plan) Digest() string { return "" }

// WallAt is when an instant of the incident comes, in wall time from T0.
func (p *Plan) WallAt(i experiments.Instant) time.Duration { return 0 }

// IncidentAt is the instant of the incident at a wall time from T0.
func (p *Plan) IncidentAt(wall time.Duration) experiments.Instant { return 0 }

// Render writes the timeline for a person.
func Render(w io.Writer, p *Plan) error { return nil }
