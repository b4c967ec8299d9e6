package traffic

import (
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
	gone error // why the record's rule is about nobody any more
}

// open locks a namespace and takes it over.
func open(ns *netns.NS) (*Space, error) {
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

// Reopen opens the namespace of a change record; fault.ErrGone if it is there no
// more, and with it all of ours. The caller must Close the space.
func Reopen(t fault.Target, c Change) (*Space, error) {
	ns, err := c.Place.Open(t)
	if err != nil {
		return nil, err
	}
	s, err := open(ns)
	if err == nil {
		s.gone = c.gone(t)
	}
	return s, err
}

// Unlock lets others go on while the caller only reads.
func (s *Space) Unlock() { _ = unix.Flock(s.NS.Fd(), unix.LOCK_UN) }

// Close unlocks and lets go of the namespace.
func (s *Space) Close() {
	s.Link.Close()
	_ = s.NS.Close()
}
