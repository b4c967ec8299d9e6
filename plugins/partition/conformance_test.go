package partition

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

var driver = fault.NewDriver(New())

func TestConformance(t *testing.T) {
	theirs := &faulttest.Disturbance{
		Change: onEth0(addTheirs),
		Kept: onEth0(func(link netlink.Link) error {
			filters, err := netlink.FilterList(link, netlink.HANDLE_MIN_EGRESS)
			if err == nil && len(filters) != 1 {
				err = fmt.Errorf("%d filters are left, theirs is one", len(filters))
			}
			return err
		}),
		Undo:  onEth0(func(link netlink.Link) error { return netlink.FilterDel(theirFilter(link, -1)) }),
		Stuck: true,
	}
	for name, p := range map[string]Params{
		"one peer":            {To: []string{"10.77.2.1"}},
		"a port of everybody": {To: []string{"0.0.0.0/0", "::/0"}, Direction: "out", Protocol: "tcp", Ports: []string{"5432"}},
	} {
		t.Run(name, func(t *testing.T) {
			faulttest.Run(t, driver, faulttest.Case{Params: p, Disturb: theirs})
		})
	}
}

func TestConformanceOfRefusals(t *testing.T) {
	faulttest.Run(t, driver, faulttest.Case{Params: Params{To: []string{"10.77.2.1"}, Direction: "up"}, Refused: "direction"})
}

// onEth0 acts on the host's network device.
func onEth0(act func(netlink.Link) error) func(*faulttest.Host) error {
	return func(h *faulttest.Host) error {
		return h.Do(func() error {
			link, err := netlink.LinkByName("eth0")
			if err != nil {
				return err
			}
			return act(link)
		})
	}
}

// addTheirs adds the filter of somebody else, behind ours.
func addTheirs(link netlink.Link) error {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, -1), asm.Return()}})
	if err != nil {
		return err
	}
	return errors.Join(netlink.FilterAdd(theirFilter(link, prog.FD())), prog.Close())
}

func theirFilter(link netlink.Link, fd int) *netlink.BpfFilter {
	return &netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{LinkIndex: link.Attrs().Index, Parent: netlink.HANDLE_MIN_EGRESS, Handle: 1, Priority: 100, Protocol: unix.ETH_P_ALL},
		Fd:          fd, Name: "theirs", DirectAction: true,
	}
}
