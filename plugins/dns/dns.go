// Package dns is the fault that makes names unresolvable: queries to resolvers
// are answered that there is no such name (NXDOMAIN), that the resolver failed
// (SERVFAIL), or not at all.
//
// It acts upon queries as they leave, on every device and on the loopback, where
// local resolvers such as systemd-resolved and dnsmasq listen: the program of the
// network faults (tc-bpf(8)) makes the query into its own answer. So it hits what
// the host itself asks for and what it forwards, in IPv4 and IPv6. An answer has
// no SOA record, so nobody may cache that a name does not exist (RFC 2308, 5); a
// local resolver may remember a failure for some seconds, systemd-resolved for
// ten.
//
// Over TCP there is no answer: segments with a query for one of the names are
// lost, so that falling back to TCP resolves nothing. Of several queries in one
// segment only the first is looked at. Without names all of TCP to port 53 is
// lost.
//
// What it does not reach: names that are cached or stand in /etc/hosts, other
// ways to resolve (mDNS, LLMNR, DNS over TLS or HTTPS: cut these off with
// partition), IP fragments, and resolvers on other ports than 53, such as that
// inside of Docker's containers; what such a resolver asks in turn is reached. Of one
// service only its own queries are: what it asks through a resolver of the host, that
// one asks for it.
package dns

import (
	"context"
	"net/netip"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/bpf"
	"github.com/firedrill-io/firedrill/plugins/internal/peers"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
)

// Kind is the name of this fault.
const Kind fault.Kind = "dns"

func init() { fault.Register(Kind, fault.NewDriver(&Plugin{})) }

// Params is what an experiment file may set.
type Params struct {
	// Mode is what becomes of a query.
	Mode string `json:"mode" jsonschema:"enum=nxdomain,enum=servfail,enum=drop,description=What becomes of a query over UDP: answered that there is no such name\\, answered that the resolver failed\\, or lost; over TCP it is lost in each mode"`
	scope.Scope
	// Names limits it to queries for them.
	Names []string `json:"names,omitempty" jsonschema:"minItems=1,maxItems=1024,example=*.example.com,description=Only queries for these names: db.example.com is that name\\, *.example.com are all below example.com (default: all names)"`
	// Resolvers limits it to queries to them.
	Resolvers []string `json:"resolvers,omitempty" jsonschema:"minItems=1,maxItems=64,description=Only queries to these resolvers: addresses or CIDRs; in an experiment also site:NAME\\, rack:NAME\\, role:NAME or host:NAME (default: all)" jsonschema_extras:"format=peers"`
	// Devices default to all, the loopback among them.
	Devices []string `json:"devices,omitempty" jsonschema:"description=Network devices (default: all and the loopback)"`
}

// codes are the answers of the modes; drop has none.
var codes = map[string]dnsmessage.RCode{"nxdomain": dnsmessage.RCodeNameError, "servfail": dnsmessage.RCodeServerFailure, "drop": 0}

// maxResolvers is the most that Resolvers takes: each has a canary.
const maxResolvers = traffic.MaxCanaries

// Change is the change record.
type Change struct {
	traffic.Change
	Ask []netip.Addr `json:"ask"` // the resolvers that canaries go to
}

// Plugin is the fault. The zero value is ready.
type Plugin struct{ traffic.Injector }

var _ fault.Plugin[Params, Change] = (*Plugin)(nil)

// Describe implements fault.Plugin.
func (*Plugin) Describe() fault.Info {
	return traffic.Describe(Kind, "makes names unresolvable: queries are answered NXDOMAIN or SERVFAIL, or lost, by name and resolver")
}

// Prepare implements fault.Plugin.
func (p *Plugin) Prepare(ctx context.Context, t fault.Target, params Params) (Change, error) {
	code, ok := codes[params.Mode]
	if !ok {
		return Change{}, fault.Refuse("mode", "%q is not one of nxdomain, servfail, drop", params.Mode)
	}
	names, err := readNames(params.Names)
	if err == nil {
		err = refuseControl(names, t.ExemptNames)
	}
	if err != nil {
		return Change{}, err
	}
	resolvers, err := readResolvers(params.Resolvers)
	if err != nil {
		return Change{}, err
	}
	sel := traffic.Selection{Scope: params.Scope, To: params.Resolvers, Direction: "out", Ports: []string{"53"}, Devices: params.Devices}
	if len(sel.To) == 0 {
		sel.To = []string{"0.0.0.0/0", "::/0"}
	}
	c, err := p.Injector.Prepare(ctx, t, sel, traffic.Action{Does: bpf.Answer, Names: names, Code: uint32(code)})
	return Change{Change: c, Ask: toAsk(c, resolvers)}, err
}

func readResolvers(list []string) ([]netip.Prefix, error) {
	if len(list) > maxResolvers {
		return nil, fault.Refuse("resolvers", "%d given, at most %d fit in one injection; use CIDRs", len(list), maxResolvers)
	}
	return peers.Prefixes("resolvers", list)
}

// Apply implements fault.Plugin.
func (p *Plugin) Apply(ctx context.Context, t fault.Target, c Change, _, until fault.BootTime) error {
	return p.Injector.Apply(ctx, t, c.Change, until, nil)
}

// Revert implements fault.Plugin.
func (p *Plugin) Revert(ctx context.Context, t fault.Target, c Change) error {
	return p.Injector.Revert(ctx, t, c.Change)
}

// Observe implements fault.Plugin. It asks the resolvers for one of the names and
// counts a query as hit if the counters of the program say so and the asker had
// the answer of the mode, or none.
func (p *Plugin) Observe(_ context.Context, t fault.Target, c Change) (fault.Observation, error) {
	s, err := traffic.Reopen(t, c.Change)
	if err != nil {
		return fault.Observation{}, err
	}
	defer s.Close()
	before, err := s.Read(c.Change)
	if err != nil {
		return fault.Observation{}, err
	}
	var heard hearing
	if before.Present > 0 {
		if heard, err = ask(s, c); err != nil {
			return fault.Observation{}, err
		}
	}
	after, err := s.Read(c.Change)
	after.Sent = heard.sent
	hit := min(uint64(heard.hit), after.Canaries-before.Canaries)
	return fault.Observation{
		State: after.State(), Dose: after.Dose(), Detail: after.Detail(became(c)),
		Asked: []fault.Measure{{Name: "canary queries hit", Value: float64(heard.sent), Unit: "queries"}},
		Achieved: []fault.Measure{
			{Name: "canary queries hit", Value: float64(hit), Unit: "queries"},
			{Name: "packets hit", Value: float64(after.Acted), Unit: "packets"},
		},
	}, err
}

// became is what became of queries.
func became(c Change) string {
	switch dnsmessage.RCode(c.Action.Code) {
	case dnsmessage.RCodeNameError:
		return "answered NXDOMAIN or lost with TCP"
	case dnsmessage.RCodeServerFailure:
		return "answered SERVFAIL or lost with TCP"
	}
	return "lost"
}
