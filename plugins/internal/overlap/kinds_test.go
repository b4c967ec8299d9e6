package overlap

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/firedrill-io/firedrill/internal/conformance"
	"github.com/firedrill-io/firedrill/plugins"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// params are parameters as an experiment file gives them.
type params map[string]any

// entry is how a kind takes part: with any of these parameters, or not, and why.
type entry struct {
	with []params
	not  string
	// lost says that the effect is gone with the process that applied it, and the
	// fault says so: what is observed after a restart is not checked.
	lost bool
}

// peer is a neighbour of the host under test, and everybody is all of them.
const (
	peer      = "10.77.2.1"
	everybody = "10.77.0.0/16"
)

// eth0 is the device of network faults. They say so: one that is down is not
// among those that they find by themselves.
var eth0 = []string{"eth0"}

// table has every kind of the catalogue.
var table = map[fault.Kind]entry{
	"bandwidth": {with: []params{{"rate": "10mbit", "devices": eth0, "to": []string{peer}}, {"rate": "1mbit", "devices": eth0, "to": []string{everybody}, "direction": "in"}}},
	"clock":     {with: []params{{"executable": demoFile, "shift": "-1h"}}},
	"corrupt":   {with: []params{{"percent": "10%", "devices": eth0, "to": []string{peer}}}},
	"cpu":       {with: []params{{"quota": "20%", "service": service}}},
	"delay":     {with: []params{{"latency": "50ms", "devices": eth0, "to": []string{peer}}, {"latency": "5ms", "devices": eth0, "to": []string{everybody}, "direction": "out"}}, lost: !netem},
	"diskfill":  {with: []params{{"path": "/data", "leave": "10%"}}},
	"diskstall": {with: []params{{"path": "/data"}}},
	"dns":       {with: []params{{"mode": "nxdomain", "devices": eth0}, {"mode": "drop", "names": []string{"db.example.com"}, "devices": eth0}}},
	"duplicate": {with: []params{{"percent": "10%", "devices": eth0, "to": []string{everybody}}}},
	"files":     {with: []params{{"which": "inodes", "leave": 64_000, "path": "/data"}, {"which": "descriptors", "leave": 8, "service": service}}},
	"io":        {with: []params{{"device": "/data", "write": "1MiB/s", "service": service}}},
	"kill":      {with: []params{{"executable": victimFile}}},
	"linkdown":  {with: []params{{"device": eth0[0]}}},
	"loss":      {with: []params{{"percent": "10%", "devices": eth0, "to": []string{peer}}, {"percent": "1%", "devices": eth0, "to": []string{everybody}, "direction": "out"}}},
	"memory":    {with: []params{{"limit": "256MiB", "service": service}}},
	"partition": {with: []params{{"devices": eth0, "to": []string{peer}}, {"devices": eth0, "to": []string{everybody}, "protocol": "udp"}}},
	"pause":     {with: []params{{"service": service}}},
	"pids":      {with: []params{{"limit": 50, "service": service}}},
	"powerloss": {not: "a host without power has no other faults: it ends them, which the agent's tests try"},
	"reset":     {with: []params{{"ports": []string{port}}}},
	"service":   {not: "a lab host has no service manager; its own tests have one"},
}

// candidate is one injection that may be drawn.
type candidate struct {
	name   string     // of kind and parameters
	info   fault.Info // for these parameters
	params params
	lost   bool
}

// conflicts says that the plan refuses both at a time.
func (c candidate) conflicts(o candidate) bool { return len(c.info.Conflicts(o.info)) > 0 }

// subject is how the plugin is run: as hostagent does, or by this test itself.
func (c candidate) subject() conformance.Subject {
	if _, ok := table[c.info.Kind]; !ok {
		return faulttest.Subject(c.info)
	}
	return conformance.Subject{Info: c.info, Path: agentFile, Args: []string{"plugin", string(c.info.Kind)}}
}

func raw(t *testing.T, p params) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// candidates are all of the catalogue.
func candidates(t *testing.T) (all []candidate) {
	t.Helper()
	infos, err := plugins.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range slices.Sorted(maps.Keys(infos)) {
		e := table[kind]
		if (len(e.with) == 0) == (e.not == "") {
			t.Errorf("%s: give parameters with which it overlaps others, or the reason why it can't, in the table of kinds_test.go", kind)
		}
		for i, p := range e.with {
			all = append(all, candidate{fmt.Sprintf("%s-%d", kind, i+1), infos[kind].In(raw(t, p)), p, e.lost})
		}
	}
	return all
}
