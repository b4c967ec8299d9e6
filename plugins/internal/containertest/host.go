package containertest

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
)

// Peer is an address that a container in a host under test has a route to.
const Peer = "10.88.0.2"

// Group is the control group of a container in a host under test, below the host's.
func Group(id string) string { return "docker/" + id }

// InHost starts a container in a host under test, with a network of its own.
func InHost(t testing.TB, id string) func(*faulttest.Host) error {
	return func(h *faulttest.Host) error {
		s, err := h.Lab.Power().Status(context.Background(), h.Name)
		if err != nil {
			return err
		}
		v2, err := cgroup.V2()
		if err != nil {
			return err
		}
		below, err := filepath.Rel(v2.Mount, s.Cgroup)
		if err != nil {
			return err
		}
		c := Start(t, Spec{
			ID: id, Role: processtest.Idle,
			Parent: filepath.Join("/", below, filepath.Dir(Group(id))), Processes: fmt.Sprintf("/proc/%d/ns/pid", s.PID1),
		})
		return c.cable()
	}
}

// cable gives the container a device eth0 that leads to Peer.
func (c *Container) cable() error {
	ns, err := netns.Open(fmt.Sprintf("/proc/%d/ns/net", c.PID))
	if err != nil {
		return err
	}
	defer ns.Close()
	h, err := ns.Netlink()
	if err != nil {
		return err
	}
	defer h.Close()
	if err := h.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "cable"}); err != nil {
		return err
	}
	for _, name := range []string{"cable", "eth0"} {
		l, err := h.LinkByName(name)
		if err != nil {
			return err
		}
		if err := h.LinkSetARPOff(l); err != nil {
			return err
		}
		if err := h.LinkSetUp(l); err != nil {
			return err
		}
		if name == "eth0" {
			a, _ := netlink.ParseAddr("10.88.0.1/24")
			if err := h.AddrAdd(l, a); err != nil {
				return err
			}
		}
	}
	return nil
}
