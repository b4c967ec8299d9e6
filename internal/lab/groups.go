package lab

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/internal/cgroup"
)

// CPU shares, cpu.shares of cgroups(7). They are not the kernel's default, so
// that a fault that reverts to the default is caught. The clients get more
// than all hosts together: their lateness must not look like an outage.
const (
	hostShares  = 512
	agentShares = 4096
	maxShares   = 262144
	// clientsRealTime is how many µs of each second and CPU the clients may run
	// before everything else: cpu.rt_runtime_us of sched-rt-group, which a kernel
	// with RT_GROUP_SCHED must be told for every group above, too.
	clientsRealTime = "300000"
	// agentsRealTime is how many µs the plugins of the out-of-band agents may run
	// so in each agentsPeriod: a long period, as a cut that was held back in the
	// middle would be worse than one that started late. Clients and agents have
	// half of what the kernel gives all of a machine, so two labs fit.
	agentsRealTime = 3_400_000
	agentsPeriod   = "20000000"
	labRealTime    = "470000"
	// hostPids bounds the processes of a host: pids.max.
	hostPids = 4000
)

// labGroups are the lab's groups, v2 first.
func labGroups(id string, hierarchies []cgroup.Hierarchy) []string {
	var groups []string
	for _, h := range hierarchies {
		above := scopeOf(id, h)
		if above == "" {
			above = h.Mount
		}
		groups = append(groups, filepath.Join(above, groupName(id)))
	}
	return groups
}

// hierarchies returns all mounted hierarchies, v2 first: it is needed.
func hierarchies() ([]cgroup.Hierarchy, error) {
	all, err := cgroup.Hierarchies()
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b cgroup.Hierarchy) int { return b.Version - a.Version })
	if len(all) == 0 || all[0].Version != 2 {
		return nil, fmt.Errorf("find cgroup v2: %w: a lab freezes and kills through it; mount cgroup2", cgroup.ErrNoHierarchy)
	}
	return all, nil
}

// createGroup makes group in every hierarchy; name is relative to the lab's group.
func createGroup(spec labSpec, name string) ([]string, error) {
	var groups []string
	for _, top := range labGroups(spec.ID, spec.Hierarchies) {
		g := filepath.Join(top, name)
		if err := cgroup.Create(g); err != nil {
			return nil, err
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// tune writes value into the one of groups that has file; a kernel without it
// has nothing to tune.
func tune(groups []string, file, value string) {
	for _, g := range groups {
		_ = cgroup.Write(g, file, value)
	}
}

// shares sets the CPU weight in the unit of v1; v2's weight is 100 where v1's is 1024.
func shares(groups []string, n int) {
	n = min(n, maxShares)
	tune(groups, "cpu.shares", strconv.Itoa(n))
	tune(groups, "cpu.weight", strconv.Itoa(max(1, min(n*100/1024, 10000))))
}

// raiseGroups makes the lab's groups, one a rack and one for the agents.
func raiseGroups(spec labSpec) error {
	top, err := createGroup(spec, "")
	if err != nil {
		return err
	}
	hosts := len(spec.Hosts) * hostShares
	shares(top, 2*hosts+agentShares)
	tune(top, "cpu.rt_runtime_us", labRealTime)
	delegate(top[0])
	for _, r := range spec.Racks {
		groups, err := createGroup(spec, r.Name)
		if err != nil {
			return err
		}
		shares(groups, len(r.Hosts)*hostShares)
		if r.Clients {
			shares(groups, 2*hosts)
			tune(groups, "cpu.rt_runtime_us", clientsRealTime)
		}
		delegate(groups[0])
	}
	agents, err := createGroup(spec, agentsGroup)
	shares(agents, agentShares)
	realTime(agents, agentsRealTime)
	return err
}

// realTime lets groups run before everything else for n µs of each agentsPeriod.
func realTime(groups []string, n int) {
	tune(groups, "cpu.rt_period_us", agentsPeriod)
	tune(groups, "cpu.rt_runtime_us", strconv.Itoa(n))
}

// agentsGroup holds the out-of-band agents: outside of all hosts.
const agentsGroup = "firedrill-agents"

// delegate hands the v2 controllers of a group on to the groups below it, as
// far as the kernel lets us: a controller may be bound to v1.
func delegate(group string) {
	offered, err := cgroup.Read(group, "cgroup.controllers")
	if err != nil {
		return
	}
	for _, c := range strings.Fields(offered) {
		_ = cgroup.Write(group, "cgroup.subtree_control", "+"+c)
	}
}

// hostGroups makes the groups of one power-on. They are always new ones: the
// kernel kills at birth what is cloned into a group that was killed before.
func hostGroups(spec labSpec, h hostSpec, boot int) ([]string, error) {
	groups, err := createGroup(spec, filepath.Join(spec.Racks[h.Rack].Name, fmt.Sprintf("%s.%d", h.Name, boot)))
	if err != nil {
		return nil, err
	}
	if spec.Racks[h.Rack].Clients {
		tune(groups, "cpu.rt_runtime_us", clientsRealTime)
	} else {
		shares(groups, hostShares)
	}
	tune(groups, "pids.max", strconv.Itoa(hostPids))
	return groups, nil
}

// removeGroups removes groups with all below them.
func removeGroups(groups []string, limit time.Duration) error {
	var errs []error
	for _, g := range groups {
		errs = append(errs, cgroup.Remove(g, limit))
	}
	return errors.Join(errs...)
}
