package powerloss

import (
	"context"
	"errors"
	"fmt"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/connection"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystem"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
	"github.com/firedrill-io/firedrill/plugins/internal/unit"
)

// workloadMode is the mode for services of a real host, which itself runs on. The
// host is cut off from the network but for the control connection and sshd, the
// services are frozen, their file systems are cut off from their disks, and all of
// it is held like that. When the power comes back, the services' connections and
// processes are ended while the host is still dark, the file systems are unmounted
// and mounted again, and the services are started. Without file systems it is no
// power loss, as what was not synced stays in memory: it says so and calls itself
// workload-stop.
type workloadMode struct {
	network *traffic.Injector
	passed  func(phase string) // see Plugin
}

// WorkloadParams say what of a real host loses its power.
type WorkloadParams struct {
	Services    []string `json:"services,omitempty" jsonschema:"minItems=1,description=Mode workload: services of the host that lose their power; those that systemd runs are started again"`
	Groups      []string `json:"groups,omitempty" jsonschema:"minItems=1,description=Mode workload: control groups that lose their power\\, as paths below the hierarchy (/svc/notes)"`
	FileSystems []string `json:"file_systems,omitempty" jsonschema:"minItems=1,description=Mode workload: file systems of theirs whose unsynced data is lost: mount points or devices\\, ext4 or xfs. Without any it is a stop of the services and no loss of power"`
}

// none refuses them for a mode that takes the whole host.
func (p WorkloadParams) none(m Mode) error {
	for field, given := range map[string][]string{"services": p.Services, "groups": p.Groups, "file_systems": p.FileSystems} {
		if len(given) > 0 {
			return fault.Refuse(field, "belongs to mode workload; mode %s takes the whole host", m)
		}
	}
	return nil
}

// workload is the part of the change record.
type workload struct {
	Groups      []group.Freezer      `json:"groups"`
	Units       unit.Units           `json:"units,omitempty"` // held down meanwhile
	FileSystems []filesystem.Mounted `json:"file_systems,omitempty"`
	Network     traffic.Change       `json:"network"`
}

type workloadChange struct {
	Workload *workload `json:"workload,omitempty"`
}

func (workloadMode) describe() fault.Mode {
	return fault.Mode{HostStays: true, ConflictKeys: []string{"freezer", "file-system-freeze", "file-system-space"}}
}

func (m workloadMode) prepare(ctx context.Context, t fault.Target, p Params, c *Change) (err error) {
	w := &workload{}
	if w.Groups, err = findGroups(t, p); err != nil {
		return err
	}
	for _, f := range w.Groups {
		units, err := unit.Of(f.Group)
		if err != nil {
			return err
		}
		w.Units = append(w.Units, units...)
	}
	if w.Units.Held() {
		return fault.Refuse("services", "another fault holds %s down already; end that first", w.Units)
	}
	if err := w.findFileSystems(t, p); err != nil {
		return err
	}
	if err := connection.Probe(); err != nil {
		return err
	}
	everybody := traffic.Selection{To: []string{"0.0.0.0/0", "::/0"}}
	if w.Network, err = m.network.Prepare(ctx, t, everybody, traffic.Action{}); err != nil {
		return named(err, "", "the host's network")
	}
	c.Workload = w
	return nil
}

// named gives a refusal the field in which the parameter stands here.
func named(err error, field, what string) error {
	var r *fault.RefusedError
	if errors.As(err, &r) {
		return fault.Refuse(field, "%s: %s", what, r.Reason)
	}
	return err
}

func findGroups(t fault.Target, p Params) (all []group.Freezer, err error) {
	if len(p.Services)+len(p.Groups) == 0 {
		return nil, fault.Refuse("services", "neither services nor groups are given; name those that lose their power (a host of the lab loses it through a power controller: give its agent one with --power)")
	}
	add := func(field, service, path string) error {
		f, err := group.FindFreezer(scope.Scope{Service: service, Group: path})
		if err == nil {
			err = canLose(t, f)
		}
		all = append(all, f)
		return named(err, field, service+path)
	}
	for i, s := range p.Services {
		if err := add(fmt.Sprintf("services[%d]", i), s, ""); err != nil {
			return nil, err
		}
	}
	for i, g := range p.Groups {
		if err := add(fmt.Sprintf("groups[%d]", i), "", g); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// canLose refuses a group that has no power to lose.
func canLose(t fault.Target, f group.Freezer) error {
	asked, err := f.Asked(t)
	if err != nil {
		return err
	}
	stopped, err := f.Frozen()
	if err != nil {
		return fmt.Errorf("read freezer of %s: %w", f.Group.Path, err)
	}
	pids, err := f.Group.Processes()
	switch {
	case err != nil:
		return err
	case asked || stopped:
		return fault.Refuse("", "somebody stopped it, or a group above it, already; let it go on first")
	case len(pids) == 0:
		return fault.Refuse("", "no process runs in it; start it first")
	}
	return nil
}

// findFileSystems refuses what carries more than the groups' own data.
func (w *workload) findFileSystems(t fault.Target, p Params) error {
	for i, path := range p.FileSystems {
		field := fmt.Sprintf("file_systems[%d]", i)
		f, err := filesystem.FindMounted(field, path, t)
		if err != nil {
			return err
		}
		if err := f.CanShut(field); err != nil {
			return err
		}
		holder, err := f.Holder(w.members)
		if err != nil {
			return err
		}
		if holder != "" {
			return fault.Refuse(field, "%s is also used by %s which is in none of the groups; end it, or name its group too", f.Mount, holder)
		}
		w.FileSystems = append(w.FileSystems, f)
	}
	return nil
}

// members are the processes of the groups.
func (w *workload) members() (map[int]bool, error) {
	members := map[int]bool{}
	for _, f := range w.Groups {
		pids, err := f.Group.Processes()
		if err != nil {
			return nil, err
		}
		for _, pid := range pids {
			members[pid] = true
		}
	}
	return members, nil
}

// called is the name for reports: only what loses unsynced data is a loss of power.
func (w *workload) called() string {
	if len(w.FileSystems) == 0 {
		return "workload-stop"
	}
	return fmt.Sprintf("%s (%s)", Kind, ModeWorkload)
}
