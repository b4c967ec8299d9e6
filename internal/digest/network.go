package digest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// links adds the network devices of nl's namespace. Left out: the index (drawn
// anew when a cable is plugged in again), counters, and the operational state,
// which follows the far end of the cable.
func (l *listing) links(nl *netlink.Handle) error {
	links, err := nl.LinkList()
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	names := linkNames(links)
	for _, link := range links {
		a := link.Attrs()
		words := []string{
			"link", a.Name, "type=" + link.Type(), "mac=" + a.HardwareAddr.String(), "mtu=" + strconv.Itoa(a.MTU),
			"txqlen=" + strconv.Itoa(a.TxQLen), "up=" + strconv.FormatBool(a.Flags&net.FlagUp != 0),
			"promisc=" + strconv.Itoa(a.Promisc), "master=" + names[a.MasterIndex],
		}
		if a.Xdp != nil && a.Xdp.Attached {
			words = append(words, fmt.Sprintf("xdp=%d", a.Xdp.ProgId))
		}
		l.add(words...)
	}
	return nil
}

func linkNames(links []netlink.Link) map[int]string {
	names := map[int]string{0: ""}
	for _, link := range links {
		names[link.Attrs().Index] = link.Attrs().Name
	}
	return names
}

// addresses adds the addresses of all links. Remaining lifetimes are left out:
// they run down.
func (l *listing) addresses(nl *netlink.Handle) error {
	links, err := nl.LinkList()
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	names := linkNames(links)
	addrs, err := nl.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return fmt.Errorf("list addresses: %w", err)
	}
	for _, a := range addrs {
		// A tentative address becomes a plain one by itself.
		flags := a.Flags &^ unix.IFA_F_TENTATIVE
		l.add("address", a.IPNet.String(), "dev="+names[a.LinkIndex], "label="+a.Label, fmt.Sprintf("scope=%d flags=%#x", a.Scope, flags))
	}
	return nil
}

// routes adds the routes of all tables. Left out: cloned routes, which are the
// kernel's cache, and the local and multicast entries of IPv6, which follow
// the link's state.
func (l *listing) routes(nl *netlink.Handle) error {
	links, err := nl.LinkList()
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	names := linkNames(links)
	var errs []error
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		routes, err := nl.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
		if err != nil {
			errs = append(errs, fmt.Errorf("list routes: %w", err))
		}
		for _, r := range routes {
			if r.Flags&unix.RTM_F_CLONED != 0 || (family == netlink.FAMILY_V6 && r.Table == unix.RT_TABLE_LOCAL) {
				continue
			}
			l.add("route", routeWords(r, names))
		}
	}
	return errors.Join(errs...)
}

func routeWords(r netlink.Route, names map[int]string) string {
	dst := "default"
	if r.Dst != nil {
		dst = r.Dst.String()
	}
	words := []string{dst, "dev=" + names[r.LinkIndex], fmt.Sprintf("table=%d type=%d protocol=%d scope=%d metric=%d", r.Table, r.Type, int(r.Protocol), int(r.Scope), r.Priority)}
	if r.Gw != nil {
		words = append(words, "via="+r.Gw.String())
	}
	if r.Src != nil {
		words = append(words, "src="+r.Src.String())
	}
	for _, hop := range r.MultiPath {
		words = append(words, fmt.Sprintf("hop=%s,%s,%d", names[hop.LinkIndex], hop.Gw, hop.Hops))
	}
	if r.MTU != 0 {
		words = append(words, "mtu="+strconv.Itoa(r.MTU))
	}
	return strings.Join(words, " ")
}

// rules adds the policy rules.
func (l *listing) rules(nl *netlink.Handle) error {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		rules, err := nl.RuleList(family)
		if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) {
			continue // a kernel without this family
		}
		if err != nil {
			return fmt.Errorf("list rules: %w", err)
		}
		for _, r := range rules {
			r.Family = family
			from, to := r.Src, r.Dst
			r.Src, r.Dst = nil, nil
			l.add("rule", fmt.Sprintf("%d from=%v to=%v", r.Priority, from, to), settings(r))
		}
	}
	return nil
}

// qdiscs adds queueing disciplines and filters of all links, without counters.
func (l *listing) qdiscs(nl *netlink.Handle) error {
	links, err := nl.LinkList()
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	var errs []error
	for _, link := range links {
		errs = append(errs, l.qdiscsOf(nl, link))
	}
	return errors.Join(errs...)
}

func (l *listing) qdiscsOf(nl *netlink.Handle, link netlink.Link) error {
	name := link.Attrs().Name
	qdiscs, err := nl.QdiscList(link)
	if vanished(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list qdiscs of %s: %w", name, err)
	}
	parents := []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS}
	for _, q := range qdiscs {
		a := q.Attrs()
		l.add("qdisc", name, q.Type(), netlink.HandleStr(a.Handle), "parent="+netlink.HandleStr(a.Parent), withoutCounters(q, a))
		// The ingress hook's filters hang on the two fixed parents.
		if a.Parent != netlink.HANDLE_INGRESS && a.Handle != 0 {
			parents = append(parents, a.Handle)
		}
	}
	slices.Sort(parents)
	for _, parent := range slices.Compact(parents) {
		filters, err := nl.FilterList(link, parent)
		if err != nil {
			continue // a qdisc that takes no filters says EOPNOTSUPP or EINVAL
		}
		for _, f := range filters {
			l.add("filter", name, netlink.HandleStr(parent), filterWords(f))
		}
	}
	return nil
}

func withoutCounters(q netlink.Qdisc, a *netlink.QdiscAttrs) string {
	kept := *a
	*a = netlink.QdiscAttrs{}
	defer func() { *a = kept }()
	return settings(q)
}

// settings prints the fields of a netlink object that are set, sorted by name.
func settings(object any) string {
	text, err := json.Marshal(object)
	fields := map[string]any{}
	if err != nil || json.Unmarshal(text, &fields) != nil {
		return fmt.Sprintf("%+v", object)
	}
	var words []string
	for name, value := range fields {
		if word := fmt.Sprint(value); value != nil && word != "0" && word != "-1" && word != "" && word != "false" {
			words = append(words, name+"="+strings.ReplaceAll(word, " ", ","))
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

func filterWords(f netlink.Filter) string {
	a := f.Attrs()
	words := fmt.Sprintf("%s handle=%#x priority=%d protocol=%#x", f.Type(), a.Handle, a.Priority, a.Protocol)
	if b, ok := f.(*netlink.BpfFilter); ok {
		words += fmt.Sprintf(" program=%s tag=%s direct=%t", b.Name, b.Tag, b.DirectAction)
	}
	return words
}
