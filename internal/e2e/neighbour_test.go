package e2e

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// neighbour is the name under which this test binary is a service: somebody
// else who uses clsact on the host's device, with a filter or without, or who
// leaves something behind while a fault is live.
const neighbour = "neighbour"

func beNeighbour(args []string) int {
	var err error
	switch args[0] {
	case "litter":
		err = litter()
	default:
		err = occupy(args[0] == "filter")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "neighbour:", err)
		return 1
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	return 0
}

func occupy(filter bool) error {
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	index := link.Attrs().Index
	qdisc := &netlink.GenericQdisc{QdiscAttrs: netlink.QdiscAttrs{LinkIndex: index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT}, QdiscType: "clsact"}
	if err := netlink.QdiscAdd(qdisc); err != nil || !filter {
		return err
	}
	pass, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, -1), asm.Return()}})
	if err != nil {
		return err
	}
	return netlink.FilterAdd(&netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{LinkIndex: index, Parent: netlink.HANDLE_MIN_EGRESS, Handle: 1, Priority: 1, Protocol: unix.ETH_P_ALL},
		Fd:          pass.FD(), Name: "theirs", DirectAction: true,
	})
}

// litter waits until somebody uses clsact, which is the fault, and then adds a
// route that nobody will take away.
func litter() error {
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	for {
		qdiscs, err := netlink.QdiscList(link)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(qdiscs, func(q netlink.Qdisc) bool { return q.Type() == "clsact" }) {
			_, nowhere, _ := net.ParseCIDR("192.0.2.0/24")
			return netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: nowhere})
		}
		time.Sleep(20 * time.Millisecond)
	}
}
