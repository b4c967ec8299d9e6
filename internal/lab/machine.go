package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/internal/power"
	"github.com/firedrill-io/firedrill/internal/proc"
)

// disk is one of a host's file systems.
type disk struct {
	name  string
	mount string
	size  int64 // bytes; the image is sparse
}

// disks of every host: /data for services, /state for the in-band agent.
var disks = []disk{
	{name: "data", mount: "/data", size: 256 << 20},
	{name: "state", mount: "/state", size: 16 << 20},
}

// machine is a host as the power role sees it, on or dark.
type machine struct {
	spec  hostSpec
	boots int

	// mu is held through a whole power-on: there is one at a time.
	mu   sync.Mutex
	run  *running // nil: dark since it was noticed
	last *running // the one before, until what is left of it is gone
}

// running is one power-on of a host.
type running struct {
	process *proc.Process
	wire    *wire
	groups  []string // v2 first
	inode   uint64   // of groups[0]
	netns   uint64
	bootID  string
	veth    int
	loops   []string
	dev     []uint64
	ended   chan struct{} // closed when pid 1 has been waited for
}

// path is a path inside the host, seen from the machine.
func (r *running) path(inside string) string {
	return filepath.Join("/proc", strconv.Itoa(r.process.PID), "root", inside)
}

func (r *running) over() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// sound says whether nothing of a cut shows: pid 1 runs and is not stopped, the
// cable is plugged, no file system was shut down. The caller holds m.mu.
func (c *controller) sound(m *machine) bool {
	r := m.run
	if r == nil || r.over() || !plugged(c.spec.ID, m.spec) {
		return false
	}
	text, err := cgroup.Read(r.groups[0], "cgroup.freeze")
	if err != nil || text != "0" {
		return false
	}
	for _, g := range r.groups[1:] {
		if text, err := cgroup.Read(g, "freezer.state"); err == nil && text != "THAWED" {
			return false
		}
	}
	mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mounts", r.process.PID))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if len(f) > 3 && slices.ContainsFunc(disks, func(d disk) bool { return d.mount == f[1] }) && slices.Contains(strings.Split(f[3], ","), "shutdown") {
			return false
		}
	}
	return true
}

// writable says whether the file systems of a host can be synced. One that was
// shut down answers EIO; before Linux 6.13 nothing else tells. Status does not
// ask: it must not make durable what a cut is to lose.
func (r *running) writable() bool {
	for _, d := range disks {
		f, err := os.Open(r.path(d.mount))
		if err != nil {
			return false
		}
		err = f.Sync()
		_ = f.Close()
		if err != nil {
			return false
		}
	}
	return true
}

// status describes a host. The caller holds m.mu.
func (c *controller) status(m *machine) power.Status {
	s := power.Status{
		Host:     m.spec.Name,
		FabricNS: fmt.Sprintf("/proc/%d/ns/net", os.Getpid()),
		Veth:     vethName(c.spec.ID, m.spec.Number),
		Address:  m.spec.Address,
	}
	r := m.run
	if r == nil {
		r = m.last
	}
	if r == nil {
		return s
	}
	s.On = c.sound(m)
	s.BootID, s.PID1, s.PID1Start = r.bootID, r.process.PID, r.process.StartTime
	s.NetNS, s.Cgroup, s.CgroupIno, s.V1Cgroups = r.netns, r.groups[0], r.inode, r.groups[1:]
	s.VethIndex = r.veth
	for i, d := range disks {
		s.FileSystems = append(s.FileSystems, power.FileSystem{
			Mount: d.mount, Type: "ext4", Device: r.loops[i], Dev: r.dev[i], Image: image(c.spec.Dir, m.spec.Name, d.name),
		})
	}
	return s
}

// identify reads what names this power-on of a host for good.
func (r *running) identify() error {
	var err error
	if r.inode, err = cgroup.Inode(r.groups[0]); err != nil {
		return err
	}
	if r.netns, err = netns.Inode(fmt.Sprintf("/proc/%d/ns/net", r.process.PID)); err != nil {
		return err
	}
	for _, d := range disks {
		var st unix.Stat_t
		if err := unix.Stat(r.path(d.mount), &st); err != nil {
			return fmt.Errorf("identify file system %s: %w", d.mount, err)
		}
		r.dev = append(r.dev, st.Dev)
	}
	return nil
}

// tell hands an order to a host that is on; a dark one gets it at power-on.
func (m *machine) tell(op string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.run == nil || m.run.over() {
		return nil
	}
	var done outcome
	if err := m.run.wire.ask(order{Op: op}, &done); err != nil {
		return fmt.Errorf("tell host to start its %s: %w", op, err)
	}
	if done.Error != "" {
		return errors.New(done.Error)
	}
	return nil
}
