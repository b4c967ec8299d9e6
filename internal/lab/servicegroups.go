package lab

import (
	"errors"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"github.com/firedrill-io/firedrill/internal/cgroup"
)

// servicesGroup holds the services of a host, each in a group of its own, as an
// init system would: hostinit and the agent are outside, so that a fault can
// starve services and nothing else.
const servicesGroup = "svc"

const (
	servicesShares = 2048
	serviceShares  = 900
	// servicesPart is the part of the machine's CPU time that the services of one
	// host may use: hosts have CPUs of their own, and one that runs wild must not
	// take those of the others, who would look dark. It is also there to be
	// restored, like serviceMemory.
	servicesPart = 4
	// quotaPeriod is the default period of a quota in µs.
	quotaPeriod = 100_000
	// serviceMemory is in bytes, 1 TiB. It limits nothing, and is there to be
	// restored: a fault that reverts to the default is caught.
	serviceMemory = 1 << 40
)

// initGroup holds hostinit, the agent and commands where v2 limits CPU or memory.
const initGroup = "init"

// leaveTop moves hostinit from the host's own group into one below it, so that
// the host's can hand controllers on: in v2 a group either holds processes or
// limits those below it (cgroup-v2, "No Internal Process Constraint").
func leaveTop() error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	v2 := all[0]
	if !slices.Contains(v2.Controllers, "cpu") && !slices.Contains(v2.Controllers, "memory") {
		return nil // v1 has them
	}
	own := filepath.Join(v2.Mount, initGroup)
	if err := errors.Join(cgroup.Create(own), cgroup.Enter(own)); err != nil {
		return err
	}
	delegate(v2.Mount)
	return nil
}

// serviceGroups makes the groups of a service, v2 first, below the groups that
// the host sees as its roots. Only hierarchies that limit CPU and memory have
// them: each group costs time at every power-on and power cut.
func serviceGroups(name string) ([]string, error) {
	all, err := hierarchies()
	if err != nil {
		return nil, err
	}
	var groups []string
	for _, h := range all {
		limits := func(c string) bool { return slices.Contains(h.Controllers, c) }
		if h.Version == 1 && !limits("cpu") && !limits("cpuacct") && !limits("memory") {
			continue
		}
		top := filepath.Join(h.Mount, servicesGroup)
		if err := cgroup.Create(top); err != nil {
			return nil, err
		}
		shares([]string{top}, servicesShares)
		tune([]string{top}, "cpu.cfs_quota_us", servicesQuota())
		tune([]string{top}, "cpu.max", servicesQuota())
		if h.Version == 2 {
			delegate(top)
		}
		g := filepath.Join(top, name)
		if err := cgroup.Create(g); err != nil {
			return nil, err
		}
		groups = append(groups, g)
	}
	shares(groups, serviceShares)
	tune(groups, "memory.limit_in_bytes", strconv.Itoa(serviceMemory))
	tune(groups, "memory.max", strconv.Itoa(serviceMemory))
	return groups, nil
}

// servicesQuota is what the services of one host may use, in µs of each quotaPeriod.
func servicesQuota() string {
	return strconv.Itoa(runtime.NumCPU() * quotaPeriod / servicesPart)
}

// hostinitGroups are for the agent: those that hostinit is in itself.
func hostinitGroups(string) ([]string, error) { return nil, nil }
