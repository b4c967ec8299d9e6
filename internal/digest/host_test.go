package digest_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/digest"
	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Each change of a network namespace shows, and taking it back leaves the
// digest equal.
func TestHostSeesNetworkChanges(t *testing.T) {
	need.Check(t, need.Root)
	inNamespace(t, func(nl *netlink.Handle) {
		dev := plug(t, nl)
		_, all, _ := net.ParseCIDR("10.9.0.0/16")
		clsact := &netlink.GenericQdisc{QdiscAttrs: netlink.QdiscAttrs{LinkIndex: dev, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT}, QdiscType: "clsact"}
		rule := netlink.NewRule()
		rule.Priority, rule.Table, rule.Dst = 77, 100, all
		route := &netlink.Route{Dst: all, Type: unix.RTN_BLACKHOLE, Table: 100}
		link, err := nl.LinkByIndex(dev)
		if err != nil {
			t.Error(err)
			return
		}
		rows := []struct {
			kind     string
			do, undo func() error
		}{
			{"qdisc", func() error { return nl.QdiscAdd(clsact) }, func() error { return nl.QdiscDel(clsact) }},
			{"rule", func() error { return nl.RuleAdd(rule) }, func() error { return nl.RuleDel(rule) }},
			{"route", func() error { return nl.RouteAdd(route) }, func() error { return nl.RouteDel(route) }},
			{"link", func() error { return nl.LinkSetMTU(link, 1234) }, func() error { return nl.LinkSetMTU(link, 1500) }},
		}
		for _, row := range rows {
			before := host(t, nl)
			if err := row.do(); err != nil {
				t.Errorf("%s: %v", row.kind, err)
				continue
			}
			during := strings.Join(digest.Diff(before, host(t, nl)), "\n")
			if !strings.Contains(during, "+ "+row.kind) {
				t.Errorf("%s: got %q, want an added line of it", row.kind, during)
			}
			if err := row.undo(); err != nil {
				t.Errorf("%s: %v", row.kind, err)
			}
			if diff := digest.Diff(before, host(t, nl)); len(diff) > 0 {
				t.Errorf("%s undone: %q", row.kind, diff)
			}
		}
	})
}

// plug gives the link a queue length: on one without, adding any qdisc sets it to
// 1000 (sch_api.c) and nothing sets it back.
func plug(t *testing.T, nl *netlink.Handle) int {
	if err := nl.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "d0", MTU: 1500, TxQLen: 1000}, PeerName: "d1"}); err != nil {
		t.Error(err)
		return 0
	}
	link, err := nl.LinkByName("d0")
	if err != nil {
		t.Error(err)
		return 0
	}
	if err := nl.LinkSetUp(link); err != nil {
		t.Error(err)
	}
	return link.Attrs().Index
}

// host keeps only the lines of the namespace: the machine's others may change
// beside this test.
func host(t *testing.T, nl *netlink.Handle) digest.Digest {
	t.Helper()
	d, err := digest.Host(digest.HostOptions{Netlink: nl})
	if err != nil {
		t.Error(err)
	}
	var kept []string
	for _, line := range d.Lines {
		kind, _, _ := strings.Cut(line, " ")
		if kind == "link" || kind == "address" || kind == "route" || kind == "rule" || kind == "qdisc" || kind == "filter" {
			kept = append(kept, line)
		}
	}
	return digest.Digest{Lines: kept}
}

// What a fault destroys inside its target is left out, and nothing else.
func TestHostLeavesOutWhatWasDestroyed(t *testing.T) {
	need.Check(t, need.Root)
	in, out := t.TempDir(), t.TempDir()
	for _, dir := range []string{in, out} {
		if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d, err := digest.Host(digest.HostOptions{
		Folders:   []string{in, out},
		Destroyed: []digest.Destroyed{{What: fault.DestroysUnsyncedData, Target: fault.Target{Mounts: []string{in}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(d.Lines, "\n")
	if strings.Contains(text, "file "+in) || !strings.Contains(text, "file "+out) {
		t.Errorf("listed inside the target %t, outside %t; want only outside", strings.Contains(text, "file "+in), strings.Contains(text, "file "+out))
	}
}
