package ledger

import (
	"maps"
	"slices"
)

// NewAudit compares the writes with what the active store and every site's own
// disk hold afterwards. It is pure.
func NewAudit(name string, writes []Write, active Copy, sites map[string]Copy) Audit {
	a := Audit{Name: name, Sent: len(writes), Sites: map[string]int{}}
	states := make(map[int]State, len(writes))
	for _, w := range writes {
		states[w.N] = w.State
	}
	inActive := distinct(active.Numbers)
	onDisk := map[int]bool{}
	if active.Error != "" {
		a.ActiveUnread = true
		a.Unreadable = append(a.Unreadable, "active: "+active.Error)
	}
	for _, site := range slices.Sorted(maps.Keys(sites)) {
		read := sites[site]
		if read.Error != "" {
			a.Unreadable = append(a.Unreadable, site+": "+read.Error)
			continue
		}
		numbers := distinct(read.Numbers)
		a.Sites[site] = len(numbers)
		maps.Copy(onDisk, numbers)
	}
	for n, state := range states {
		a.count(state, inActive[n], onDisk[n])
	}
	a.order(active.Numbers, states)
	maps.Copy(onDisk, inActive)
	for n := range onDisk {
		if _, sent := states[n]; !sent {
			a.Unexpected++
		}
	}
	return a
}

// count puts one write into the columns it belongs to.
func (a *Audit) count(state State, inActive, onDisk bool) {
	switch state {
	case Unknown:
		a.Unknown++
		if inActive || onDisk {
			a.UnknownKept++
		}
	case Refused:
		a.Refused++
		if inActive || onDisk {
			a.RefusedKept++
		}
	case Acknowledged:
		a.Acknowledged++
		if inActive {
			a.Kept++
			return
		}
		a.Missing++
		switch {
		case onDisk:
			a.Elsewhere++
		case len(a.Unreadable) > 0:
			a.Unaccounted++
		default:
			a.Lost++
		}
	}
}

// order counts repeats and steps back in the order the active store returns.
func (a *Audit) order(numbers []int, states map[int]State) {
	times := make(map[int]int, len(numbers))
	highest := 0
	for _, n := range numbers {
		times[n]++
		switch {
		case times[n] == 2:
			a.Duplicated++
		case times[n] > 2:
		case n < highest && states[n] == Acknowledged:
			a.OutOfOrder++
		}
		highest = max(highest, n)
	}
}

func distinct(numbers []int) map[int]bool {
	set := make(map[int]bool, len(numbers))
	for _, n := range numbers {
		set[n] = true
	}
	return set
}
