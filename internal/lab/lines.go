package lab

import (
	"maps"
	"slices"

	"github.com/firedrill-io/firedrill/internal/inventory"
)

// lineSpec thins what one end of a site's cable to the core sends.
type lineSpec struct {
	Site  int  // index into labSpec.Sites
	Into  bool // what goes into the site; else what leaves it
	Lanes []laneSpec
}

// laneSpec is a part of the cable that has a rate of its own: a link.
type laneSpec struct {
	Link    string   // names it for a person
	Rate    uint64   // bit/s
	All     bool     // it leads to everybody
	To      []string // else the addresses of the hosts it leads to
	Reserve []shareSpec
}

// shareSpec is what of a lane traffic to or from some hosts has for sure.
type shareSpec struct {
	Rate      uint64 // bit/s
	Addresses []string
}

// layLines says which ends of which cables carry which links. A link between
// two sites is thinned where it leaves each of them, as only there one filter
// on the receiver tells it from the site's other links; the line of a site is
// thinned at both ends of its cable.
func layLines(inv inventory.Inventory, hosts []hostSpec) []lineSpec {
	lines := map[lineEnd]*lineSpec{}
	add := func(at lineEnd, lane laneSpec) {
		if lines[at] == nil {
			lines[at] = &lineSpec{Site: at.site, Into: at.into}
		}
		lines[at].Lanes = append(lines[at].Lanes, lane)
	}
	site := func(name string) int {
		return slices.IndexFunc(inv.Sites, func(s inventory.Site) bool { return s.Name == name })
	}
	for _, l := range inv.Links {
		if l.Rate == 0 {
			continue
		}
		lane := laneSpec{Link: l.Name(), Rate: uint64(l.Rate), Reserve: layShares(inv, l, hosts)}
		if l.Site != "" {
			lane.All = true
			add(lineEnd{site(l.Site), false}, lane)
			add(lineEnd{site(l.Site), true}, lane)
			continue
		}
		for i, from := range l.Between {
			to := l.Between[1-i]
			lane.To = addresses(inv, hosts, func(h inventory.Host) bool { return h.Site == to })
			add(lineEnd{site(from), false}, lane)
		}
	}
	var out []lineSpec
	for _, at := range slices.SortedFunc(maps.Keys(lines), lineEnd.compare) {
		out = append(out, *lines[at])
	}
	return out
}

type lineEnd struct {
	site int
	into bool
}

func (e lineEnd) compare(o lineEnd) int {
	if e.site != o.site {
		return e.site - o.site
	}
	if e.into == o.into {
		return 0
	}
	if o.into {
		return -1
	}
	return 1
}

// layShares turns the roles of a link into rates and addresses, in the order of
// the roles' names.
func layShares(inv inventory.Inventory, l inventory.Link, hosts []hostSpec) (out []shareSpec) {
	for _, role := range slices.Sorted(maps.Keys(l.Reserve)) {
		out = append(out, shareSpec{
			Rate:      uint64(float64(l.Rate) * float64(l.Reserve[role])),
			Addresses: addresses(inv, hosts, func(h inventory.Host) bool { return slices.Contains(h.Roles, role) }),
		})
	}
	return out
}

// addresses are those of the hosts that are picked, of both families.
func addresses(inv inventory.Inventory, hosts []hostSpec, pick func(inventory.Host) bool) (out []string) {
	for i, h := range inv.Hosts {
		if pick(h) {
			out = append(out, hosts[i].Address, hosts[i].Address6)
		}
	}
	return out
}
