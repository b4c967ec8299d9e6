// Package partition is the fault that cuts a host off from peers, silently, as
// a cut wire does: nothing is refused, no connection is told, packets do not
// arrive. It does so with a BPF program on the clsact qdisc of the host's
// devices (tc-bpf(8)); where the kernel has no BPF it falls back to blackhole
// routes, which can do less, and says so.
package partition

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/bpf"
)

// Way is how the cut is made.
type Way string

// The ways.
const (
	WayBPF    Way = "bpf"
	WayRoutes Way = "routes"
)

// Change is the change record: what is cut and what was there before.
type Change struct {
	Owner   uint64           `json:"owner"` // names the injection in the kernel
	Way     Way              `json:"way"`
	NetNS   uint64           `json:"netns"` // inode
	Rule    Rule             `json:"rule"`
	Exempt  []netip.AddrPort `json:"exempt,omitempty"`
	Devices []Device         `json:"devices,omitempty"` // of WayBPF
	Table   int              `json:"table,omitempty"`   // of WayRoutes
}

// Device is one network device as it was found.
type Device struct {
	Index  int    `json:"index"`
	Name   string `json:"name"`
	Clsact bool   `json:"clsact"` // it had a clsact qdisc, ours or another's
	// TxQLen is its queue length: the kernel sets a length of 0 to 1000 when a
	// qdisc is added, and keeps it.
	TxQLen int `json:"tx_queue_len"`
}

// Partition is the plugin. The zero value is ready.
type Partition struct {
	mu sync.Mutex
	// warm holds what Prepare loaded, by owner and device: a cache, never the truth.
	warm map[warmKey]warm
	// noBPF and noEffect are switches of tests.
	noBPF, noEffect bool
}

type warmKey struct {
	owner  uint64
	device int
}

var (
	_ fault.Plugin[Params, Change] = (*Partition)(nil)
	_                              = fault.Plugin[Params, Change](New())
)

// New returns the plugin.
func New() *Partition { return &Partition{warm: map[warmKey]warm{}, noBPF: bpfOff} }

func init() { fault.Register("partition", fault.NewDriver(New())) }

// Describe returns what the fault is and needs.
func (*Partition) Describe() fault.Info {
	return fault.Info{
		Kind:            "partition",
		Summary:         "cuts a host off from peers by address, port, protocol and direction, silently like a cut wire",
		ContractVersion: fault.ContractVersion,
		PluginVersion:   "1",
		Touches:         []string{"qdisc", "filter", "bpf", "route", "rule"},
		Needs:           fault.Needs{Capabilities: []string{"CAP_NET_ADMIN", "CAP_BPF"}, Features: []string{"bpf-tc"}},
		Protection:      []fault.Protection{fault.ProtectKernelLease, fault.ProtectPluginTimer, fault.ProtectGuardian, fault.ProtectJournal},
		Destroys:        fault.DestroysNothing,
	}
}

// Prepare checks the parameters and reads the devices. It loads programs and
// fills tries that no device refers to yet: they end with this process.
func (p *Partition) Prepare(_ context.Context, t fault.Target, params Params) (Change, error) {
	rule, err := params.parse()
	if err != nil {
		return Change{}, err
	}
	ns, h, err := open(t)
	if err != nil {
		return Change{}, err
	}
	defer closeBoth(ns, h)
	c := Change{Owner: newOwner(), NetNS: ns.Inode(), Rule: rule, Exempt: t.Exempt, Way: WayBPF}
	first, err := p.tryBPF(rule)
	if reason := missing(err); err != nil && reason != "" {
		return p.prepareRoutes(ns, h, c, params, reason)
	}
	if err != nil {
		return Change{}, err
	}
	if c.Devices, err = inspectAll(h, params.Devices); err != nil {
		first.Close()
		return Change{}, err
	}
	return c, p.keepWarm(c, first)
}

