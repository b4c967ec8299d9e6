package powerloss

import (
	"context"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// BrownoutParams are dips of the supply that come back before the power goes.
type BrownoutParams struct {
	Flaps int    `json:"flaps" jsonschema:"minimum=1,maximum=10,description=How often network and processes stop and go on before the power goes"`
	For   string `json:"for" jsonschema:"pattern=^([0-9]+([.][0-9]+)?ms)$,title=milliseconds,example=50ms,description=How long each stop and each pause after it takes; all of it no more than 1 s"`
}

// longestBrownout keeps the cut near the instant that the stage names. What dips
// for longer has stages of its own.
const longestBrownout = time.Second

// brownout is BrownoutParams, checked.
type brownout struct {
	Flaps int           `json:"flaps,omitempty"`
	For   time.Duration `json:"for,omitempty"`
}

func (p *BrownoutParams) parse() (b brownout, err error) {
	if p == nil {
		return b, nil
	}
	if p.Flaps < 1 || p.Flaps > 10 {
		return b, fault.Refuse("brownout.flaps", "%d is not between 1 and 10", p.Flaps)
	}
	d, err := time.ParseDuration(p.For)
	if err != nil || d < time.Millisecond {
		return b, fault.Refuse("brownout.for", "%q is no duration of 1ms or more; write it like 50ms", p.For)
	}
	b = brownout{Flaps: p.Flaps, For: d}
	if b.takes() > longestBrownout {
		return b, fault.Refuse("brownout.for", "%d stops of %v with pauses take %v, and the cut would be late by that; no more than %v, longer dips are stages of their own", b.Flaps, d, b.takes(), longestBrownout)
	}
	return b, nil
}

func (b brownout) takes() time.Duration { return 2 * time.Duration(b.Flaps) * b.For }

// run stops and resumes until all flaps are over. It ends resumed, whatever
// happens: what comes after it is the cut.
func (b brownout) run(ctx context.Context, stop, resume func()) {
	for range b.Flaps {
		if ctx.Err() != nil {
			return
		}
		stop()
		fault.Mark(ctx, Flapped)
		time.Sleep(b.For)
		resume()
		time.Sleep(b.For)
	}
}
