package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/firedrill-io/firedrill/internal/inventory"
)

// shapePrefix begins a peer that stands for how the hosts of a fault are split
// among themselves: shape:halves.
const shapePrefix = "shape:"

// split is a way to part n hosts, numbered in the order of the lab file: it says
// whether i and j, i before j, are apart. The names are those of Jepsen's
// partitions (jepsen.nemesis).
type split struct {
	least int // hosts; with fewer nobody would be apart, or no shape be seen
	apart func(i, j, n int) bool
}

var splits = map[string]split{
	// The first half and the rest; with an odd number the rest is larger.
	"halves": {2, func(i, j, n int) bool { return i < n/2 && j >= n/2 }},
	// The largest minority, from the end, and a majority.
	"majority": {3, func(i, j, n int) bool { return i < n/2+1 && j >= n/2+1 }},
	// Two halves that know of each other only through the host between them.
	"bridge": {3, func(i, j, n int) bool { return i < n/2 && j > n/2 }},
	// Everybody sees a majority, and no two see the same one: each has the
	// nearest of a circle, the same number on each side.
	"ring": {4, func(i, j, n int) bool { return min(j-i, n-j+i) > (n/2+1)/2 }},
}

// shape returns the addresses that shape parts host h from, among hosts. Each
// pair is parted by the first of the two alone, in both directions, so that what
// is lost or late between them is so once; the other's list may be empty.
func shape(name string, h inventory.Host, hosts []inventory.Host) ([]string, error) {
	s, ok := splits[name]
	if !ok {
		return nil, fmt.Errorf("no shape is named %q; it is one of %s", name, strings.Join(slices.Sorted(maps.Keys(splits)), ", "))
	}
	if len(hosts) < s.least {
		return nil, fmt.Errorf("shape %s needs %d hosts or more, %d are picked", name, s.least, len(hosts))
	}
	i := slices.IndexFunc(hosts, func(o inventory.Host) bool { return o.Name == h.Name })
	var out []string
	for j := i + 1; j < len(hosts); j++ {
		if s.apart(i, j, len(hosts)) {
			out = append(out, hosts[j].Addresses()...)
		}
	}
	return out, nil
}