func inspectAll(h *netlink.Handle, names []string) (out []Device, err error) {
	links, err := devices(h, names)
	if err != nil {
		return nil, err
	}
	for _, link := range links {
		d, err := inspect(h, link)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// tryBPF finds out whether this kernel and these rights do.
func (p *Partition) tryBPF(r Rule) (warm, error) {
	if p.noBPF {
		return warm{}, unix.ENOSYS
	}
	return newWarm(r)
}

// keepWarm keeps first for the first device and makes one more for each other.
func (p *Partition) keepWarm(c Change, first warm) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, d := range c.Devices {
		w := first
		if i > 0 {
			var err error
			if w, err = newWarm(c.Rule); err != nil {
				return err
			}
		}
		p.warm[warmKey{c.Owner, d.Index}] = w
	}
	return nil
}

// takeWarm gives away what Prepare kept, or makes it again in a new process.
func (p *Partition) takeWarm(c Change, d Device) (warm, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := warmKey{c.Owner, d.Index}
	if w, ok := p.warm[key]; ok {
		delete(p.warm, key)
		return w, nil
	}
	return newWarm(c.Rule)
}

// inspect reads one device and refuses what would hollow out the cut.
func inspect(h *netlink.Handle, link netlink.Link) (Device, error) {
	d := Device{Index: link.Attrs().Index, Name: link.Attrs().Name, TxQLen: link.Attrs().TxQLen}
	var err error
	if d.Clsact, err = hasClsact(h, link); err != nil || !d.Clsact {
		return d, err
	}
	_, ahead, err := foreignFilters(h, link)
	if err != nil {
		return d, err
	}
	if ahead > 0 {
		return d, fault.Refuse("devices", "%s has a filter of somebody else ahead of ours on clsact (`tc filter show dev %s egress`): it could let packets through; move it to a priority above %d or leave this device out", d.Name, d.Name, filterPriority)
	}
	t, err := findTable(h, link)
	if err != nil || t == nil {
		return d, err
	}
	defer t.Close()
	n, err := t.used()
	if err == nil && n >= bpf.Slots {
		err = fault.Refuse("devices", "%s carries %d partitions already, the most one device takes; revert one or merge them", d.Name, n)
	}
	return d, err
}

// devices returns the named links, or all but the loopback.
func devices(h *netlink.Handle, names []string) ([]netlink.Link, error) {
	if len(names) == 0 {
		all, err := h.LinkList()
		if err != nil {
			return nil, fmt.Errorf("list devices: %w", err)
		}
		var out []netlink.Link
		for _, l := range all {
			if f := l.Attrs().RawFlags; f&unix.IFF_LOOPBACK == 0 && f&unix.IFF_UP != 0 {
				out = append(out, l)
			}
		}
		if len(out) == 0 {
			return nil, fault.Refuse("devices", "this host has no device that is up but the loopback; name one")
		}
		return out, nil
	}
	var out []netlink.Link
	for i, name := range names {
		l, err := h.LinkByName(name)
		if err != nil {
			return nil, fault.Refuse(fmt.Sprintf("devices[%d]", i), "there is no device %q on this host (`ip link`)", name)
		}
		out = append(out, l)
	}
	return out, nil
}

// rule is c as the program reads it.
func (c Change) rule(until fault.BootTime) bpf.CutRule {
	r := bpf.CutRule{Until: uint64(until), Owner: c.Owner, Direction: c.Rule.Direction, Protocol: c.Rule.Protocol, Ranges: uint32(len(c.Rule.Ports))}
	if until == 0 {
		r.Until = ^uint64(0)
	}
	if len(c.Rule.From) > 0 {
		r.LocalMatters = 1
	}
	for i, p := range c.Rule.Ports {
		r.Ports[i].Lo, r.Ports[i].Hi = p.Lo, p.Hi
	}
	return r
}

// open opens the target's network namespace and locks it against other
// processes of ours, which may be attaching or detaching.
func open(t fault.Target) (*netns.NS, *netlink.Handle, error) {
	ns, err := netns.Open(t.NetNS.Path)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil, fmt.Errorf("network namespace %s: %w", t.NetNS.Path, fault.ErrGone)
	}
	if err != nil {
		return nil, nil, err
	}
	if t.NetNS.Inode != 0 && t.NetNS.Inode != ns.Inode() {
		_ = ns.Close()
		return nil, nil, fmt.Errorf("network namespace %s is another one now: %w", t.NetNS.Path, fault.ErrGone)
	}
	if err := unix.Flock(ns.Fd(), unix.LOCK_EX); err != nil {
		_ = ns.Close()
		return nil, nil, fmt.Errorf("lock network namespace: %w", err)
	}
	h, err := ns.Netlink()
	if err != nil {
		_ = ns.Close()
		return nil, nil, err
	}
	return ns, h, nil
}

// reopen is open for a change record: another namespace means the host's
// network was made anew and nothing of ours is in it.
func reopen(t fault.Target, c Change) (*netns.NS, *netlink.Handle, error) {
	ns, h, err := open(t)
	if err != nil {
		return nil, nil, err
	}
	if ns.Inode() != c.NetNS {
		closeBoth(ns, h)
		return nil, nil, fmt.Errorf("network namespace %d of the record is %d now: %w", c.NetNS, ns.Inode(), fault.ErrGone)
	}
	return ns, h, nil
}

func closeBoth(ns *netns.NS, h *netlink.Handle) {
	h.Close()
	_ = ns.Close()
}

func newOwner() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, crypto/rand
	return binary.LittleEndian.Uint64(b[:]) | 1
}
