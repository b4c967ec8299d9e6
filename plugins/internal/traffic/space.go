package traffic

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Space is a network namespace that is open and locked against other processes
// of ours, which may be attaching or detaching.
type Space struct {
	NS   *netns.NS
	Link *netlink.Handle
}

// Open opens the target's network namespace; fault.ErrGone if it is another one
// now. The caller must Close it.
func Open(t fault.Target) (*Space, error) {
	ns, err := netns.Open(t.NetNS.Path)
	if errors.Is(err, unix.ENOENT) {
		return nil, fmt.Errorf("network namespace %s: %w", t.NetNS.Path, fault.ErrGone)
	}
	if err != nil {
		return nil, err
	}
	if t.NetNS.Inode != 0 && t.NetNS.Inode != ns.Inode() {
		_ = ns.Close()
		return nil, fmt.Errorf("network namespace %s is another one now: %w", t.NetNS.Path, fault.ErrGone)
	}
	if err := unix.Flock(ns.Fd(), unix.LOCK_EX); err != nil {
		_ = ns.Close()
		return nil, fmt.Errorf("lock network namespace: %w", err)
	}
	h, err := ns.Netlink()
	if err != nil {
		_ = ns.Close()
		return nil, err
	}
	return &Space{NS: ns, Link: h}, nil
}

// Reopen is Open for a change record: another namespace means the host's network
// was made anew and nothing of ours is in it.
func Reopen(t fault.Target, c Change) (*Space, error) {
	s, err := Open(t)
	if err != nil {
		return nil, err
	}
	if s.NS.Inode() != c.NetNS {
		s.Close()
		return nil, fmt.Errorf("network namespace %d of the record is %d now: %w", c.NetNS, s.NS.Inode(), fault.ErrGone)
	}
	return s, nil
}

// Unlock lets others go on while the caller only reads.
func (s *Space) Unlock() { _ = unix.Flock(s.NS.Fd(), unix.LOCK_UN) }

// Close unlocks and lets go of the namespace.
func (s *Space) Close() {
	s.Link.Close()
	_ = s.NS.Close()
}
