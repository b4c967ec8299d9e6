package digest

import (
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
)

// cgroupHooks are the attach points of programs on a control group that can
// cut or bend traffic and devices.
var cgroupHooks = []ebpf.AttachType{
	ebpf.AttachCGroupInetIngress, ebpf.AttachCGroupInetEgress, ebpf.AttachCGroupInetSockCreate,
	ebpf.AttachCGroupInet4Connect, ebpf.AttachCGroupInet6Connect, ebpf.AttachCGroupDevice, ebpf.AttachCGroupSysctl,
}

// programs adds the BPF programs attached to links (tcx) and to the root of the
// v2 hierarchy as the caller sees it. Program ids are left in: an id is never
// used twice, so a program that was replaced shows. A kernel without the query
// has nothing attached that way.
func (l *listing) programs(nl *netlink.Handle, mounts []mount) error {
	links, err := nl.LinkList()
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	for _, dev := range links {
		for _, hook := range []ebpf.AttachType{ebpf.AttachTCXIngress, ebpf.AttachTCXEgress} {
			l.attached(dev.Attrs().Name, dev.Attrs().Index, hook)
		}
	}
	for _, h := range hierarchies(mounts) {
		if h.fstype != "cgroup2" {
			continue
		}
		root, err := os.Open(h.point)
		if err != nil {
			return fmt.Errorf("open %s: %w", h.point, err)
		}
		for _, hook := range cgroupHooks {
			l.attached(h.point, int(root.Fd()), hook)
		}
		_ = root.Close()
	}
	return nil
}

func (l *listing) attached(name string, target int, hook ebpf.AttachType) {
	found, err := link.QueryPrograms(link.QueryOptions{Target: target, Attach: hook})
	if err != nil {
		return
	}
	for _, p := range found.Programs {
		l.add("program", name, strings.ToLower(hook.String()), fmt.Sprintf("id=%d", p.ID))
	}
}
