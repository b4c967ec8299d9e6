package traffictest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// Neighbour is another owner who puts a filter of his own beside ours, on the
// qdisc that we made.
func Neighbour() *faulttest.Disturbance {
	return &faulttest.Disturbance{
		Change: onEth0(addTheirs),
		Kept: onEth0(func(link netlink.Link) error {
			filters, err := netlink.FilterList(link, netlink.HANDLE_MIN_EGRESS)
			if err == nil && len(filters) != 1 {
				err = fmt.Errorf("%d filters are left, theirs is one", len(filters))
			}
			return err
		}),
		Undo:  onEth0(func(link netlink.Link) error { return netlink.FilterDel(theirFilter(link, -1, 100)) }),
		Stuck: true,
	}
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
	prog, err := passAll()
	if err != nil {
		return err
	}
	return errors.Join(netlink.FilterAdd(theirFilter(link, prog.FD(), 100)), prog.Close())
}

func theirFilter(link netlink.Link, fd int, priority uint16) *netlink.BpfFilter {
	return &netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{LinkIndex: link.Attrs().Index, Parent: netlink.HANDLE_MIN_EGRESS, Handle: 1, Priority: priority, Protocol: unix.ETH_P_ALL},
		Fd:          fd, Name: "theirs", DirectAction: true,
	}
}

func passAll() (*ebpf.Program, error) {
	return ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, -1), asm.Return()}})
}

// Foreign is a filter of somebody else on A's device, at this priority.
func (w *Wire) Foreign(t testing.TB, priority uint16) netlink.Filter {
	t.Helper()
	prog, err := passAll()
	faulttest.Must(t, err)
	t.Cleanup(func() { _ = prog.Close() })
	return theirFilter(w.Eth0(t), prog.FD(), priority)
}
