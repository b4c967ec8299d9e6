package preflight

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// inNamespace tries something in a network namespace of its own, which is gone
// with the thread.
func inNamespace(try func() error) func() error {
	return func() error {
		if root() != nil {
			return errNotRoot
		}
		done := make(chan error, 1)
		go func() {
			// Never unlocked: the runtime ends the thread with the goroutine.
			runtime.LockOSThread()
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				done <- fmt.Errorf("make network namespace: %w", err)
				return
			}
			done <- try()
		}()
		return <-done
	}
}

func veth() error {
	v := netlink.NewVeth(netlink.NewLinkAttrs())
	v.Name, v.PeerName = "a", "b"
	if err := netlink.LinkAdd(v); err != nil {
		return fmt.Errorf("add veth: %w", err)
	}
	return nil
}

func bridge() error {
	b := &netlink.Bridge{LinkAttrs: netlink.NewLinkAttrs()}
	b.Name = "b"
	if err := netlink.LinkAdd(b); err != nil {
		return fmt.Errorf("add bridge: %w", err)
	}
	return nil
}

// The queue disciplines that faults and labs use, added to lo of a namespace of
// its own.
var (
	netem = qdisc("netem", func(a netlink.QdiscAttrs) netlink.Qdisc {
		return netlink.NewNetem(a, netlink.NetemQdiscAttrs{Latency: 1000})
	})
	htb = qdisc("HTB", func(a netlink.QdiscAttrs) netlink.Qdisc { return netlink.NewHtb(a) })
	tbf = qdisc("TBF", func(a netlink.QdiscAttrs) netlink.Qdisc {
		return &netlink.Tbf{QdiscAttrs: a, Rate: 1 << 17, Limit: 1 << 16, Buffer: 1 << 16}
	})
)

func qdisc(name string, of func(netlink.QdiscAttrs) netlink.Qdisc) func() error {
	return func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return fmt.Errorf("find lo: %w", err)
		}
		attrs := netlink.QdiscAttrs{LinkIndex: lo.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT}
		if err := netlink.QdiscAdd(of(attrs)); err != nil {
			return fmt.Errorf("add %s: %w", name, err)
		}
		return nil
	}
}

// u32 adds a filter to the one queue discipline for filters alone.
func u32() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	index := lo.Attrs().Index
	attrs := netlink.QdiscAttrs{LinkIndex: index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_INGRESS}
	if err := netlink.QdiscAdd(&netlink.Ingress{QdiscAttrs: attrs}); err != nil {
		return fmt.Errorf("add ingress: %w", err)
	}
	filter := netlink.FilterAttrs{LinkIndex: index, Parent: attrs.Handle, Priority: 1, Protocol: unix.ETH_P_IP}
	if err := netlink.FilterAdd(&netlink.U32{FilterAttrs: filter, ClassId: 1}); err != nil {
		return fmt.Errorf("add u32: %w", err)
	}
	return nil
}

// bpfTC loads a program that does nothing and attaches it as the faults do.
func bpfTC() error {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type:         ebpf.SchedCLS,
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
		License:      "Apache-2.0",
	})
	if err != nil {
		return fmt.Errorf("load BPF program: %w", err)
	}
	defer prog.Close()
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	index := lo.Attrs().Index
	clsact := &netlink.Clsact{QdiscAttrs: netlink.QdiscAttrs{LinkIndex: index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT}}
	if err := netlink.QdiscAdd(clsact); err != nil {
		return fmt.Errorf("add clsact: %w", err)
	}
	filter := &netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{LinkIndex: index, Parent: netlink.HANDLE_MIN_EGRESS, Handle: 1, Protocol: unix.ETH_P_ALL, Priority: 1},
		Fd:          prog.FD(), Name: "preflight", DirectAction: true,
	}
	if err := netlink.FilterAdd(filter); err != nil {
		return errors.Join(fmt.Errorf("attach BPF program: %w", err), netlink.QdiscDel(clsact))
	}
	return nil
}
