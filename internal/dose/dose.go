// Package dose is how a measured dose gets from the test that measured it to the
// page that shows it: the effect tests of the faults write measurements into the
// output of go test, make measure collects them in a file of runs, and the
// generator of docs/faults.md makes a table of that.
package dose

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
)

// Key is the key of the test attribute (testing.TB.Attr) whose value is one
// Measurement as JSON.
const Key = "measured"

// File is where the runs are kept, from the top of the repository.
const File = "docs/results/faults.json"

// Measurement is what one fault did, as an independent meter saw it.
type Measurement struct {
	Fault    string  `json:"fault"` // the kind
	What     string  `json:"what"`  // what was asked of whom, and by which way, in words
	Asked    float64 `json:"asked"`
	Achieved float64 `json:"achieved"`
	Unit     string  `json:"unit"`
	// Within is how far achieved may be from asked, in Unit.
	Within float64 `json:"within"`
	// Reverted says that the host was compared with what it was before, after the
	// revert, and was the same.
	Reverted bool `json:"reverted"`
	// Environment is where it was measured; in a Run it stands there.
	Environment Environment `json:"environment,omitzero"`
}

// Accurate says that achieved is as near to asked as it may be.
func (m Measurement) Accurate() bool { return math.Abs(m.Achieved-m.Asked) <= m.Within }

// Environment is what a machine has of that by which faults differ.
type Environment struct {
	Cgroup string `json:"cgroup"` // v1, v2, hybrid (controllers in v1, a v2 without them beside it) or none
	Netem  bool   `json:"netem"`
	Kernel string `json:"kernel"` // as uname(2) tells it
}

// same says that measurements in one replace those in the other.
func (e Environment) same(o Environment) bool { return e.Cgroup == o.Cgroup && e.Netem == o.Netem }

// Run is all that was measured in one environment.
type Run struct {
	Environment  Environment   `json:"environment"`
	Commit       string        `json:"commit"`
	Command      string        `json:"command"`
	LoadBefore   string        `json:"load_before"` // load averages of the machine that ran the command
	LoadAfter    string        `json:"load_after"`
	Measurements []Measurement `json:"measurements"`
}

// Collect makes runs of measurements, one for each environment, with the rest of
// each as in about.
func Collect(all []Measurement, about Run) (runs []Run) {
	for _, m := range all {
		i := slices.IndexFunc(runs, func(r Run) bool { return r.Environment.same(m.Environment) })
		if i < 0 {
			i = len(runs)
			r := about
			r.Environment, r.Measurements = m.Environment, nil
			runs = append(runs, r)
		}
		m.Environment = Environment{}
		runs[i].Measurements = append(runs[i].Measurements, m)
	}
	return runs
}

// Merge returns old with each environment that is in fresh replaced, in a fixed order.
func Merge(old, fresh []Run) []Run {
	kept := slices.DeleteFunc(slices.Clone(old), func(o Run) bool {
		return slices.ContainsFunc(fresh, func(f Run) bool { return o.Environment.same(f.Environment) })
	})
	runs := append(kept, fresh...)
	slices.SortFunc(runs, func(a, b Run) int { return cmp.Compare(a.Environment.Cgroup, b.Environment.Cgroup) })
	for _, r := range runs {
		slices.SortStableFunc(r.Measurements, func(a, b Measurement) int { return cmp.Compare(a.Fault, b.Fault) })
	}
	return runs
}

// Read reads a file of runs; one that is not there holds none.
func Read(path string) (runs []Run, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read measurements: %w", err)
	}
	if err := json.Unmarshal(b, &runs); err != nil {
		return nil, fmt.Errorf("read measurements of %s: %w", path, err)
	}
	return runs, nil
}
