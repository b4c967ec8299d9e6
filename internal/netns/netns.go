// Package netns opens network namespaces and runs code in them. A namespace is
// identified by the inode of its nsfs file (namespaces(7)); the inode is used
// again after the namespace is gone, so it is compared together with the boot id.
package netns

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	vns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Own is the path of the calling thread's network namespace.
const Own = "/proc/thread-self/ns/net"

// NS is an open network namespace; it exists at least as long as it is open.
type NS struct {
	f     *os.File
	inode uint64
}

// Open opens the namespace at path (e.g. /proc/PID/ns/net); "" is the caller's
// own. The caller must Close it.
func Open(path string) (*NS, error) {
	if path == "" {
		path = Own
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open network namespace: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, errors.Join(fmt.Errorf("identify network namespace %s: %w", path, err), f.Close())
	}
	return &NS{f: f, inode: st.Ino}, nil
}

// Inode identifies the namespace.
func (n *NS) Inode() uint64 { return n.inode }

// Cookie is the kernel's own name of the namespace, which it gives once between two
// boots (SO_NETNS_COOKIE, since Linux 5.14).
func (n *NS) Cookie() (cookie uint64, err error) {
	err = n.Do(func() error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		cookie, err = unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("identify network namespace %d: %w", n.inode, err)
	}
	return cookie, nil
}

// Fd is the open file descriptor, valid until Close.
func (n *NS) Fd() int { return int(n.f.Fd()) }

// Close lets go of the namespace.
func (n *NS) Close() error { return n.f.Close() }

// Netlink opens an rtnetlink handle in the namespace. Only this family is
// opened: others are missing in small kernels. The caller must Close it.
func (n *NS) Netlink() (*netlink.Handle, error) {
	h, err := netlink.NewHandleAt(vns.NsHandle(n.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink in network namespace %d: %w", n.inode, err)
	}
	return h, nil
}

// Do runs fn on a thread that has entered the namespace, so fn may not hand work
// to other goroutines and expect them to be inside too. The thread goes back
// afterwards; one that can't is thrown away. (Throwing it away always would be
// simpler, but the process's first thread can't end and would stay inside.)
func (n *NS) Do(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := Open(Own)
		if err != nil {
			runtime.UnlockOSThread()
			done <- err
			return
		}
		defer home.Close()
		if err := n.Enter(); err != nil {
			runtime.UnlockOSThread()
			done <- err
			return
		}
		err = fn()
		if home.Enter() == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

// Enter moves the calling thread into the namespace. The thread must be locked
// to its goroutine and thrown away afterwards, which only works on a thread
// that is not the process's first; Do does without.
func (n *NS) Enter() error {
	if err := unix.Setns(n.Fd(), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter network namespace %d: %w", n.inode, err)
	}
	return nil
}

// Inode reads the inode of the namespace at path; "" is the caller's own.
func Inode(path string) (uint64, error) {
	n, err := Open(path)
	if err != nil {
		return 0, err
	}
	return n.Inode(), n.Close()
}
