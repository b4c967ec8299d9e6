package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/injector/internal/load"
	"github.com/firedrill-io/firedrill/plugins"
)

// fireVariants are the experiments beside the fire's own.
func fireVariants(t *testing.T) map[string]*load.Loaded {
	t.Helper()
	infos, err := plugins.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*load.Loaded{}
	for _, name := range []string{"second-dip", "thin-link", "drained", "own-data-centre"} {
		path := filepath.Join(fire, name+".yaml")
		if found[name], err = load.Load(load.Options{Path: path, Faults: infos}); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	return found
}

// Every variant can be planned, says beforehand how each layout ends and why,
// and takes power from Pangyo alone.
func TestFireVariants(t *testing.T) {
	for name, v := range fireVariants(t) {
		for layout, l := range v.Experiment.Layouts {
			if l.Predict.Verdict == "" || l.Predict.Reason == "" {
				t.Errorf("%s, layout %s: no prediction with a reason", name, layout)
			}
		}
		for _, s := range v.Experiment.Stages {
			if s.Source == "" && !strings.HasPrefix(s.Note, "Ours.") {
				t.Errorf("%s, stage %s: neither a source nor a note that it is ours", name, s.Stage)
			}
		}
		for _, l := range v.Layouts {
			for _, i := range l.Plan.Injections {
				if i.Kind != "powerloss" || !strings.HasPrefix(i.Host, "p") {
					t.Errorf("%s, layout %s: %s on %s, want powerloss in Pangyo only", name, l.Name, i.Kind, i.Host)
				}
			}
		}
	}
}

// The second dip is a loss of its own: every host of Pangyo is cut twice.
func TestSecondDipCutsTwice(t *testing.T) {
	for _, l := range fireVariants(t)["second-dip"].Layouts {
		cuts := map[string]int{}
		for _, i := range l.Plan.Injections {
			cuts[i.Host]++
		}
		for n := 1; n <= 10; n++ {
			if host := fmt.Sprintf("p%d", n); cuts[host] != 2 {
				t.Errorf("%s: %s is cut %d times, want 2", l.Name, host, cuts[host])
			}
		}
	}
}

// The company in its own data centre is the company as it was, part by part, so
// what it does better is what the building does.
func TestOwnDataCentreHasTheSameCompany(t *testing.T) {
	was, own := parts(loadFire(t), "as-it-was"), parts(fireVariants(t)["own-data-centre"], "own-data-centre")
	for name, is := range was {
		if own[name] != is {
			t.Errorf("service %s differs:\n%s\n%s", name, is, own[name])
		}
	}
	if len(own) != len(was) || len(was) == 0 {
		t.Errorf("%d services, want %d", len(own), len(was))
	}
}

// The two thin lines differ in nothing but the tools' share.
func TestThinLinesDifferInTheReserveAlone(t *testing.T) {
	infos, err := plugins.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	one := fireVariants(t)["thin-link"]
	other, err := load.Load(load.Options{Path: filepath.Join(fire, "thin-link.yaml"), Variables: map[string]string{"line": "shared"}, Faults: infos})
	if err != nil {
		t.Fatal(err)
	}
	shared, reserved := other.Layouts[0].Inventory, one.Layouts[0].Inventory
	if fmt.Sprint(parts(other, "thin-link")) != fmt.Sprint(parts(one, "thin-link")) || fmt.Sprint(shared.Hosts) != fmt.Sprint(reserved.Hosts) {
		t.Error("services or hosts differ")
	}
	if len(shared.Links) != 1 || len(shared.Links[0].Reserve) != 0 || len(reserved.Links[0].Reserve) != 1 {
		t.Errorf("links %+v and %+v, want a reserve in the second alone", shared.Links, reserved.Links)
	}
	for _, s := range []string{"etcd", "controller"} {
		for _, h := range reserved.ServiceHosts(s) {
			if !slices.Contains(h.Roles, "tools") {
				t.Errorf("%s runs %s without the role tools", h.Name, s)
			}
		}
	}
}

// parts is what each service of a layout is: its program, files and hosts.
func parts(l *load.Loaded, layout string) map[string]string {
	found := map[string]string{}
	at := slices.IndexFunc(l.Layouts, func(l load.Layout) bool { return l.Name == layout })
	for _, s := range l.Layouts[at].Inventory.Services {
		var hosts []string
		for _, h := range l.Layouts[at].Inventory.ServiceHosts(s.Name) {
			hosts = append(hosts, h.Name)
		}
		found[s.Name] = fmt.Sprint(s.Exec, s.Args, s.Files, hosts)
	}
	return found
}
