package reset

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/connection"
	"github.com/firedrill-io/firedrill/plugins/internal/network"
	"github.com/firedrill-io/firedrill/plugins/internal/peers"
	"github.com/firedrill-io/firedrill/plugins/internal/rounds"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// Params is what an experiment file may set. At least one of to, from, ports and a
// selection of processes must be given; a connection is reset if all that are given
// match it.
type Params struct {
	scope.Selection
	To    []string `json:"to,omitempty" jsonschema:"minItems=1,description=Peers whose connections are reset: addresses or CIDRs; in an experiment also site:NAME\\, rack:NAME\\, role:NAME or host:NAME" jsonschema_extras:"format=peers"`
	From  []string `json:"from,omitempty" jsonschema:"minItems=1,description=Only connections of these addresses of the host itself" jsonschema_extras:"format=peers"`
	Ports []string `json:"ports,omitempty" jsonschema:"minItems=1,description=Only connections with one of these ports\\, of the peer or of the host: 5432 or 6000-6010"`
	Every string   `json:"every,omitempty" jsonschema:"pattern=^([0-9]+([.][0-9]+)?(ms|s|m|h))+$,title=a duration,example=5s,description=Reset again and again at this interval\\, what was connected anew too (default: once)"`
}

// Rule is what Params mean, checked.
type Rule struct {
	To    []netip.Prefix `json:"to,omitempty"` // none: all
	From  []netip.Prefix `json:"from,omitempty"`
	Ports []peers.Range  `json:"ports,omitempty"`
	// Of are the processes whose connections are meant; none: everybody's.
	Of scope.Selection `json:"of,omitzero"`
}

// leastEvery keeps a repetition from eating a CPU by itself.
const leastEvery = 100 * time.Millisecond

func (p Params) parse() (r Rule, every time.Duration, err error) {
	if len(p.To)+len(p.From)+len(p.Ports) == 0 && p.Selection == (scope.Selection{}) {
		return r, 0, fault.Refuse("to", "neither to, from, ports, service, group, container nor executable are given; name peers, 0.0.0.0/0 and ::/0 for everybody")
	}
	if p.Selection != (scope.Selection{}) {
		if err := p.Selection.Check(); err != nil {
			return r, 0, err
		}
	}
	if r.To, err = peers.Prefixes("to", p.To); err != nil {
		return r, 0, err
	}
	if r.From, err = peers.Prefixes("from", p.From); err != nil {
		return r, 0, err
	}
	if r.Ports, err = peers.Ports(p.Ports); err != nil {
		return r, 0, err
	}
	every, err = rounds.ParseEvery(p.Every, leastEvery)
	return r, every, err
}

// matches says whether the rule means c.
func (r Rule) matches(c connection.Connection) bool {
	return (len(r.To) == 0 || within(r.To, c.Remote.Addr())) &&
		(len(r.From) == 0 || within(r.From, c.Local.Addr())) &&
		(len(r.Ports) == 0 || inRange(r.Ports, c.Remote.Port()) || inRange(r.Ports, c.Local.Port()))
}

func within(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a.Unmap().WithZone("")) {
			return true
		}
	}
	return false
}

func inRange(list []peers.Range, port uint16) bool {
	for _, r := range list {
		if r.Lo <= port && port <= r.Hi {
			return true
		}
	}
	return false
}

// held are the inodes of the sockets of the processes that are meant; nil: of all.
func (r Rule) held() (map[uint32]bool, error) {
	if r.Of == (scope.Selection{}) {
		return nil, nil
	}
	list, err := r.Of.List()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	pids := make([]int, 0, len(list))
	for _, p := range list {
		pids = append(pids, p.PID)
	}
	return network.HeldBy(pids), nil
}
