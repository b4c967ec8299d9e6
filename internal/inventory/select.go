package inventory

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/firedrill-io/firedrill/experiments"
)

// ErrEmpty says that a selector picks no host.
var ErrEmpty = errors.New("picks no host")

// Select returns the hosts that sel picks, in file order. Hosts of the site
// internet are never picked. seed decides a share. A name that the inventory
// does not have is an error, and so is a selector that picks nobody (ErrEmpty).
func (inv *Inventory) Select(sel Selector, seed int64) ([]Host, error) {
	if err := inv.CheckSelector(sel); err != nil {
		return nil, err
	}
	hosts := slices.DeleteFunc(inv.match(sel), func(h Host) bool { return h.Site == Internet })
	if sel.Share > 0 {
		n := Count(sel.Share, len(hosts))
		keep := Order(hosts, seed)[:n]
		hosts = slices.DeleteFunc(hosts, func(h Host) bool {
			return !slices.ContainsFunc(keep, func(k Host) bool { return k.Name == h.Name })
		})
	}
	if len(hosts) == 0 {
		return nil, fmt.Errorf("selector %s: %w", Describe(sel), ErrEmpty)
	}
	return hosts, nil
}

// Count is how many of n hosts a share means, rounded half up.
func Count(share experiments.Ratio, n int) int {
	// The share came from a decimal percentage: forgive the binary fraction.
	return min(n, int(math.Floor(float64(share)*float64(n)+0.5+1e-9)))
}

// Order returns the hosts in the order in which shares take them. It depends
// on the seed and the hosts' names alone, so that a larger share holds a
// smaller one.
func Order(hosts []Host, seed int64) []Host {
	key := func(h Host) [sha256.Size]byte { return sha256.Sum256(fmt.Appendf(nil, "%d/%s", seed, h.Name)) }
	sorted := slices.Clone(hosts)
	slices.SortFunc(sorted, func(a, b Host) int {
		ka, kb := key(a), key(b)
		return cmp.Or(bytes.Compare(ka[:], kb[:]), strings.Compare(a.Name, b.Name))
	})
	return sorted
}

// match returns the hosts that all given fields of sel agree on, share apart.
func (inv *Inventory) match(sel Selector) []Host {
	var out []Host
	for _, h := range inv.Hosts {
		if !inv.matches(h, sel) {
			continue
		}
		if sel.Except != nil && inv.matches(h, *sel.Except) {
			continue
		}
		out = append(out, h)
	}
	return out
}

func (inv *Inventory) matches(h Host, sel Selector) bool {
	said := sel.All
	for _, f := range []struct {
		want StringList
		has  func(string) bool
	}{
		{sel.Hosts, func(s string) bool { return h.Name == s }},
		{sel.Site, func(s string) bool { return h.Site == s }},
		{sel.Room, func(s string) bool { return inv.roomOf(h) == s }},
		{sel.Rack, func(s string) bool { return h.Rack == s }},
		{sel.Power, func(s string) bool { return inv.fedBy(h.Feeds, s) }},
		{sel.Role, func(s string) bool { return slices.Contains(h.Roles, s) }},
		{sel.Service, func(s string) bool { return inv.runs(h, s) }},
	} {
		if len(f.want) == 0 {
			continue
		}
		said = true
		if !slices.ContainsFunc(f.want, f.has) {
			return false
		}
	}
	for key, value := range sel.Label {
		said = true
		if h.Labels[key] != value {
			return false
		}
	}
	return said || sel.Share > 0 // a share alone is one of all hosts
}

func (inv *Inventory) runs(h Host, service string) bool {
	return slices.ContainsFunc(inv.Services, func(s Service) bool { return s.Name == service && inv.assigned(h, s) })
}

// assigned says whether a service's own selector picks the host. Parse refuses
// services that are placed by service: they could go round in circles.
func (inv *Inventory) assigned(h Host, s Service) bool {
	sel := s.Hosts
	sel.Service = nil
	return inv.matches(h, sel) && (sel.Except == nil || !inv.matches(h, *sel.Except))
}

func (inv *Inventory) roomOf(h Host) string {
	for _, s := range inv.Sites {
		for _, r := range s.Racks {
			if r.Name == h.Rack {
				return r.Room
			}
		}
	}
	return ""
}

// fedBy says whether one of the feeds is the source or hangs from it.
func (inv *Inventory) fedBy(feeds []string, source string) bool {
	return slices.ContainsFunc(feeds, func(feed string) bool {
		if feed == source {
			return true
		}
		p, ok := inv.Source(feed)
		return ok && inv.fedBy(p.From, source)
	})
}

// ServiceHosts returns the hosts that run the service, in file order; hosts of
// the site internet included.
func (inv *Inventory) ServiceHosts(service string) []Host {
	var out []Host
	for _, h := range inv.Hosts {
		if inv.runs(h, service) {
			out = append(out, h)
		}
	}
	return out
}

// Match returns the hosts that sel picks, those of the site internet included:
// for peers, not for targets. A share is left out of account.
func (inv *Inventory) Match(sel Selector) ([]Host, error) {
	if err := inv.CheckSelector(sel); err != nil {
		return nil, err
	}
	return inv.match(sel), nil
}
