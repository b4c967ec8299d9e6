package partition

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/network"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
)

// Our routing tables begin here; the low half is of the injection's owner. Our
// rules have this priority, ahead of the main table's 32766 (ip-rule(8)).
const (
	tableBase    = 0x46440000
	rulePriority = 90
)

// routesLack is what the report says of the fallback.
const routesLack = "by blackhole routes, for lack of BPF: only outgoing packets are cut, programs get an error at once instead of silence, the kernel keeps no lease and no counters, new logins through sshd from these peers fail"

func prepareRoutes(s *traffic.Space, c Change, params Params, reason string) (Change, error) {
	const only = "%s is set, and without BPF only whole addresses can be cut off, for outgoing packets: %s"
	switch {
	case len(params.Ports) > 0:
		return c, fault.Refuse("ports", only, "ports", reason)
	case params.Protocol != "":
		return c, fault.Refuse("protocol", only, "protocol", reason)
	case params.Direction == "in":
		return c, fault.Refuse("direction", only, "direction: in", reason)
	case len(params.From) > 0:
		return c, fault.Refuse("from", only, "from", reason)
	case len(params.Devices) > 0:
		return c, fault.Refuse("devices", only, "devices", reason)
	case c.Rule.Group != nil:
		return c, fault.Refuse(params.Field(), only, params.Field(), reason)
	case covers(c.Rule.To, c.Exempt):
		return c, fault.Refuse("to", "the control connection goes to one of these peers, and without BPF it can't be exempted: %s", reason)
	}
	operators, err := logins(s.NS)
	if err != nil {
		return c, err
	}
	if covers(c.Rule.To, operators) {
		return c, fault.Refuse("to", "somebody is logged in through sshd from one of these peers, and without BPF the session can't be exempted: %s", reason)
	}
	c.Way, c.Table = WayRoutes, tableBase|int(c.Owner&0xffff)
	routes, err := routesOf(s.Link, c.Table)
	if err == nil && len(routes) > 0 {
		err = fmt.Errorf("routing table %d is in use: %w", c.Table, fault.ErrChanged)
	}
	return c, err
}

// logins are the peers that are connected to sshd here.
func logins(ns *netns.NS) (peers []netip.AddrPort, err error) {
	err = ns.Do(func() (err error) {
		peers, err = network.Logins()
		return err
	})
	return peers, err
}

func covers(list []netip.Prefix, peers []netip.AddrPort) bool {
	for _, pre := range list {
		for _, ap := range peers {
			if pre.Contains(ap.Addr()) {
				return true
			}
		}
	}
	return false
}

// applyRoutes adds the routes first and the rules last: a rule is what makes
// the kernel look at the table, so the cut is whole at once.
func (p *Partition) applyRoutes(h *netlink.Handle, c Change) error {
	for _, pre := range c.Rule.To {
		if err := h.RouteReplace(blackhole(c, pre)); err != nil {
			return fmt.Errorf("add blackhole for %s: %w", pre, err)
		}
	}
	if p.Inert {
		return nil
	}
	for _, family := range families(c.Rule.To) {
		if err := h.RuleAdd(ruleOf(c, family)); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("add rule for table %d: %w", c.Table, err)
		}
	}
	return nil
}

func revertRoutes(h *netlink.Handle, c Change) error {
	for _, family := range families(c.Rule.To) {
		if err := h.RuleDel(ruleOf(c, family)); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("delete rule for table %d: %w", c.Table, err)
		}
	}
	routes, err := routesOf(h, c.Table)
	if err != nil {
		return err
	}
	for _, r := range routes {
		if err := h.RouteDel(&r); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("delete blackhole %s: %w", r.Dst, err)
		}
	}
	return nil
}

// observeRoutes reads rules and routes back. The meter is the error that a
// canary gets: EINVAL of a blackhole (ip-route(8)).
func observeRoutes(s *traffic.Space, c Change) (fault.Observation, error) {
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Detail: routesLack}
	o.Asked = []fault.Measure{{Name: "peers cut off", Value: float64(len(c.Rule.To)), Unit: "prefixes"}}
	routes, err := routesOf(s.Link, c.Table)
	if err != nil {
		return o, err
	}
	rules, err := s.Link.RuleList(netlink.FAMILY_ALL)
	if err != nil {
		return o, fmt.Errorf("list rules: %w", err)
	}
	ruled := 0
	for _, r := range rules {
		if r.Table == c.Table && r.Priority == rulePriority {
			ruled++
		}
	}
	whole := len(routes) >= len(distinct(c.Rule.To)) && ruled >= len(families(c.Rule.To))
	switch {
	case whole:
		o.State, o.Dose = fault.Present, fault.InForce
	case len(routes)+ruled > 0:
		o.State = fault.Partial
	}
	seen := blackholed(s.NS, c)
	if whole && seen > 0 {
		o.Dose = fault.Exercised
	}
	o.Achieved = []fault.Measure{{Name: "peers seen cut off", Value: float64(seen), Unit: "prefixes"}}
	return o, nil
}

func blackholed(ns *netns.NS, c Change) (seen int) {
	_ = ns.Do(func() error {
		for _, pre := range c.Rule.To[:min(len(c.Rule.To), traffic.MaxCanaries)] {
			if err := traffic.SendCanary(pre, c.Rule); errors.Is(err, unix.EINVAL) {
				seen++
			}
		}
		return nil
	})
	return seen
}

func blackhole(c Change, pre netip.Prefix) *netlink.Route {
	return &netlink.Route{Table: c.Table, Type: unix.RTN_BLACKHOLE, Dst: &net.IPNet{IP: pre.Addr().AsSlice(), Mask: net.CIDRMask(pre.Bits(), pre.Addr().BitLen())}}
}

func ruleOf(c Change, family int) *netlink.Rule {
	r := netlink.NewRule()
	r.Table, r.Priority, r.Family = c.Table, rulePriority, family
	return r
}

func routesOf(h *netlink.Handle, table int) ([]netlink.Route, error) {
	routes, err := h.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Table: table}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return nil, fmt.Errorf("list routes of table %d: %w", table, err)
	}
	return routes, nil
}

func families(list []netip.Prefix) (out []int) {
	has := map[bool]bool{}
	for _, p := range list {
		has[p.Addr().Is4()] = true
	}
	if has[true] {
		out = append(out, netlink.FAMILY_V4)
	}
	if has[false] {
		out = append(out, netlink.FAMILY_V6)
	}
	return out
}

func distinct(list []netip.Prefix) map[netip.Prefix]bool {
	m := make(map[netip.Prefix]bool, len(list))
	for _, p := range list {
		m[p] = true
	}
	return m
}
