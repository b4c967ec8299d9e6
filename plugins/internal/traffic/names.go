package traffic

import (
	"slices"
	"strings"

	"github.com/cilium/ebpf"

	"github.com/firedrill-io/firedrill/plugins/internal/bpf"
)

// MaxNames is the most names one injection takes. A trie of that many is 300 KB.
const MaxNames = 1024

// Under begins a name that means all names below another and not that one itself.
const Under = "*."

// nameTrie makes a trie of names of the DNS, in small letters and without the dot
// at their end; see query.h for its keys.
func nameTrie(names []string) (*ebpf.Map, error) {
	var keys []bpf.CutName
	var entries []bpf.CutEntry
	for name, about := range abouts(names) {
		k := nameKey(name)
		keys = append(keys, k)
		entries = append(entries, bpf.CutEntry{Bytes: uint16(k.Len / 8), About: about})
	}
	return newTrie("fd_known", keys, entries)
}

// abouts says of each name whether it itself is meant, and whether those below
// it are. A trie gives the longest entry only, so what a shorter one is about is
// part of the longer.
func abouts(names []string) map[string]uint16 {
	out := map[string]uint16{}
	for _, n := range names {
		if below, ok := strings.CutPrefix(n, Under); ok {
			out[below] |= bpf.Below
		} else {
			out[n] |= bpf.Itself
		}
	}
	for name := range out {
		for rest := name; ; {
			var found bool
			if _, rest, found = strings.Cut(rest, "."); !found {
				break
			}
			if out[rest]&bpf.Below != 0 {
				out[name] |= bpf.Itself | bpf.Below
			}
		}
	}
	return out
}

// nameKey is the name as it stands in a message (RFC 1035, 3.1), backwards.
func nameKey(name string) bpf.CutName {
	var wire []byte
	for label := range strings.SplitSeq(name, ".") {
		wire = append(append(wire, byte(len(label))), label...)
	}
	wire = append(wire, 0)
	slices.Reverse(wire)
	k := bpf.CutName{Len: uint32(8 * len(wire))}
	copy(k.B[:], wire)
	return k
}
