package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
)

// Namespace identifies the network namespace of a container, as that of its first
// process.
type Namespace struct {
	ID     string     `json:"id"`     // of the container
	First  process.ID `json:"first"`  // another one: the container was started again
	Inode  uint64     `json:"inode"`  // of the nsfs file; it is given again
	Cookie uint64     `json:"cookie"` // never is, until the next boot
}

// Namespace identifies the container's network namespace and opens it. The caller
// must close it.
func (c Container) Namespace() (n Namespace, ns *netns.NS, err error) {
	n.ID = c.ID
	if n.First, err = c.First(); err != nil {
		return n, nil, err
	}
	if ns, err = netns.Open(fmt.Sprintf("/proc/%d/ns/net", n.First.PID)); err != nil {
		return n, nil, err
	}
	if n.Cookie, err = ns.Cookie(); err != nil {
		return n, nil, errors.Join(err, ns.Close())
	}
	n.Inode = ns.Inode()
	return n, ns, nil
}

// Check returns fault.ErrGone if the container ended since, or was started again.
func (n Namespace) Check() error {
	ended, err := n.First.Ended()
	if err == nil && ended {
		err = fmt.Errorf("%w: container %s ended, or was started again", fault.ErrGone, n.ID)
	}
	return err
}

// Open opens the namespace; fault.ErrGone if it is there no more. It may outlive the
// container: all containers of a pod share one, and runtimes keep theirs by a mount.
// The caller must close it.
func (n Namespace) Open() (*netns.NS, error) {
	for _, where := range []func() []string{n.ofFirst, n.mounted, ofProcesses} {
		for _, path := range where() {
			if ns := n.at(path); ns != nil {
				return ns, nil
			}
		}
	}
	return nil, fmt.Errorf("%w: the network namespace of container %s is there no more", fault.ErrGone, n.ID)
}

// at opens the namespace at path if it is this one.
func (n Namespace) at(path string) *netns.NS {
	ns, err := netns.Open(path)
	if err != nil {
		return nil
	}
	if ns.Inode() == n.Inode {
		if cookie, err := ns.Cookie(); err == nil && cookie == n.Cookie {
			return ns
		}
	}
	_ = ns.Close()
	return nil
}

func (n Namespace) ofFirst() []string { return []string{fmt.Sprintf("/proc/%d/ns/net", n.First.PID)} }

// mounted are where a namespace of this inode is mounted: proc_pid_mountinfo(5)
// names it as the root of the mount.
func (n Namespace) mounted() (paths []string) {
	b, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 4 && f[3] == fmt.Sprintf("net:[%d]", n.Inode) {
			paths = append(paths, f[4])
		}
	}
	return paths
}

func ofProcesses() []string {
	paths, _ := filepath.Glob("/proc/[0-9]*/ns/net") // the pattern is right
	return paths
}
