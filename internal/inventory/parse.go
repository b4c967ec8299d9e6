package inventory

import (
	"fmt"
	"net/netip"

	"github.com/firedrill-io/firedrill/experiments/strict"
)

// Internet is the site of the clients. Its hosts are never a target.
const Internet = "internet"

// Parse reads an inventory or lab file. vars sets the file's variables; values
// for variables that the file does not have are left out, as one experiment has
// several lab files. If anything is wrong the error is a *strict.Error that
// lists all of it with positions. Hosts without an address get theirs.
func Parse(src []byte, file string, vars map[string]string) (*Inventory, error) {
	schema, err := compile()
	if err != nil {
		return nil, err
	}
	doc := strict.Read(src, file)
	if doc.Root.Kind != strict.Map && doc.Err() != nil {
		return nil, doc.Err()
	}
	doc.Validate(schema)
	newChecks(doc).run()
	inv := &Inventory{}
	if err := doc.Decode(inv); err != nil {
		return nil, err
	}
	for name, v := range inv.Variables {
		v.Value = v.Default
		if given, ok := vars[name]; ok {
			v.Value = given
		}
		inv.Variables[name] = v
	}
	inv.assignAddresses()
	if err := inv.checkLab(doc); err != nil {
		return nil, err
	}
	return inv, nil
}

// assignAddresses gives 10.77.<site>.<n> to hosts without an address; sites and
// the hosts of a site count from 1 in file order.
func (inv *Inventory) assignAddresses() {
	site := map[string]int{}
	for i, s := range inv.Sites {
		site[s.Name] = i + 1
	}
	count := map[string]int{}
	for i := range inv.Hosts {
		h := &inv.Hosts[i]
		count[h.Site]++
		if h.Address == "" {
			h.Address = fmt.Sprintf("10.77.%d.%d", site[h.Site], count[h.Site])
		}
	}
}

// AssignAddresses6 gives the hosts of a lab file that have an IPv4 address alone
// the IPv6 address that the lab gives them. Real hosts have what their file says.
func (inv *Inventory) AssignAddresses6() {
	for i := range inv.Hosts {
		h := &inv.Hosts[i]
		if addr, err := netip.ParseAddr(h.Address); err == nil && addr.Is4() && h.Address6 == "" {
			b := addr.As4()
			h.Address6 = fmt.Sprintf("fd77::%x:%x", b[2], b[3])
		}
	}
}

// checkLab checks what needs the decoded file: selectors of services that pick
// nobody, ${…} that mean nothing, addresses that two hosts have.
func (inv *Inventory) checkLab(doc *strict.Document) error {
	taken := map[string]string{}
	for i, h := range inv.Hosts {
		at := doc.Root.Get("hosts").List()[i]
		if _, err := netip.ParseAddr(h.Address); err != nil {
			doc.Add(at.Get("address"), "write it like 10.77.1.1", "%q is not an address", h.Address)
		}
		if addr, err := netip.ParseAddr(h.Address6); h.Address6 != "" && (err != nil || !addr.Is6()) {
			doc.Add(at.Get("address6"), "write it like fd77::1:1", "%q is not an IPv6 address", h.Address6)
		}
		for _, address := range h.Addresses() {
			if other, ok := taken[address]; ok {
				doc.Add(at, "give it another address", "host %s has the address %s of host %s", h.Name, address, other)
			}
			taken[address] = h.Name
		}
	}
	for i, s := range inv.Services {
		at := doc.Root.Get("services").List()[i]
		if len(inv.match(s.Hosts)) == 0 {
			doc.Add(at.Get("hosts"), "name hosts, roles or domains of this file", "service %s runs on no host", s.Name)
		}
		inv.checkTexts(doc, at.Get("args").List())
		for _, f := range at.Get("files").List() {
			inv.checkTexts(doc, []*strict.Node{f.Get("path"), f.Get("content")})
		}
	}
	for _, s := range doc.Root.Get("runbook").List() {
		inv.checkTexts(doc, s.Get("args").List())
	}
	return doc.Err()
}

func (inv *Inventory) checkTexts(doc *strict.Document, texts []*strict.Node) {
	for _, n := range texts {
		text, _ := n.Text()
		if _, err := inv.Expand(text, inv.Hosts[0]); err != nil {
			doc.Add(n, "known: ${host}, ${ip}, ${site}, ${ip.HOST} and the file's variables", "%v", err)
		}
	}
}
