// Package traffic does for every network fault what is the same for all of them:
// it selects packets, and bends them by a BPF program on the clsact qdisc of the
// host's devices (tc-bpf(8)).
//
// A device carries one program for each direction and one rule table of eight
// slots behind both, a slot per injection. A packet goes through the slots in
// their order, so that faults compose; each slot comes and goes without touching
// the others. Table and programs are found through the attached program's id, so
// that any process can revert from the change record alone. Each rule carries its
// own end: a host without any process of ours heals when the lease runs out.
//
// A fault that queues packets does not touch the user's queueing disciplines: its
// rule steers packets over a pair of devices of ours, with a queue on the near
// end, and the far end puts them back where they were (see steer.go).
//
// The control connection and sshd are exempt from all of it.
//
// # One service, one container
//
// A rule may be about the packets of one control group and of those below it. The
// kernel knows whose a packet is by the socket that sends it, and in which group of
// cgroup v2 the process was that made the socket; services without a group of their
// own there are unsupported. Nothing needs to be moved or marked.
//
// A packet that comes in has no socket yet when it is looked at. It is known by the
// host's end of one, address, port and protocol: the ends that the group has open are
// written into the table when the fault begins and at each renewal, and each packet
// that the group sends adds the one it came from. So what is opened later is known
// from its first packet out, or within a renewal (15 s). Packets that come in without
// ports, as of ICMP, and later fragments are nobody's.
//
// A container with a network of its own is hit in it, by rules on its own devices:
// everybody who shares that network is, as the containers of a pod do. One that has
// the host's network is a control group.
package traffic

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/bpf"
	"github.com/firedrill-io/firedrill/plugins/internal/network"
)

// Change is the change record: which packets, what is done to them, and what was
// there before.
type Change struct {
	Owner uint64 `json:"owner"` // names the injection in the kernel
	network.Place
	Rule    Rule             `json:"rule"`
	Action  Action           `json:"action,omitzero"`
	Exempt  []netip.AddrPort `json:"exempt,omitempty"`
	Devices []Device         `json:"devices,omitempty"`
}

// Action is what is done to the packets of a rule.
type Action struct {
	Does uint32 `json:"does,omitempty"` // bpf.Cut and its like
	// Share of the packets that are acted upon, by chance; 0: all.
	Share float64 `json:"share,omitempty"`
	// Relay says that packets are steered to a program of ours and not to a queue
	// of the kernel's: see Relay.
	Relay bool `json:"relay,omitempty"`
	// Names of bpf.Answer: only queries for these are meant; none: all. One that
	// begins with Under means those below it.
	Names []string `json:"names,omitempty"`
	// Code of bpf.Answer is that of the answer (RCODE of RFC 1035, 4.1.1); 0: there
	// is none.
	Code uint32 `json:"code,omitempty"`
}

// Device is one network device as it was found.
type Device struct {
	Index  int    `json:"index"`
	Name   string `json:"name"`
	Clsact bool   `json:"clsact"` // it had a clsact qdisc, ours or another's
	// TxQLen is its queue length: the kernel sets a length of 0 to 1000 when a
	// qdisc is added, and keeps it.
	TxQLen int `json:"tx_queue_len"`
	// Ways are the pairs of devices of ours that packets are steered over.
	Ways []Way `json:"ways,omitempty"`
}

// Injector injects faults of one kind. The zero value is ready.
type Injector struct {
	// Inert is for tests: everything is put in place but the effect.
	Inert bool
	mu    sync.Mutex
	// warm holds what Prepare loaded, by owner and device: a cache, never the truth.
	warm map[warmKey]warm
}

type warmKey struct {
	owner  uint64
	device int
}

// Prepare reads the devices of t. It loads programs and fills tries that no
// device refers to yet: they end with this process.
func (i *Injector) Prepare(_ context.Context, t fault.Target, sel Selection, a Action) (Change, error) {
	s, c, err := Begin(t, sel, a)
	if err != nil {
		return Change{}, err
	}
	defer s.Close()
	c, err = i.PrepareIn(s, c, sel.Devices)
	if reason := Missing(err); err != nil && reason != "" {
		err = fmt.Errorf("%w: %s", fault.ErrUnsupported, reason)
	}
	return c, err
}

