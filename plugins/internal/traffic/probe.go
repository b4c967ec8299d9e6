package traffic

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Loopback is the index of the loopback device, in every namespace.
const Loopback = 1

// Probe finds out whether this kernel has a queueing discipline, by adding it to
// the loopback of a network namespace that is thrown away. The error is
// fault.ErrUnsupported and names the module if it has not.
func Probe(q netlink.Qdisc) error {
	q.Attrs().LinkIndex, q.Attrs().Parent, q.Attrs().Handle = Loopback, netlink.HANDLE_ROOT, netlink.MakeHandle(1, 0)
	own, err := netns.Open("")
	if err != nil {
		return err
	}
	defer own.Close()
	err = own.Do(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace to try in: %w", err)
		}
		fresh, err := netns.Open("")
		if err != nil {
			return err
		}
		defer fresh.Close()
		h, err := fresh.Netlink()
		if err != nil {
			return err
		}
		defer h.Close()
		return h.QdiscAdd(q)
	})
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("this kernel has no queueing discipline %s; load the module sch_%s: %w", q.Type(), q.Type(), fault.ErrUnsupported)
	}
	if err != nil {
		return fmt.Errorf("try queueing discipline %s: %w", q.Type(), err)
	}
	return nil
}
