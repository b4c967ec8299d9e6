package report

import (
	"slices"
	"strings"
)

// rackMap is the layout's hosts by site and rack, in the state of its worst
// moment; the page's script moves it through time.
type rackMap struct {
	Worst float64 // wall seconds from T0
	Sites []site
	Kinds []string // the faults besides loss of power, for the key
}

type site struct {
	Name  string
	Racks []rack
}

type rack struct {
	Name  string
	Hosts []cellHost
}

// cellHost is one cell. Index is the host's place in Layout.Hosts.
type cellHost struct {
	Index       int
	Name, State string
	Class       string
	Roles       []string
}

const (
	stateOn      = "on"
	stateDark    = "no power"
	stateMissing = "no agent"
)

func mapOf(l Layout) rackMap {
	m := rackMap{Worst: worstMoment(l)}
	for i, h := range l.Hosts {
		at := slices.IndexFunc(m.Sites, func(s site) bool { return s.Name == h.Site })
		if at < 0 {
			at, m.Sites = len(m.Sites), append(m.Sites, site{Name: h.Site})
		}
		s := &m.Sites[at]
		r := slices.IndexFunc(s.Racks, func(r rack) bool { return r.Name == h.Rack })
		if r < 0 {
			r, s.Racks = len(s.Racks), append(s.Racks, rack{Name: h.Rack})
		}
		state, class := l.hostState(h, m.Worst)
		s.Racks[r].Hosts = append(s.Racks[r].Hosts, cellHost{i, h.Name, state, class, h.Roles})
	}
	for _, f := range l.Faults {
		if f.Kind != powerloss && !contains(m.Kinds, f.Kind) {
			m.Kinds = append(m.Kinds, f.Kind)
		}
	}
	return m
}

// powerloss is the fault that Host.Dark already tells.
const powerloss = "powerloss"

// worstMoment is when the most hosts were without power, a little after it began.
func worstMoment(l Layout) float64 {
	worst, most := l.FirstStageS, 0
	for _, h := range l.Hosts {
		for _, d := range h.Dark {
			if n := l.darkAt(d[0]); n > most {
				worst, most = d[0], n
			}
		}
	}
	return worst + 0.5
}

func (l Layout) darkAt(wall float64) int {
	n := 0
	for _, h := range l.Hosts {
		if h.darkAt(wall) {
			n++
		}
	}
	return n
}

func (h Host) darkAt(wall float64) bool {
	return slices.ContainsFunc(h.Dark, func(d [2]float64) bool { return d[0] <= wall && wall < d[1] })
}

// hostState is a host's state in words and its class on the map.
func (l Layout) hostState(h Host, wall float64) (state, class string) {
	if h.darkAt(wall) {
		return stateDark, "dark"
	}
	for _, f := range l.Faults {
		if f.Host == h.Name && f.Kind != powerloss && f.FromWallS <= wall && wall < f.ToWallS {
			return f.Kind, "hit"
		}
	}
	if l.missing(h) {
		return stateMissing, "missing"
	}
	return stateOn, "on"
}

// missing: the list may say more about a host after its name.
func (l Layout) missing(h Host) bool {
	return slices.ContainsFunc(l.Missing, func(m string) bool { return m == h.Name || strings.HasPrefix(m, h.Name+" ") })
}
