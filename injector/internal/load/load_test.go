package load

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

const (
	experimentFile = `experiment: x
clock: {pace: [{to: T+1m, takes: 1s}]}
seed: 1
variables: {who: {default: n1}, sync: {default: always}}
layouts: {one: {lab: one.yaml}, two: {lab: two.yaml}}
hypothesis: [{probe: p, tcp: {connect: "10.77.1.1:80"}, every: 1s, tolerance: {availability: 99%, over: 5s}}]
stages: [{stage: cut, at: T+10s, faults: [{powerloss: {}, on: {hosts: "${who}"}}]}]
`
	labFile = `inventory: one
variables: {sync: {default: never}}
sites: [{name: north, racks: [{name: r}]}]
hosts: [{name: n1, site: north, rack: r}, {name: n2, site: north, rack: r}]
`
	services = `services: [{name: web, exec: superapp, args: ["${sync}"], serves: [p], hosts: {site: north}}]
`
)

func write(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func options(dir string) Options {
	return Options{Path: dir, Faults: map[fault.Kind]fault.Info{"powerloss": {Kind: "powerloss", OutOfBand: true, Params: json.RawMessage(`{"type":"object"}`)}}}
}

// A folder means its experiment.yaml, all layouts are planned in file order, and
// the experiment's variables reach the lab files.
func TestLoad(t *testing.T) {
	o := options(write(t, map[string]string{FileName: experimentFile, "one.yaml": labFile + services, "two.yaml": labFile}))
	o.Variables = map[string]string{"sync": "2m", "who": "n2"}
	l, err := Load(o)
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Layouts) != 2 || l.Layouts[0].Name != "one" || l.Layouts[1].Plan.Injections[0].Host != "n2" {
		t.Errorf("got %+v", l.Layouts)
	}
	inv := l.Layouts[0].Inventory
	if got, err := inv.Expand(inv.Services[0].Args[0], inv.Hosts[0]); err != nil || got != "2m" {
		t.Errorf("the lab file's variable is %q, %v", got, err)
	}
	o.Layouts = []string{"two"}
	if l, err = Load(o); err != nil || len(l.Layouts) != 1 || l.Layouts[0].Name != "two" {
		t.Errorf("got %+v, %v", l, err)
	}
}

func TestLoadInvalid(t *testing.T) {
	good := map[string]string{FileName: experimentFile, "one.yaml": labFile, "two.yaml": labFile}
	for name, c := range map[string]struct {
		file, old, new string
		layouts        []string
		says           []string
	}{
		"both layouts are told": {FileName, "default: n1", "default: n9", nil, []string{"one.yaml", "two.yaml", "n9"}},
		"no such layout":        {FileName, "", "", []string{"on"}, []string{"did you mean one?"}},
		"no such lab file":      {FileName, "two.yaml", "tow.yaml", nil, []string{"tow.yaml: no such file"}},
		"broken lab file":       {"two.yaml", "site: north", "site: nroth", nil, []string{"two.yaml:4:26", "did you mean north?"}},
		"no layouts":            {FileName, "layouts: {one: {lab: one.yaml}, two: {lab: two.yaml}}\n", "", nil, []string{"has no layouts"}},
		"unknown step":          {FileName, "seed: 1", "seed: 1\nrunbook: [{at: T+5s, step: call}]", nil, []string{`no layout has a step "call"`}},
	} {
		files := map[string]string{}
		for k, v := range good {
			files[k] = v
		}
		files[c.file] = strings.Replace(files[c.file], c.old, c.new, 1)
		o := options(write(t, files))
		o.Layouts = c.layouts
		_, err := Load(o)
		var invalid *InvalidError
		if !errors.As(err, &invalid) {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		for _, say := range c.says {
			if !strings.Contains(err.Error(), say) {
				t.Errorf("%s: got %v; want %q", name, err, say)
			}
		}
	}
}

// A plan that must not be carried out is not a file that is wrong.
func TestLoadRefused(t *testing.T) {
	_, err := Load(options(write(t, map[string]string{
		FileName: experimentFile + "limits: {sites: [south]}\n", "one.yaml": labFile, "two.yaml": labFile,
	})))
	var invalid *InvalidError
	if !errors.Is(err, plan.ErrRefused) || errors.As(err, &invalid) {
		t.Errorf("got %v", err)
	}
}

func TestInventoryOfRealHosts(t *testing.T) {
	dir := write(t, map[string]string{FileName: experimentFile, "real.yaml": labFile, "lab.yaml": labFile + services})
	o := options(dir)
	o.Inventory = filepath.Join(dir, "real.yaml")
	if l, err := Load(o); err != nil || len(l.Layouts) != 1 || l.Layouts[0].Name != "" {
		t.Errorf("got %+v, %v", l, err)
	}
	o.Inventory = filepath.Join(dir, "lab.yaml")
	if _, err := Load(o); err == nil || !strings.Contains(err.Error(), "an inventory of real hosts has none") {
		t.Errorf("got %v", err)
	}
}
