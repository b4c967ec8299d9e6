package netns

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/need"
)

// fresh makes a namespace that lives as long as it is open.
func fresh(t *testing.T) *NS {
	t.Helper()
	need.Check(t, need.Root)
	own, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	var n *NS
	// Do throws its thread away, so it may be moved on.
	err = own.Do(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		n, err = Open("")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

// What is done inside is done there and nowhere else, through Do and through a handle.
func TestInside(t *testing.T) {
	before, err := Inode("")
	if err != nil {
		t.Fatal(err)
	}
	n := fresh(t)
	if n.Inode() == before {
		t.Fatal("a fresh namespace has the inode of our own")
	}
	h, err := n.Netlink()
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	link := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "inside"}}
	if err := h.LinkAdd(link); err != nil {
		t.Fatal(err)
	}
	err = n.Do(func() error {
		_, err := netlink.LinkByName("inside")
		return err
	})
	if err != nil {
		t.Errorf("not found inside: %v", err)
	}
	if _, err := netlink.LinkByName("inside"); err == nil {
		t.Error("found outside")
	}
	if after, err := Inode(""); err != nil || after != before {
		t.Errorf("own namespace is %d after, was %d: %v", after, before, err)
	}
}

func TestOpenMissing(t *testing.T) {
	if _, err := Open("/proc/0/ns/net"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open of a namespace that is not there: %v", err)
	}
}
