package traffic

import (
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/internal/bpf"
	"github.com/firedrill-io/firedrill/plugins/internal/network"
)

// Our filters are known by this name, handle and priority. Nothing may run
// ahead of them: a filter that lets a packet through first would hollow out
// the fault.
const (
	filterName     = "firedrill"
	filterPriority = 1
	filterHandle   = 0x4644
)

// The entry of fd_rules after the slots notes that Firedrill created the clsact
// qdisc. It stands in this map because a map that no program reads would not
// outlive our process.
const (
	noteEntry  = bpf.Slots
	madeClsact = 1
)

// parents are the two hooks of a clsact qdisc (tc-bpf(8)).
var parents = map[uint32]string{netlink.HANDLE_MIN_INGRESS: bpf.CutProgFdIn, netlink.HANDLE_MIN_EGRESS: bpf.CutProgFdOut}

// table is the rule table of one device: the maps its attached programs share.
type table struct {
	maps map[string]*ebpf.Map
}

// findTable returns the table behind the filters on link, nil if there is none.
// It goes by the id of the attached program, so any process finds it.
func findTable(h *netlink.Handle, link netlink.Link) (*table, error) {
	for parent := range parents {
		f, err := ourFilter(h, link, parent)
		if err != nil {
			return nil, err
		}
		if f != nil {
			return openTable(ebpf.ProgramID(f.Id))
		}
	}
	return nil, nil
}

func ourFilter(h *netlink.Handle, link netlink.Link, parent uint32) (*netlink.BpfFilter, error) {
	filters, err := h.FilterList(link, parent)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		return nil, nil // no clsact
	}
	if err != nil {
		return nil, fmt.Errorf("list filters of %s: %w", link.Attrs().Name, err)
	}
	for _, f := range filters {
		if b, ok := f.(*netlink.BpfFilter); ok && isOurs(b) {
			return b, nil
		}
	}
	return nil, nil
}

func isOurs(b *netlink.BpfFilter) bool {
	return b.Name == filterName && b.Priority == filterPriority && b.Handle == filterHandle
}

// ForeignFilters counts the filters of others on both hooks, and those of them
// that run ahead of ours.
func ForeignFilters(h *netlink.Handle, link netlink.Link) (all, ahead int, err error) {
	for parent := range parents {
		filters, err := h.FilterList(link, parent)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return 0, 0, fmt.Errorf("list filters of %s: %w", link.Attrs().Name, err)
		}
		for _, f := range filters {
			if b, ok := f.(*netlink.BpfFilter); ok && isOurs(b) {
				continue
			}
			all++
			if f.Attrs().Priority <= filterPriority {
				ahead++
			}
		}
	}
	return all, ahead, nil
}

func openTable(id ebpf.ProgramID) (*table, error) {
	maps, err := mapsOf(id)
	if err != nil {
		return nil, err
	}
	t := &table{maps: maps}
	if err := t.current(); err != nil {
		t.Close()
		return nil, fmt.Errorf("open table of program %d: %w; another version of Firedrill holds this device, revert it with that one first", id, err)
	}
	return t, nil
}

// mapsOf opens the maps of a program, by name.
func mapsOf(id ebpf.ProgramID) (map[string]*ebpf.Map, error) {
	prog, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return nil, fmt.Errorf("open program %d: %w", id, err)
	}
	defer prog.Close()
	info, err := prog.Info()
	if err != nil {
		return nil, fmt.Errorf("read program %d: %w", id, err)
	}
	ids, _ := info.MapIDs()
	t := &table{maps: map[string]*ebpf.Map{}}
	for _, id := range ids {
		m, err := ebpf.NewMapFromID(id)
		if err != nil {
			t.Close()
			return nil, fmt.Errorf("open map %d: %w", id, err)
		}
		mi, err := m.Info()
		if err != nil {
			t.Close()
			return nil, fmt.Errorf("read map %d: %w", id, err)
		}
		t.maps[mi.Name] = m
	}
	return t.maps, nil
}

// current says whether the maps are laid out as this version of us reads them.
func (t *table) current() error {
	for name, size := range map[string]uintptr{
		bpf.CutMapFdPeers: 4, bpf.CutMapFdLocals: 4, bpf.CutMapFdNames: 4, bpf.CutMapFdExempt: 4, bpf.CutMapFdAlive: 8, bpf.CutMapFdEnds: 8,
		bpf.CutMapFdRules: unsafe.Sizeof(bpf.CutRule{}), bpf.CutMapFdCounts: unsafe.Sizeof(bpf.CutCount{}),
	} {
		m := t.maps[name]
		if m == nil {
			return fmt.Errorf("map %s is missing", name)
		}
		if uintptr(m.ValueSize()) != size {
			return fmt.Errorf("map %s has values of %d bytes, not %d", name, m.ValueSize(), size)
		}
	}
	return nil
}

// Close closes the file descriptors; the maps live on with the programs.
func (t *table) Close() {
	for _, m := range t.maps {
		_ = m.Close()
	}
}

func (t *table) rule(slot uint32) (bpf.CutRule, error) {
	var r bpf.CutRule
	if err := t.maps[bpf.CutMapFdRules].Lookup(slot, &r); err != nil {
		return r, fmt.Errorf("read slot %d: %w", slot, err)
	}
	return r, nil
}

func (t *table) setRule(slot uint32, r bpf.CutRule) error {
	if err := t.maps[bpf.CutMapFdRules].Put(slot, r); err != nil {
		return fmt.Errorf("write slot %d: %w", slot, err)
	}
	return nil
}

