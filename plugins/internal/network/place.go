// Package network opens the network namespace in which a fault acts, that of the
// host or of a container, and lists the sockets in it.
package network

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/container"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
)

// Place is the network namespace in which a fault acts, as change records hold it.
type Place struct {
	NetNS uint64 `json:"netns"` // inode
	// Container is whose it is; none: the target's.
	Container *container.Namespace `json:"container,omitempty"`
}

// Find opens the network namespace of the target or, if an id is given, that of a
// container. One that has none of its own shares the target's, and then Place has
// no container. The caller must close the namespace.
func Find(t fault.Target, id string) (Place, *netns.NS, error) {
	host, err := ofTarget(t)
	if err != nil || id == "" {
		return placeOf(host), host, err
	}
	c, err := container.Find(id)
	if err != nil {
		return Place{}, nil, errors.Join(err, host.Close())
	}
	n, ns, err := c.Namespace()
	if errors.Is(err, container.ErrEnded) {
		err = fault.Refuse("container", "%v; name one that runs", err)
	}
	if err != nil {
		return Place{}, nil, errors.Join(err, host.Close())
	}
	if n.Inode == host.Inode() {
		return placeOf(host), host, ns.Close()
	}
	return Place{NetNS: n.Inode, Container: &n}, ns, host.Close()
}

func placeOf(ns *netns.NS) Place {
	if ns == nil {
		return Place{}
	}
	return Place{NetNS: ns.Inode()}
}

// ofTarget opens the target's namespace; fault.ErrGone if it is another one now.
func ofTarget(t fault.Target) (*netns.NS, error) {
	ns, err := netns.Open(t.NetNS.Path)
	if errors.Is(err, unix.ENOENT) {
		return nil, fmt.Errorf("network namespace %s: %w", t.NetNS.Path, fault.ErrGone)
	}
	if err != nil {
		return nil, err
	}
	if t.NetNS.Inode != 0 && t.NetNS.Inode != ns.Inode() {
		return nil, errors.Join(fmt.Errorf("network namespace %s is another one now: %w", t.NetNS.Path, fault.ErrGone), ns.Close())
	}
	return ns, nil
}

// Open opens the namespace of the record again; fault.ErrGone if it is there no
// more, and with it all that was done in it. The caller must close it.
func (p Place) Open(t fault.Target) (*netns.NS, error) {
	if p.Container != nil {
		if err := process.SameBoot(t); err != nil {
			return nil, err // what names the namespace is given again by the next boot
		}
		return p.Container.Open()
	}
	ns, err := ofTarget(t)
	if err == nil && ns.Inode() != p.NetNS {
		err = errors.Join(fmt.Errorf("network namespace %d of the record is %d now: %w", p.NetNS, ns.Inode(), fault.ErrGone), ns.Close())
	}
	if err != nil {
		return nil, err
	}
	return ns, nil
}

// Do runs fn inside, as netns.NS.Do does.
func (p Place) Do(t fault.Target, fn func() error) error {
	ns, err := p.Open(t)
	if err != nil {
		return err
	}
	defer ns.Close()
	return ns.Do(fn)
}

// Check returns fault.ErrGone if the container whose namespace it is ended since.
func (p Place) Check() error {
	if p.Container == nil {
		return nil
	}
	return p.Container.Check()
}
