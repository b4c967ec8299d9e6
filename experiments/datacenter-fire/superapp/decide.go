package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// view is what one controller sees of the active store's servers. It lies in
// etcd under a lease, so a dark controller's view goes away by itself.
type view struct {
	Host      string        `json:"host"`
	Site      string        `json:"site"` // where the controller stands
	Store     string        `json:"store"`
	Epoch     int64         `json:"epoch"`
	Reachable int           `json:"reachable"`
	Servers   int           `json:"servers"`
	Dark      time.Duration `json:"dark_ns"` // how long a majority has been unreachable, 0: it is not
}

// rule is a controller's policy.
type rule struct {
	after      time.Duration // a majority must be unreachable so long
	sites      int           // seen from so many sites
	maxSilence time.Duration // of the mirror at the moment of the failure
	acceptLoss bool          // promote also when the mirror was silent longer
}

// mirrorState is the standby as this controller knows it.
type mirrorState struct {
	name    string
	own     bool          // it is no mirror: it has a history of its own
	known   bool          // it is a mirror and told when it last heard from its origin
	silence time.Duration // at the moment the majority became unreachable
}

// lost reports whether servers unreachable of all are a majority.
func lost(reachable, servers int) bool { return 2*(servers-reachable) > servers }

// decide says whether to promote now. It goes by the servers that can be
// reached, never by the store's own leader: an election takes longer than our
// patience and ends well. When it may not, why says so in one sentence; empty
// means there is nothing to do.
func decide(a active, views []view, m mirrorState, r rule) (promote bool, why string) {
	var seen, from []string
	for _, v := range views {
		if v.Store != a.Site || v.Epoch != a.Epoch {
			continue
		}
		from = append(from, v.Site)
		if lost(v.Reachable, v.Servers) && v.Dark >= r.after {
			seen = append(seen, v.Site)
		}
	}
	seen, from = distinct(seen), distinct(from)
	switch {
	case len(seen) == 0:
		return false, ""
	case len(seen) < r.sites:
		return false, fmt.Sprintf("a majority of %s's store servers is unreachable, seen from %s only; promotion needs %d sites and controllers report from %s: not promoted",
			a.Site, strings.Join(seen, ", "), r.sites, strings.Join(from, ", "))
	case m.name == "":
		return false, fmt.Sprintf("a majority of %s's store servers is unreachable and there is no standby: not promoted", a.Site)
	case r.acceptLoss:
		return true, ""
	case !m.known:
		return false, fmt.Sprintf("%s is not known to have mirrored %s up to the failure: not promoted without --accept-loss", m.name, a.Site)
	case m.silence > r.maxSilence:
		return false, fmt.Sprintf("the mirror in %s had heard nothing from %s for %s when it failed (at most %s is accepted): not promoted without --accept-loss",
			m.name, a.Site, m.silence.Round(100*time.Millisecond), r.maxSilence)
	}
	return true, ""
}

// standing says what is wrong before anything fails: where the controllers
// stand, or a standby that is none. Empty means nothing is.
func standing(a active, views []view, m mirrorState, r rule) string {
	if m.own {
		return fmt.Sprintf("%s is no standby: it has a history of its own; reconcile it, delete it and lay it out as a mirror of %s", m.name, a.Site)
	}
	return witness(a, views, r)
}

func witness(a active, views []view, r rule) string {
	var from []string
	for _, v := range views {
		if v.Store == a.Site && v.Epoch == a.Epoch {
			from = append(from, v.Site)
		}
	}
	if from = distinct(from); len(from) >= r.sites {
		return ""
	}
	return fmt.Sprintf("controllers run only in %s; promotion needs %d sites that see the failure, so it can never happen by itself",
		strings.Join(from, ", "), r.sites)
}

func distinct(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}
