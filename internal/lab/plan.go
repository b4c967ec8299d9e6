package lab

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/firedrill-io/firedrill/internal/inventory"
)

// lay turns an inventory into what the roles are told. It makes nothing.
func lay(cfg Config, id, dir string) (labSpec, error) {
	inv := cfg.Inventory
	inv.Variables = maps.Clone(inv.Variables)
	inv.Hosts = slices.Clone(inv.Hosts)
	inv.AssignAddresses6()
	for name, value := range cfg.Variables {
		if v, ok := inv.Variables[name]; ok {
			v.Value = value
			inv.Variables[name] = v
		}
	}
	spec := labSpec{ID: id, Dir: dir, RunDir: cfg.Dir, Services: cfg.Services, HostAgent: cfg.HostAgent, Plugins: cfg.Plugins, Standing: cfg.Standing}
	if spec.RunDir == "" {
		spec.RunDir = filepath.Join(dir, "run")
	}
	if len(inv.Hosts) == 0 {
		return spec, fmt.Errorf("lay out lab: inventory %s has no host", inv.Name)
	}
	racks := map[string]int{}
	for i, h := range inv.Hosts {
		site := slices.IndexFunc(inv.Sites, func(s inventory.Site) bool { return s.Name == h.Site })
		if site < 0 {
			return spec, fmt.Errorf("lay out lab: host %s: inventory %s has no site %q", h.Name, inv.Name, h.Site)
		}
		name := rackName(h)
		rack, ok := racks[name]
		if !ok {
			rack = len(spec.Racks)
			racks[name] = rack
			spec.Racks = append(spec.Racks, rackSpec{Name: name, Site: site, Clients: h.Site == inventory.Internet})
		}
		spec.Racks[rack].Hosts = append(spec.Racks[rack].Hosts, h.Name)
		host, err := layHost(cfg, inv, h, i+1, rack)
		if err != nil {
			return spec, err
		}
		spec.Hosts = append(spec.Hosts, host)
	}
	for _, s := range inv.Sites {
		spec.Sites = append(spec.Sites, s.Name)
	}
	spec.Lines = layLines(inv, spec.Hosts)
	return spec, nil
}

// rackName names the group and switch of a host; a host without a rack stands
// in one that carries its site's name.
func rackName(h inventory.Host) string {
	if h.Rack != "" {
		return h.Rack
	}
	return "site-" + h.Site
}

func layHost(cfg Config, inv inventory.Inventory, h inventory.Host, n, rack int) (hostSpec, error) {
	addr, err := netip.ParseAddr(h.Address)
	if err != nil || !addr.Is4() {
		return hostSpec{}, fmt.Errorf("lay out lab: host %s: %q is not an IPv4 address; leave it out to be given one", h.Name, h.Address)
	}
	if !strings.HasPrefix(h.Address6, "fd77::") {
		return hostSpec{}, fmt.Errorf("lay out lab: host %s: %s is not in fd77::/64, the lab's network; leave it out to be given one", h.Name, h.Address6)
	}
	b := addr.As4()
	host := hostSpec{
		Name: h.Name, Number: n, Rack: rack, Address: h.Address, Address6: h.Address6,
		MAC: net.HardwareAddr{0x02, 0xfd, b[0], b[1], b[2], b[3]}.String(),
	}
	if cfg.Services == "" {
		return host, nil
	}
	for _, s := range inv.Services {
		on, err := inv.Select(s.Hosts, 0)
		if err != nil {
			return host, fmt.Errorf("lay out lab: service %s: %w", s.Name, err)
		}
		if !slices.ContainsFunc(on, func(o inventory.Host) bool { return o.Name == h.Name }) {
			continue
		}
		service, err := layService(inv, s, h)
		if err != nil {
			return host, fmt.Errorf("lay out lab: service %s on %s: %w", s.Name, h.Name, err)
		}
		host.Services = append(host.Services, service)
	}
	return host, nil
}

func layService(inv inventory.Inventory, s inventory.Service, h inventory.Host) (serviceSpec, error) {
	if s.Exec == "" || strings.Contains(s.Exec, "/") {
		return serviceSpec{}, fmt.Errorf("exec %q: give the bare name of a program in the services folder", s.Exec)
	}
	out := serviceSpec{Name: s.Name, Path: filepath.Join(HostServices, s.Exec)}
	for _, a := range s.Args {
		text, err := inv.Expand(a, h)
		if err != nil {
			return out, err
		}
		out.Args = append(out.Args, text)
	}
	for _, f := range s.Files {
		path, err := inv.Expand(f.Path, h)
		if err != nil {
			return out, err
		}
		content, err := inv.Expand(f.Content, h)
		if err != nil {
			return out, err
		}
		out.Files = append(out.Files, inventory.File{Path: path, Content: content})
	}
	return out, nil
}

// hostsTable is the /etc/hosts of all hosts.
func hostsTable(spec labSpec) string {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n::1 localhost\n")
	for _, h := range spec.Hosts {
		fmt.Fprintf(&b, "%s %s\n%s %s\n", h.Address, h.Name, h.Address6, h.Name)
	}
	return b.String()
}
