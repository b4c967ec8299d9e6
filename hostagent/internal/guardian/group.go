package guardian

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/internal/cgroup"
)

// Groups are the control groups (v2) of one agent process below its own: one
// for its plugins, so that they can be killed as one, one for its guardian.
// Each process uses fresh ones: a group that was killed once kills at birth
// what is cloned into it. Empty: the host gives us no groups, and plugins are
// tracked by pid.
type Groups struct {
	parent   string
	Plugins  string // absolute path
	Guardian string
}

// NewGroups creates the groups of the agent called name with its state in root.
// It returns empty Groups where the v2 hierarchy is missing or not writable.
func NewGroups(name, root string) Groups {
	own, err := ownGroup()
	if err != nil {
		return Groups{}
	}
	parent := filepath.Join(own, fmt.Sprintf("firedrill-%s-%08x", name, crc32.ChecksumIEEE([]byte(root))))
	g := groupsOf(parent, strconv.Itoa(os.Getpid()))
	// The guardian of the process before us may be removing the parent right now.
	for range 10 {
		if err = g.create(); err == nil {
			return g
		}
		time.Sleep(20 * time.Millisecond)
	}
	g.removeOwn()
	return Groups{}
}

// groupsOf are those of the agent process with that pid.
func groupsOf(parent, pid string) Groups {
	return Groups{parent: parent, Plugins: filepath.Join(parent, pluginsPrefix+pid), Guardian: filepath.Join(parent, guardianPrefix+pid)}
}

const pluginsPrefix, guardianPrefix = "plugins.", "guardian."

func (g Groups) create() error {
	for _, dir := range []string{g.parent, g.Plugins, g.Guardian} {
		if err := cgroup.Create(dir); err != nil {
			return err
		}
	}
	return nil
}

// removeOwn removes this agent process's groups, and the parent if no other
// process has any in it.
func (g Groups) removeOwn() {
	for _, dir := range []string{g.Plugins, g.Guardian} {
		_ = cgroup.Remove(dir, 0) // EBUSY: somebody is in it
	}
	_ = os.Remove(g.parent)
}

// ownGroup is where this process's groups may be made. The mount may show
// another part of the hierarchy than the one it is in.
func ownGroup() (string, error) {
	v2, err := cgroup.V2()
	if err != nil {
		return "", err
	}
	own, err := v2.Own()
	if err != nil {
		return "", err
	}
	pids, err := cgroup.Procs(own)
	if err == nil && !slices.Contains(pids, os.Getpid()) {
		err = errors.New("find own group: the mount does not show it")
	}
	return own, err
}

// Sweep removes what the agent process that had these plugin groups left, if it
// is empty.
func Sweep(plugins []string) {
	for _, dir := range plugins {
		Groups{parent: filepath.Dir(dir)}.Remove()
	}
}

// Leftover lists the plugin groups of earlier processes of this agent.
func (g Groups) Leftover() []string {
	return slices.DeleteFunc(g.children(pluginsPrefix+"*"), func(dir string) bool { return dir == g.Plugins })
}

func (g Groups) children(pattern string) []string {
	if g.parent == "" {
		return nil
	}
	found, _ := filepath.Glob(filepath.Join(g.parent, pattern)) // the pattern is well-formed
	return found
}

// Remove removes the groups that are empty, also those that earlier processes left.
func (g Groups) Remove() {
	for _, dir := range append(g.children(pluginsPrefix+"*"), g.children(guardianPrefix+"*")...) {
		_ = cgroup.Remove(dir, 0) // EBUSY: somebody is in it
	}
	if g.parent != "" {
		_ = os.Remove(g.parent)
	}
}

// killGroup ends everything in the group dir and waits until it is empty.
func killGroup(ctx context.Context, dir string) error {
	if err := cgroup.Kill(dir); err != nil {
		return err
	}
	limit := fenceTimeout
	if end, ok := ctx.Deadline(); ok {
		limit = time.Until(end)
	}
	return cgroup.WaitEmpty(dir, limit)
}

func enterGroup(dir string) error {
	if dir == "" {
		return nil
	}
	return cgroup.Enter(dir)
}

// leaveGroup goes back to the agent's group and removes what this agent process
// had, as its guardian is the last one that can. Those of the next process, which
// may have been made in this instant, are none of its business.
func leaveGroup(dir string) {
	if dir == "" {
		return
	}
	parent := filepath.Dir(dir)
	if cgroup.Enter(filepath.Dir(parent)) == nil {
		groupsOf(parent, strings.TrimPrefix(filepath.Base(dir), guardianPrefix)).removeOwn()
	}
}
