package inventory

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/firedrill-io/firedrill/experiments/strict"
)

// Host returns a host by name.
func (inv *Inventory) Host(name string) (Host, bool) {
	i := slices.IndexFunc(inv.Hosts, func(h Host) bool { return h.Name == name })
	if i < 0 {
		return Host{}, false
	}
	return inv.Hosts[i], true
}

// Source returns a power source by name.
func (inv *Inventory) Source(name string) (PowerSource, bool) {
	i := slices.IndexFunc(inv.Power, func(p PowerSource) bool { return p.Name == name })
	if i < 0 {
		return PowerSource{}, false
	}
	return inv.Power[i], true
}

// RackOf returns the rack of a host.
func (inv *Inventory) RackOf(h Host) (Rack, bool) {
	for _, s := range inv.Sites {
		for _, r := range s.Racks {
			if r.Name == h.Rack {
				return r, true
			}
		}
	}
	return Rack{}, false
}

// Targets returns all hosts that may be a target: all but those of the site
// internet, in file order.
func (inv *Inventory) Targets() []Host {
	return slices.DeleteFunc(slices.Clone(inv.Hosts), func(h Host) bool { return h.Site == Internet })
}

// HasStep says whether the runbook has a step.
func (inv *Inventory) HasStep(name string) bool {
	return slices.ContainsFunc(inv.Runbook, func(s Step) bool { return s.Name == name })
}

// names lists the inventory's names of one kind, as in a selector.
func (inv *Inventory) names(kind string) (out []string) {
	switch kind {
	case "host":
		for _, h := range inv.Hosts {
			out = append(out, h.Name)
		}
	case "power source":
		for _, p := range inv.Power {
			out = append(out, p.Name)
		}
	case "role":
		for _, h := range inv.Hosts {
			out = append(out, h.Roles...)
		}
	case "service":
		for _, s := range inv.Services {
			out = append(out, s.Name)
		}
	}
	for _, s := range inv.Sites {
		switch kind {
		case "site":
			out = append(out, s.Name)
		case "room":
			for _, r := range s.Rooms {
				out = append(out, r.Name)
			}
		case "rack":
			for _, r := range s.Racks {
				out = append(out, r.Name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// CheckSelector returns an error for a name that the inventory does not have:
// a misspelt name must not silently shrink a target.
func (inv *Inventory) CheckSelector(sel Selector) error {
	for _, f := range []struct {
		kind string
		want StringList
	}{
		{"host", sel.Hosts}, {"site", sel.Site}, {"room", sel.Room}, {"rack", sel.Rack},
		{"power source", sel.Power}, {"role", sel.Role}, {"service", sel.Service},
	} {
		known := inv.names(f.kind)
		for _, name := range f.want {
			if !slices.Contains(known, name) {
				return fmt.Errorf("selector %s: inventory %s has no %s %q (%s): %w",
					Describe(sel), inv.Name, f.kind, name, strict.Choices(name, "known "+f.kind+"s", known), ErrEmpty)
			}
		}
	}
	if sel.Except != nil {
		return inv.CheckSelector(*sel.Except)
	}
	return nil
}

// Describe writes a selector for a person: site=pangyo role=tools.
func Describe(sel Selector) string {
	var parts []string
	if sel.All {
		parts = append(parts, "all")
	}
	for _, f := range []struct {
		key  string
		want StringList
	}{
		{"hosts", sel.Hosts}, {"site", sel.Site}, {"room", sel.Room}, {"rack", sel.Rack},
		{"power", sel.Power}, {"role", sel.Role}, {"service", sel.Service},
	} {
		if len(f.want) > 0 {
			parts = append(parts, f.key+"="+strings.Join(f.want, ","))
		}
	}
	var labels []string
	for k, v := range sel.Label {
		labels = append(labels, "label."+k+"="+v)
	}
	sort.Strings(labels)
	parts = append(parts, labels...)
	if sel.Share > 0 {
		parts = append(parts, "share="+sel.Share.String())
	}
	if sel.Except != nil {
		parts = append(parts, "except("+Describe(*sel.Except)+")")
	}
	return strings.Join(parts, " ")
}

// Expand replaces ${host}, ${ip}, ${site}, ${ip.HOST} and the file's variables
// in text as it stands for host. $${ stands for ${.
func (inv *Inventory) Expand(text string, host Host) (string, error) {
	parts, err := strict.Split(text)
	if err != nil {
		return "", fmt.Errorf("expand %q: %w", text, err)
	}
	var b strings.Builder
	for _, p := range parts {
		if !p.Variable {
			b.WriteString(p.Text)
			continue
		}
		value, ok := inv.value(p.Text, host)
		if !ok {
			return "", fmt.Errorf("expand text: nothing is named ${%s}", p.Text)
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

func (inv *Inventory) value(name string, host Host) (string, bool) {
	switch name {
	case "host":
		return host.Name, true
	case "ip":
		return host.Address, true
	case "site":
		return host.Site, true
	}
	if of, ok := strings.CutPrefix(name, "ip."); ok {
		h, ok := inv.Host(of)
		return h.Address, ok
	}
	v, ok := inv.Variables[name]
	if ok && v.Value == "" {
		v.Value = v.Default // an inventory that was built in Go
	}
	return v.Value, ok
}

// Addresses are the host's addresses, IPv4 first.
func (h Host) Addresses() []string {
	return slices.DeleteFunc([]string{h.Address, h.Address6}, func(a string) bool { return a == "" })
}
