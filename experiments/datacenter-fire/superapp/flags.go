package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"strings"
)

// A site is one store: its name and the NATS servers that carry it.
type site struct {
	name    string
	servers []string // host:port
}

// company is what every role is told about the company.
type company struct {
	name  string // the host this role runs on
	site  string // the site it stands in
	data  string // folder on the host's own disk
	etcd  list
	sites sites
}

// bind declares the flags that all roles share.
func (c *company) bind(f *flag.FlagSet) {
	f.StringVar(&c.name, "name", "", "name of this host")
	f.StringVar(&c.site, "site", "", "site this host stands in")
	f.StringVar(&c.data, "data", "", "folder for what must survive a restart")
	f.Var(&c.etcd, "etcd", "etcd endpoints, comma separated")
	f.Var(&c.sites, "store", "a store and its servers: name=host,host (may be repeated)")
}

// list is a comma-separated flag.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(v string) error { *l = append(*l, strings.Split(v, ",")...); return nil }

// sites is the repeated --store flag.
type sites []site

func (s *sites) String() string { return fmt.Sprint(*s) }

// Set reads name=host,host; a host without a port has NATS's 4222.
func (s *sites) Set(v string) error {
	name, hosts, ok := strings.Cut(v, "=")
	if !ok || name == "" || hosts == "" {
		return errors.New("write it as name=host,host")
	}
	one := site{name: name}
	for _, h := range strings.Split(hosts, ",") {
		if _, _, err := net.SplitHostPort(h); err != nil {
			h = net.JoinHostPort(h, "4222")
		}
		one.servers = append(one.servers, h)
	}
	*s = append(*s, one)
	return nil
}

// named returns the site of that name.
func (s sites) named(name string) (site, bool) {
	for _, one := range s {
		if one.name == name {
			return one, true
		}
	}
	return site{}, false
}

// all says which of the names is no store's.
func (s sites) all(names ...string) error {
	for _, name := range names {
		if _, ok := s.named(name); !ok {
			return fmt.Errorf("%q names no --store", name)
		}
	}
	return nil
}

// standby returns the first store that is not the active one.
func (s sites) standby(active string) (site, bool) {
	for _, one := range s {
		if one.name != active {
			return one, true
		}
	}
	return site{}, false
}
