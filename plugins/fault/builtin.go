package fault

import "maps"

// registered are the faults that packages of this binary registered.
var registered = map[Kind]Driver{}

// Register makes a fault part of every binary that imports its package, for
// whatever it is imported. It is called from an init function of the package,
// with the kind that Describe says. A kind that is there already is a mistake
// in the source and panics.
func Register(kind Kind, d Driver) {
	if _, taken := registered[kind]; taken {
		panic("fault: two packages register the kind " + kind)
	}
	registered[kind] = d
}

// Registered returns what was registered, by kind.
func Registered() map[Kind]Driver { return maps.Clone(registered) }
