package live

import (
	"slices"

	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/internal/inventory"
)

// powerloss is the one fault that takes the whole host.
const powerloss = "powerloss"

// condition is what a host is in, the worst first.
type condition int

const (
	dark condition = iota
	faulted
	booting
	on
	missing
)

// letters stand beside the colours: nothing is said by colour alone.
var letters = map[condition]string{on: "o", dark: "D", booting: "b", faulted: "F", missing: "?"}

// conditions explain the letters.
var conditions = map[condition]string{on: "on", dark: "dark", booting: "booting", faulted: "faulted", missing: "missing"}

// host is what is known of one host.
type host struct {
	live    map[string]string // injection -> kind, as its agent applied it
	booting bool              // powered on, its agent has not answered yet
	missing bool              // the run goes on without it
}

func (h *host) condition() condition {
	worst := on
	if h.missing {
		return missing
	}
	if h.booting {
		worst = booting
	}
	for _, kind := range h.live {
		if kind == powerloss {
			return dark
		}
		worst = min(worst, faulted)
	}
	return worst
}

// happened follows what becomes of the hosts.
func (s *state) happened(e evidence.Event) {
	h := s.hosts[e.Host]
	if h == nil {
		return
	}
	switch e.Type {
	case evidence.LeftOut:
		h.missing = h.missing || e.Injection == ""
	case evidence.AppliedFault:
		h.live[e.Injection] = e.Fault
	case evidence.HostPowered:
		delete(h.live, e.Injection)
		h.booting = true
	case evidence.Reverted, evidence.Gone, evidence.EndedByPower:
		delete(h.live, e.Injection)
	case evidence.AgentConnected:
		h.booting = false
	}
}

// rack is the hosts of one rack, in file order.
type rack struct {
	name  string
	hosts []string
}

// site is the racks of one site, in file order.
type site struct {
	name  string
	racks []rack
}

// sites is the map; clients are no part of it.
func sites(inv *inventory.Inventory) []site {
	var out []site
	for _, h := range inv.Hosts {
		if h.Site == inventory.Internet {
			continue
		}
		at := slices.IndexFunc(out, func(s site) bool { return s.name == h.Site })
		if at < 0 {
			out, at = append(out, site{name: h.Site}), len(out)
		}
		s := &out[at]
		in := slices.IndexFunc(s.racks, func(r rack) bool { return r.name == h.Rack })
		if in < 0 {
			s.racks, in = append(s.racks, rack{name: h.Rack}), len(s.racks)
		}
		s.racks[in].hosts = append(s.racks[in].hosts, h.Name)
	}
	return out
}
