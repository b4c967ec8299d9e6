package traffic

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/internal/bpf"
)

// warm is what Apply needs in the kernel and what changes nothing there while
// no device refers to it: programs that are loaded but not attached, tries that
// are filled. Prepare makes it, so that the start waits for no verifier; it
// ends with the process, and Apply in a new process makes it again.
type warm struct {
	objects              *bpf.CutObjects
	peers, locals, names *ebpf.Map
}

func newWarm(c Change) (warm, error) {
	var w warm
	var err error
	if w.objects, err = load(); err != nil {
		return w, err
	}
	if err := w.fill(c); err != nil {
		w.Close()
		return w, err
	}
	return w, nil
}

func (w *warm) fill(c Change) (err error) {
	if w.peers, err = trie(c.Rule.To); err != nil {
		return err
	}
	if w.locals, err = trie(c.Rule.From); err != nil {
		return err
	}
	if w.names, err = nameTrie(c.Action.Names); err != nil {
		return err
	}
	// Slot 0 of a device's first table is filled here, off the start's path.
	return w.table().putTrie(bpf.CutMapFdPeers, 0, w.peers)
}

// Close closes the file descriptors; what is attached lives on.
func (w *warm) Close() {
	if w.objects != nil {
		_ = w.objects.Close()
	}
	for _, m := range []*ebpf.Map{w.peers, w.locals, w.names} {
		if m != nil {
			_ = m.Close()
		}
	}
}

func load() (*bpf.CutObjects, error) {
	var o bpf.CutObjects
	if err := bpf.LoadCutObjects(&o, nil); err != nil {
		return nil, fmt.Errorf("load BPF program: %w", err)
	}
	return &o, nil
}

// table views the loaded objects as the table they become once attached.
func (w *warm) table() *table {
	m := w.objects.CutMaps
	return &table{maps: map[string]*ebpf.Map{
		bpf.CutMapFdPeers: m.FdPeers, bpf.CutMapFdLocals: m.FdLocals, bpf.CutMapFdNames: m.FdNames, bpf.CutMapFdRules: m.FdRules,
		bpf.CutMapFdCounts: m.FdCounts, bpf.CutMapFdExempt: m.FdExempt, bpf.CutMapFdAlive: m.FdAlive, bpf.CutMapFdEnds: m.FdEnds,
	}}
}

// trie makes a longest-prefix trie of the prefixes, duplicates merged.
func trie(list []netip.Prefix) (*ebpf.Map, error) {
	keys := make([]bpf.CutPrefix, 0, len(list))
	seen := make(map[netip.Prefix]bool, len(list))
	for _, p := range list {
		if !seen[p] {
			seen[p] = true
			keys = append(keys, keyOf(p))
		}
	}
	return newTrie("fd_prefixes", keys, make([]uint64, len(keys)))
}

// newTrie makes a trie of keys as one of the tries of cut.bpf.c lays them out.
func newTrie[K, V any](name string, keys []K, values []V) (*ebpf.Map, error) {
	spec := &ebpf.MapSpec{Name: name, Type: ebpf.LPMTrie, MaxEntries: uint32(max(1, len(keys))), Flags: unix.BPF_F_NO_PREALLOC}
	spec.KeySize, spec.ValueSize = uint32(reflect.TypeFor[K]().Size()), uint32(reflect.TypeFor[V]().Size())
	m, err := ebpf.NewMap(spec)
	if err != nil {
		return nil, fmt.Errorf("make trie %s of %d: %w", name, len(keys), err)
	}
	if len(keys) == 0 {
		return m, nil
	}
	if _, err := m.BatchUpdate(keys, values, nil); err != nil {
		_ = m.Close()
		return nil, fmt.Errorf("fill trie %s with %d: %w", name, len(keys), err)
	}
	return m, nil
}

// attach puts the programs onto link and says in the table whether the clsact
// qdisc is ours. The filters hold the programs, and these the maps, from then on.
func (w *warm) attach(h *netlink.Handle, link netlink.Link, clsactThere bool) error {
	if !clsactThere {
		if err := h.QdiscAdd(Clsact(link)); err != nil {
			return fmt.Errorf("add clsact to %s: %w", link.Attrs().Name, err)
		}
		if err := w.table().setNote(note{clsact: true, txqlen: link.Attrs().TxQLen}); err != nil {
			return err
		}
	}
	progs := map[string]*ebpf.Program{bpf.CutProgFdIn: w.objects.FdIn, bpf.CutProgFdOut: w.objects.FdOut}
	for parent, name := range parents {
		f := filter(link, parent)
		f.Fd = progs[name].FD()
		if err := h.FilterAdd(f); err != nil {
			return fmt.Errorf("attach program to %s: %w", link.Attrs().Name, err)
		}
	}
	return nil
}

// Clsact is the qdisc that holds filters of both directions (tc-bpf(8)).
func Clsact(link netlink.Link) *netlink.GenericQdisc {
	return &netlink.GenericQdisc{
		QdiscAttrs: netlink.QdiscAttrs{LinkIndex: link.Attrs().Index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT},
		QdiscType:  "clsact",
	}
}

func filter(link netlink.Link, parent uint32) *netlink.BpfFilter {
	return &netlink.BpfFilter{
		FilterAttrs:  netlink.FilterAttrs{LinkIndex: link.Attrs().Index, Parent: parent, Handle: filterHandle, Protocol: unix.ETH_P_ALL, Priority: filterPriority},
		Name:         filterName,
		DirectAction: true,
	}
}

// hasClsact says whether link has a clsact qdisc, whoever made it.
func hasClsact(h *netlink.Handle, link netlink.Link) (bool, error) {
	qdiscs, err := h.QdiscList(link)
	if err != nil {
		return false, fmt.Errorf("list qdiscs of %s: %w", link.Attrs().Name, err)
	}
	for _, q := range qdiscs {
		if q.Type() == "clsact" || q.Type() == "ingress" {
			return true, nil
		}
	}
	return false, nil
}

// Missing says what the kernel or our rights lack for the BPF way; empty: nothing.
func Missing(err error) string {
	switch {
	case errors.Is(err, unix.EPERM):
		return "loading BPF programs needs root, or CAP_BPF and CAP_NET_ADMIN"
	case errors.Is(err, ebpf.ErrNotSupported), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EINVAL):
		return "this kernel lacks BPF programs of type tc with arrays of tries (5.10)"
	}
	return ""
}