// slotOf returns the slot that owner holds; without one, the first free slot
// and false; Slots if all are taken.
func (t *table) slotOf(owner uint64) (slot uint32, held bool, err error) {
	free := uint32(bpf.Slots)
	for i := range uint32(bpf.Slots) {
		r, err := t.rule(i)
		if err != nil {
			return 0, false, err
		}
		if r.Owner == owner {
			return i, true, nil
		}
		if r.Owner == 0 && free == bpf.Slots {
			free = i
		}
	}
	return free, false, nil
}

// used counts the slots that are taken.
func (t *table) used() (n int, err error) {
	for i := range uint32(bpf.Slots) {
		r, err := t.rule(i)
		if err != nil {
			return 0, err
		}
		if r.Owner != 0 {
			n++
		}
	}
	return n, nil
}

// note is what Firedrill itself changed on the device besides attaching.
type note struct {
	clsact bool // it made the qdisc
	txqlen int  // what it was before; the kernel sets 0 to 1000 with the first qdisc
}

func (t *table) note() (note, error) {
	r, err := t.rule(noteEntry)
	return note{clsact: r.Until == madeClsact, txqlen: int(r.Protocol)}, err
}

func (t *table) setNote(n note) error {
	r := bpf.CutRule{Protocol: uint32(n.txqlen)}
	if n.clsact {
		r.Until = madeClsact
	}
	return t.setRule(noteEntry, r)
}

// fill puts c into slot of a table that programs are using. The rule comes
// before the peers: without peers the program skips it, and the moment they are
// in place the fault is whole. The call itself returns later, after an RCU grace
// period (10 to 30 ms), which the start need not wait for.
func (t *table) fill(slot uint32, c Change, w warm, rule bpf.CutRule) error {
	// A revert that was killed half-way may have left peers in a free slot.
	if err := t.empty(slot); err != nil {
		return err
	}
	if err := t.stage(slot, c, w); err != nil {
		return err
	}
	if err := t.setRule(slot, rule); err != nil {
		return err
	}
	return t.putTrie(bpf.CutMapFdPeers, slot, w.peers)
}

// stage writes all of a slot that has no effect by itself.
func (t *table) stage(slot uint32, c Change, w warm) error {
	if len(c.Rule.From) > 0 {
		if err := t.putTrie(bpf.CutMapFdLocals, slot, w.locals); err != nil {
			return err
		}
	}
	if len(c.Action.Names) > 0 {
		if err := t.putTrie(bpf.CutMapFdNames, slot, w.names); err != nil {
			return err
		}
	}
	for _, e := range exemptions(c.Exempt) {
		if err := t.maps[bpf.CutMapFdExempt].Put(e, uint32(1)); err != nil {
			return fmt.Errorf("exempt control connection: %w", err)
		}
	}
	zero := make([]bpf.CutCount, ebpf.MustPossibleCPU())
	if err := t.maps[bpf.CutMapFdCounts].Put(slot, zero); err != nil {
		return fmt.Errorf("reset counters of slot %d: %w", slot, err)
	}
	return nil
}

func (t *table) putTrie(of string, slot uint32, trie *ebpf.Map) error {
	if err := t.maps[of].Put(slot, trie); err != nil {
		return fmt.Errorf("fill slot %d: %w", slot, err)
	}
	return nil
}

// heal ends the fault of slot at once and frees the slot.
func (t *table) heal(slot uint32) error { return t.setRule(slot, bpf.CutRule{}) }

// empty lets go of the tries of a healed slot. It waits for an RCU grace period
// each, and a table that goes away altogether does not need it.
func (t *table) empty(slot uint32) error {
	for _, name := range []string{bpf.CutMapFdPeers, bpf.CutMapFdLocals, bpf.CutMapFdNames} {
		if err := t.maps[name].Delete(slot); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("empty slot %d: %w", slot, err)
		}
	}
	return nil
}

// count is what the program has done in slot.
func (t *table) count(slot uint32) (total bpf.CutCount, err error) {
	var per []bpf.CutCount
	if err := t.maps[bpf.CutMapFdCounts].Lookup(slot, &per); err != nil {
		return total, fmt.Errorf("read counters of slot %d: %w", slot, err)
	}
	for _, c := range per {
		total.Matched += c.Matched
		total.Packets += c.Packets
		total.Bytes += c.Bytes
		total.Canaries += c.Canaries
		total.CanaryAt = max(total.CanaryAt, c.CanaryAt)
	}
	return total, nil
}

// peersSeen counts the peers of slot of which at least one packet was acted upon.
func (t *table) peersSeen(slot uint32) (seen int, err error) {
	var inner *ebpf.Map
	if err := t.maps[bpf.CutMapFdPeers].Lookup(slot, &inner); err != nil {
		return 0, fmt.Errorf("read peers of slot %d: %w", slot, err)
	}
	defer inner.Close()
	var key bpf.CutPrefix
	var hits uint64
	it := inner.Iterate()
	for it.Next(&key, &hits) {
		if hits > 0 {
			seen++
		}
	}
	return seen, it.Err()
}

// exemptions are sshd here and the peers of the control connection.
func exemptions(control []netip.AddrPort) []bpf.CutExemption {
	out := []bpf.CutExemption{{Port: network.SSHD, Local: 1, Protocol: unix.IPPROTO_TCP}}
	for _, ap := range control {
		e := bpf.CutExemption{Port: ap.Port(), Protocol: unix.IPPROTO_TCP}
		e.Addr.B = ap.Addr().As16()
		out = append(out, e)
	}
	return out
}

func keyOf(p netip.Prefix) bpf.CutPrefix {
	k := bpf.CutPrefix{Len: uint32(p.Bits())}
	if p.Addr().Is4() {
		k.Len += 96 // mapped into IPv6
	}
	k.Addr.B = p.Addr().As16()
	return k
}
