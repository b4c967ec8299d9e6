package traffictest

import (
	"fmt"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// Snapshot is what a network fault may touch in A, as text.
func (w *Wire) Snapshot(t testing.TB) []string {
	t.Helper()
	var out []string
	links, err := w.H.LinkList()
	faulttest.Must(t, err)
	for _, l := range links {
		out = append(out, fmt.Sprintf("%s txqlen %d mtu %d %s", l.Attrs().Name, l.Attrs().TxQLen, l.Attrs().MTU, l.Attrs().Flags))
		qs, err := w.H.QdiscList(l)
		faulttest.Must(t, err)
		for _, q := range qs {
			out = append(out, fmt.Sprintf("%s qdisc %s %x parent %x", l.Attrs().Name, q.Type(), q.Attrs().Handle, q.Attrs().Parent))
		}
		for _, parent := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
			fs, _ := w.H.FilterList(l, parent)
			for _, f := range fs {
				out = append(out, fmt.Sprintf("%s filter %s %v", l.Attrs().Name, f.Type(), f.Attrs()))
			}
		}
	}
	rules, err := w.H.RuleList(netlink.FAMILY_ALL)
	faulttest.Must(t, err)
	for _, r := range rules {
		out = append(out, "rule "+r.String())
	}
	routes, err := w.H.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{}, netlink.RT_FILTER_TABLE)
	faulttest.Must(t, err)
	for _, r := range routes {
		out = append(out, "route "+r.String())
	}
	return out
}
