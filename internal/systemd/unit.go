package systemd

import (
	"context"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// Unit is what the manager says of a unit, org.freedesktop.systemd1(5).
type Unit struct {
	Name    string   // its own: an alias is resolved
	Load    string   // loaded, masked, not-found
	Active  string   // active, inactive, failed, activating, deactivating, reloading
	Sub     string   // finer, by type of unit
	Result  string   // of a service: success, or how it failed
	File    string   // that it was loaded from; "" if there is none
	DropIns []string // files that were read beside it

	MainPID    int    // of a service; 0: none
	Invocation string // another one each time it is started
	Group      string // its control group below the hierarchy; "" while there is none

	TriggeredBy []string // sockets, timers and paths that start it
	Requiring   []string // what is stopped when it is stopped
	Conflicting []string // what is stopped when it is started
	Before      []string // what waits for it at boot

	RefusesStart, RefusesStop bool // by hand
	Transient                 bool // gone with its end
	Stale                     bool // its file was changed since it was loaded
	Accepts                   bool // a socket that starts one instance a connection
	Busy                      bool // a job waits or runs

	StartLimit         int           // starts that are allowed in an interval; 0: any number
	StartLimitInterval time.Duration // the interval
}

// Running says whether something of the unit is up.
func (u Unit) Running() bool { return u.Active == "active" || u.Active == "reloading" }

// Unit reads a unit, which is loaded for it if it has a file. One that is not
// there is no error: its Load is not-found.
func (m *Manager) Unit(ctx context.Context, name string) (Unit, error) {
	p, err := m.c.GetAllPropertiesContext(ctx, name)
	if err != nil {
		return Unit{}, fmt.Errorf("read unit %s: %w", name, meaning(err))
	}
	u := Unit{
		Name: get[string](p, "Id"), Load: get[string](p, "LoadState"), Active: get[string](p, "ActiveState"), Sub: get[string](p, "SubState"),
		Result: get[string](p, "Result"), File: get[string](p, "FragmentPath"), DropIns: get[[]string](p, "DropInPaths"),
		MainPID: int(get[uint32](p, "MainPID")), Invocation: hex.EncodeToString(get[[]byte](p, "InvocationID")), Group: get[string](p, "ControlGroup"),
		TriggeredBy: get[[]string](p, "TriggeredBy"), Before: get[[]string](p, "Before"),
		RefusesStart: get[bool](p, "RefuseManualStart"), RefusesStop: get[bool](p, "RefuseManualStop"),
		Transient: get[bool](p, "Transient"), Stale: get[bool](p, "NeedDaemonReload"), Accepts: get[bool](p, "Accept"),
		StartLimit: int(get[uint32](p, "StartLimitBurst")), StartLimitInterval: time.Duration(get[uint64](p, "StartLimitIntervalUSec")) * time.Microsecond,
	}
	for _, key := range []string{"RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf", "PropagatesStopTo"} {
		u.Requiring = append(u.Requiring, get[[]string](p, key)...)
	}
	u.Conflicting = slices.Concat(get[[]string](p, "Conflicts"), get[[]string](p, "ConflictedBy"))
	if job := get[[]any](p, "Job"); len(job) > 0 {
		id, _ := job[0].(uint32)
		u.Busy = id != 0
	}
	return u, nil
}

// get is a property; the zero value if the unit has none of that type.
func get[T any](properties map[string]any, key string) T {
	v, _ := properties[key].(T)
	return v
}

// unitPath is where unit files of the host lie, systemd.unit(5).
var unitPath = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// Services lists the services that are loaded, and those that have a file.
func (m *Manager) Services(ctx context.Context) ([]string, error) {
	const pattern = "*.service"
	loaded, err := m.c.ListUnitsByPatternsContext(ctx, nil, []string{pattern})
	if err != nil {
		return nil, fmt.Errorf("list units: %w", err)
	}
	var names []string
	for _, u := range loaded {
		if u.LoadState == "loaded" {
			names = append(names, u.Name)
		}
	}
	// The manager would read each file to say whether it is enabled.
	for _, folder := range unitPath {
		files, _ := filepath.Glob(filepath.Join(folder, pattern)) // the pattern is right
		for _, f := range files {
			names = append(names, filepath.Base(f))
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// GroupOf is the control group of a unit that runs, as a path below the hierarchy;
// "" if it has none, or if there is no systemd to ask.
func GroupOf(name string) string {
	const longest = 255 // of a unit's name, systemd.unit(5)
	if !Running() || len(name) > longest {
		return ""
	}
	group := ""
	_ = with("read unit "+name, func(ctx context.Context, m *Manager) error {
		u, err := m.Unit(ctx, name)
		group = u.Group
		return err
	})
	return group
}
