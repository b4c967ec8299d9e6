package group

import (
	"errors"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// A controller is in one hierarchy only, of either version.
func TestPick(t *testing.T) {
	v2 := cgroup.Hierarchy{Version: 2, Mount: "/sys/fs/cgroup", Controllers: []string{"cpu", "memory"}}
	bare := cgroup.Hierarchy{Version: 2, Mount: "/sys/fs/cgroup/unified", Controllers: []string{"hugetlb"}}
	v1 := cgroup.Hierarchy{Version: 1, Mount: "/sys/fs/cgroup/cpu,cpuacct", Controllers: []string{"cpu", "cpuacct"}}
	for name, c := range map[string]struct {
		all   []cgroup.Hierarchy
		where cgroup.Hierarchy
		says  string
	}{
		"v1":           {all: []cgroup.Hierarchy{v1}, where: v1},
		"hybrid":       {all: []cgroup.Hierarchy{bare, v1}, where: v1},
		"v2":           {all: []cgroup.Hierarchy{v2}, where: v2},
		"no hierarchy": {all: []cgroup.Hierarchy{bare}, says: "no cgroup hierarchy with the controller cpu"},
	} {
		t.Run(name, func(t *testing.T) {
			where, err := pick(c.all, "cpu")
			if where.Mount != c.where.Mount || where.Version != c.where.Version {
				t.Errorf("picked %+v, want %+v", where, c.where)
			}
			if c.says != "" && (!errors.Is(err, fault.ErrUnsupported) || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("error %v, want %v that says: %s", err, fault.ErrUnsupported, c.says)
			}
		})
	}
}
