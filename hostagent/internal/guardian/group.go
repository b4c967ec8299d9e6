package guardian

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Groups are the control groups (v2) of one agent below its own: one for its
// plugins, so that they can be killed as one, one for its guardian. Each agent
// process uses fresh ones: a group that was killed once kills at birth what is
// cloned into it (seen on 6.18). Empty fields: the host gives us no groups, and
// plugins are tracked by pid.
type Groups struct {
	parent   string
	Plugins  string // absolute path
	Guardian string
}

const groupMode = 0o755

// NewGroups creates the groups of the agent called name with its state in root.
// It returns empty Groups where the v2 hierarchy is missing or not writable.
func NewGroups(name, root string) Groups {
	own, err := ownGroup()
	if err != nil {
		return Groups{}
	}
	parent := filepath.Join(own, fmt.Sprintf("firedrill-%s-%08x", name, crc32.ChecksumIEEE([]byte(root))))
	pid := strconv.Itoa(os.Getpid())
	g := Groups{parent: parent, Plugins: filepath.Join(parent, "plugins."+pid), Guardian: filepath.Join(parent, "guardian."+pid)}
	for _, dir := range []string{g.parent, g.Plugins, g.Guardian} {
		if err := os.Mkdir(dir, groupMode); err != nil && !errors.Is(err, os.ErrExist) {
			g.Remove()
			return Groups{}
		}
	}
	return g
}

// Leftover lists the plugin groups of earlier processes of this agent.
func (g Groups) Leftover() []string {
	if g.parent == "" {
		return nil
	}
	found, _ := filepath.Glob(filepath.Join(g.parent, "plugins.*")) // the pattern is well-formed
	var old []string
	for _, dir := range found {
		if dir != g.Plugins {
			old = append(old, dir)
		}
	}
	return old
}

// Remove removes the groups that are empty, also those that earlier processes left.
func (g Groups) Remove() {
	if g.parent == "" {
		return
	}
	found, _ := filepath.Glob(filepath.Join(g.parent, "*.*"))
	for _, dir := range found {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			_ = os.Remove(dir) // EBUSY: somebody is in it
		}
	}
	_ = os.Remove(g.parent)
}

// KillGroup ends everything in the group dir and waits until it is empty. A
// group that is gone is empty.
func KillGroup(ctx context.Context, dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0); err != nil {
		if _, statErr := os.Stat(dir); errors.Is(statErr, os.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("kill group: %w", err)
	}
	for {
		empty, err := groupEmpty(dir)
		if empty || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("kill group %s: still populated: %w", dir, ctx.Err())
		case <-time.After(time.Millisecond):
		}
	}
}

func groupEmpty(dir string) (bool, error) {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.events"))
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("read whether group is empty: %w", err)
	}
	return strings.Contains(string(b), "populated 0"), nil
}

func enterGroup(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0); err != nil {
		return fmt.Errorf("enter group: %w", err)
	}
	return nil
}

// ownGroup finds this process's folder in the v2 hierarchy: its path in
// /proc/self/cgroup, below a cgroup2 mount of /proc/self/mountinfo.
func ownGroup() (string, error) {
	path, err := ownGroupPath()
	if err != nil {
		return "", err
	}
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("find group: %w", err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		fields := strings.Fields(s.Text())
		sep := len(fields) - 3
		if len(fields) < 10 || fields[sep] != "cgroup2" {
			continue
		}
		root, mount := fields[3], fields[4]
		rel, below := strings.CutPrefix(path, strings.TrimSuffix(root, "/"))
		if dir := filepath.Join(mount, rel); below && holdsSelf(dir) {
			return dir, nil
		}
	}
	return "", errors.New("find group: no mount of the v2 hierarchy shows it")
}

func ownGroupPath() (string, error) {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", fmt.Errorf("find group: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return path, nil
		}
	}
	return "", errors.New("find group: no v2 hierarchy")
}

func holdsSelf(dir string) bool {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return false
	}
	self := strconv.Itoa(os.Getpid())
	for line := range strings.Lines(string(b)) {
		if strings.TrimSpace(line) == self {
			return true
		}
	}
	return false
}
