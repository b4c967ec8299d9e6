package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// drill is what the pages about whole runs need of a report.json, and of the run
// log beside it.
type drill struct {
	ID          string            `json:"id"`
	Command     string            `json:"command"`
	Outcome     string            `json:"outcome"`
	HostState   string            `json:"host_state"`
	AsPredicted bool              `json:"as_predicted"`
	Versions    map[string]string `json:"versions"`
	Variables   map[string]any    `json:"variables"`
	Started     time.Time         `json:"started"`
	Ended       time.Time         `json:"ended"`
	Layouts     []layout          `json:"layouts"`
}

type layout struct {
	Name      string       `json:"name"`
	Verdict   string       `json:"verdict"`
	HostState string       `json:"host_state"`
	Failed    []string     `json:"failed"`
	Reasons   []string     `json:"reasons"`
	Probes    []probe      `json:"probes"`
	Ledgers   []ledger     `json:"ledgers"`
	Loads     []load       `json:"loads"`
	Late      [][2]float64 `json:"late"` // from, to, in seconds of wall time
	Stages    []stage      `json:"stages"`
	start     start
}

// start is when a layout was raised, from the run log; zero without one.
type start struct{ began, up, steady, ended time.Time }

type stage struct {
	Name  string   `json:"name"`
	WallS float64  `json:"wall_s"`
	Hosts []string `json:"hosts"`
}

type probe struct {
	Name         string   `json:"name"`
	Availability float64  `json:"availability"`
	P99MS        float64  `json:"p99_ms"`
	LateS        float64  `json:"late_s"`
	Outages      []outage `json:"outages"`
}

type outage struct {
	FromIncidentS  float64  `json:"from_incident_s"`
	FromWallS      float64  `json:"from_wall_s"`
	ToWallS        *float64 `json:"to_wall_s"`
	GatedIncidentS float64  `json:"gated_incident_s"`
	Gate           string   `json:"gate"`
	OwnWallS       *float64 `json:"own_wall_s"`
}

type ledger struct {
	Name         string `json:"name"`
	Acknowledged int    `json:"acknowledged"`
	Missing      int    `json:"missing"`
	Elsewhere    int    `json:"elsewhere"`
	Lost         int    `json:"lost"`
	Duplicated   int    `json:"duplicated"`
	Unknown      int    `json:"unknown"`
}

type load struct {
	Name      string  `json:"name"`
	Requests  int     `json:"requests"`
	Answered  int     `json:"answered"`
	MostMoved int     `json:"most_moved"`
	P99MS     float64 `json:"p99_ms"`
}

// layout is the one of a name; nil: the run has none.
func (d *drill) layout(name string) *layout {
	i := slices.IndexFunc(d.Layouts, func(l layout) bool { return l.Name == name })
	if i < 0 {
		return nil
	}
	return &d.Layouts[i]
}

// in is the layout of a name; an empty one if the run has none.
func (d *drill) in(name string) *layout {
	if l := d.layout(name); l != nil {
		return l
	}
	return &layout{Name: name}
}

// longest is the probe's longest outage, an open one before all; false: it had none.
func (p probe) longest() (outage, bool) {
	if len(p.Outages) == 0 {
		return outage{}, false
	}
	return slices.MaxFunc(p.Outages, func(a, b outage) int { return cmp.Compare(a.wall(), b.wall()) }), true
}

// wall is how long the outage was, in seconds of wall time.
func (o outage) wall() float64 {
	if o.ToWallS == nil {
		return math.Inf(1)
	}
	return *o.ToWallS - o.FromWallS
}

// drills reads report.json files, or folders that hold some, in the order in
// which the runs began.
func drills(paths []string) ([]drill, error) {
	var all []drill
	for _, root := range paths {
		err := filepath.WalkDir(root, func(path string, f fs.DirEntry, err error) error {
			if err != nil || f.IsDir() || path != root && f.Name() != "report.json" {
				return err
			}
			d, err := readDrill(path)
			all = append(all, d)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read runs: %w", err)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("read runs: no report.json found; give report.json files, or a folder that holds some")
	}
	slices.SortFunc(all, func(a, b drill) int { return a.Started.Compare(b.Started) })
	return all, nil
}

func readDrill(path string) (d drill, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return d, fmt.Errorf("read %s: %w", path, err)
	}
	err = d.readLog(filepath.Join(filepath.Dir(path), "events.jsonl"))
	return d, err
}

// readLog takes the times of the start from the run log, if there is one.
func (d *drill) readLog(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	scan := bufio.NewScanner(f)
	scan.Buffer(nil, 16<<20)
	for scan.Scan() {
		var e struct {
			Wall   time.Time `json:"wall"`
			Type   string    `json:"type"`
			Layout string    `json:"layout"`
		}
		if err := json.Unmarshal(scan.Bytes(), &e); err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		if l := d.layout(e.Layout); l != nil {
			l.start.note(e.Type, e.Wall)
		}
	}
	return scan.Err()
}

// note keeps the first time of each event.
func (s *start) note(event string, at time.Time) {
	kept := map[string]*time.Time{"layout-started": &s.began, "lab-up": &s.up, "hypothesis-held": &s.steady, "layout-ended": &s.ended}[event]
	if kept != nil && kept.IsZero() {
		*kept = at
	}
}

// variable is a variable's value as text; "" if the run has none of that name.
func (d *drill) variable(name string) string {
	if v, ok := d.Variables[name]; ok {
		return fmt.Sprint(v)
	}
	return ""
}