// PrepareIn is Prepare for a namespace that is open. Its error is one that
// Missing knows if the kernel or our rights lack something.
func (i *Injector) PrepareIn(s *Space, c Change, devices []string) (Change, error) {
	if _, err := s.ends(c); err != nil { // what Apply will need
		return c, err
	}
	first, err := newWarm(c)
	if err != nil {
		return c, err
	}
	if c.Devices, err = inspectAll(s.Link, devices, c.Action.loopback()); err == nil {
		err = planWays(s.Link, &c)
	}
	if err != nil {
		first.Close()
		return c, err
	}
	return c, i.keepWarm(c, first)
}

// keepWarm keeps first for the first device and makes one more for each other.
func (i *Injector) keepWarm(c Change, first warm) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.warm == nil {
		i.warm = map[warmKey]warm{}
	}
	for n, d := range c.Devices {
		w := first
		if n > 0 {
			var err error
			if w, err = newWarm(c); err != nil {
				return err
			}
		}
		i.warm[warmKey{c.Owner, d.Index}] = w
	}
	return nil
}

// takeWarm gives away what Prepare kept, or makes it again in a new process.
func (i *Injector) takeWarm(c Change, d Device) (warm, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	key := warmKey{c.Owner, d.Index}
	if w, ok := i.warm[key]; ok {
		delete(i.warm, key)
		return w, nil
	}
	return newWarm(c)
}

func inspectAll(h *netlink.Handle, names []string, loopback bool) (out []Device, err error) {
	links, err := devices(h, names, loopback)
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

// inspect reads one device and refuses what would hollow out the fault.
func inspect(h *netlink.Handle, link netlink.Link) (Device, error) {
	d := Device{Index: link.Attrs().Index, Name: link.Attrs().Name, TxQLen: link.Attrs().TxQLen}
	var err error
	if d.Clsact, err = hasClsact(h, link); err != nil || !d.Clsact {
		return d, err
	}
	_, ahead, err := ForeignFilters(h, link)
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
		err = fault.Refuse("devices", "%s carries %d network faults already, the most one device takes; revert one or merge them", d.Name, n)
	}
	return d, err
}

// devices returns the named links; without names all that are up but our own, and
// the loopback only if it is asked for.
func devices(h *netlink.Handle, names []string, loopback bool) ([]netlink.Link, error) {
	if len(names) == 0 {
		all, err := h.LinkList()
		if err != nil {
			return nil, fmt.Errorf("list devices: %w", err)
		}
		var out []netlink.Link
		for _, l := range all {
			if f := l.Attrs().RawFlags; (loopback || f&unix.IFF_LOOPBACK == 0) && f&unix.IFF_UP != 0 && !isWay(l) {
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
		if err != nil || isWay(l) {
			return nil, fault.Refuse(fmt.Sprintf("devices[%d]", i), "there is no device %q on this host (`ip link`)", name)
		}
		out = append(out, l)
	}
	return out, nil
}

// linkOf finds the device of the record; a device that went and came back under
// the same name is another one.
func linkOf(h *netlink.Handle, d Device) (netlink.Link, error) {
	link, err := h.LinkByIndex(d.Index)
	var absent netlink.LinkNotFoundError
	if errors.As(err, &absent) || errors.Is(err, unix.ENODEV) {
		return nil, fmt.Errorf("device %s (index %d): %w", d.Name, d.Index, fault.ErrGone)
	}
	if err != nil {
		return nil, fmt.Errorf("find device %s: %w", d.Name, err)
	}
	return link, nil
}

// rule is c as the program reads it.
func (c Change) rule(until fault.BootTime) bpf.CutRule {
	r := bpf.CutRule{
		Until: uint64(until), Owner: c.Owner, Direction: c.Rule.Direction, Protocol: c.Rule.Protocol, Ranges: uint32(len(c.Rule.Ports)),
		Action: c.Action.Does, Chance: c.Action.chance(), Code: c.Action.Code,
	}
	if len(c.Action.Names) > 0 {
		r.Names = 1
	}
	if c.Action.Relay {
		r.Relay = 1
	}
	if c.Rule.Group != nil {
		r.Group = c.Rule.Group.Inode // which is the kernel's id of it
	}
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

// loopback says that the fault is about what goes over the loopback too: resolvers
// often listen there.
func (a Action) loopback() bool { return a.Does == bpf.Answer }

// chance is the share as the largest of 2^32 random numbers that acts.
func (a Action) chance() uint32 {
	if a.Share <= 0 || a.Share >= 1 {
		return bpf.Always
	}
	return uint32(math.Max(0, math.Round(a.Share*(1<<32))-1))
}

func newOwner() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, crypto/rand
	return binary.LittleEndian.Uint64(b[:]) | 1
}
