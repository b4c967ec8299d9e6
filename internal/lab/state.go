package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/firedrill-io/firedrill/internal/durable"
	"github.com/firedrill-io/firedrill/internal/proc"
)

// base holds one folder a lab. It lies in /run, so that a restart of the
// machine, which ends every lab, forgets them too.
const base = "/run/firedrill/labs"

// State is what has to be known to remove a lab when all its processes are
// gone. It is on disk before the first object is made.
type State struct {
	ID         string   `json:"id"`
	Dir        string   `json:"dir"`
	UID        int      `json:"uid"`        // who raised it, SUDO_UID counts
	Owner      process  `json:"owner"`      // a standing lab's is its supervisor
	Standing   bool     `json:"standing"`   // stays until it is taken down
	Supervisor process  `json:"supervisor"` // zero until it runs
	Power      process  `json:"power"`      // zero until it runs; the fabric's namespace is its own
	Groups     []string `json:"groups"`     // the lab's group in every hierarchy, the v2 one first
	Freezers   []string `json:"freezers"`   // those of a v1 freezer
	Scope      string   `json:"scope"`      // above the v2 group where systemd rules; goes when it is empty
	Images     string   `json:"images"`     // prefix of the loop devices' backing files
	Hosts      []string `json:"hosts"`
}

// gone says whether the process has ended for certain: one that cannot be read
// counts as living, because what belongs to the dead is removed.
func (p process) gone() bool {
	start, err := proc.StartTime(p.PID)
	return errors.Is(err, proc.ErrGone) || err == nil && start != p.Start
}

func self() (process, error) {
	start, err := proc.StartTime(os.Getpid())
	return process{PID: os.Getpid(), Start: start}, err
}

func (s State) path() string { return filepath.Join(s.Dir, "lab.json") }

func (s State) write() error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode state of lab %s: %w", s.ID, err)
	}
	return durable.WriteFile(s.path(), b, 0o600)
}

func readState(dir string) (State, error) {
	var s State
	b, err := os.ReadFile(filepath.Join(dir, "lab.json"))
	if err != nil {
		return s, fmt.Errorf("read state of lab: %w", err)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("decode %s: %w", filepath.Join(dir, "lab.json"), err)
	}
	// What is removed later is computed from these: a file that lies elsewhere is not ours.
	if s.Dir != dir || s.ID != filepath.Base(dir) {
		return s, fmt.Errorf("read state of lab: %s speaks of another folder, %s", filepath.Join(dir, "lab.json"), s.Dir)
	}
	return s, nil
}

// states reads all labs of this machine; folders without a state file are left
// out. A file that cannot be read does not hide the others.
func states() ([]State, error) {
	entries, err := os.ReadDir(base)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list labs: %w", err)
	}
	var all []State
	var errs []error
	for _, e := range entries {
		s, err := readState(filepath.Join(base, e.Name()))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			errs = append(errs, err)
		default:
			all = append(all, s)
		}
	}
	return all, errors.Join(errs...)
}

func user() int {
	if uid := os.Getenv("SUDO_UID"); uid != "" {
		var n int
		if _, err := fmt.Sscanf(uid, "%d", &n); err == nil {
			return n
		}
	}
	return os.Getuid()
}
