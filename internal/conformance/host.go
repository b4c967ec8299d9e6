package conformance

import (
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/firedrill-io/firedrill/internal/lab"
	"github.com/firedrill-io/firedrill/internal/netns"
)

// Host is the lab host under test, as seen from the test.
type Host struct {
	Name string
	Lab  *lab.Lab // nil: the machine itself is under test

	pid1 int // in the machine's pid namespace; another one after each power-on
}

// refresh finds the host's first process again.
func (h *Host) refresh() error {
	if h.Lab == nil {
		h.pid1 = 1
		return nil
	}
	ctx, cancel := bounded()
	defer cancel()
	s, err := h.Lab.Power().Status(ctx, h.Name)
	if err != nil {
		return fmt.Errorf("find host %s: %w", h.Name, err)
	}
	if !s.On {
		return fmt.Errorf("find host %s: it is off", h.Name)
	}
	h.pid1 = s.PID1
	return nil
}

// Path is where the machine sees the host's file or folder p.
func (h *Host) Path(p string) string {
	return filepath.Join("/proc", strconv.Itoa(h.pid1), "root", p)
}

// Do runs fn on a thread in the host's network namespace. Sockets that fn opens
// and /proc/sys/net are the host's; everything else is the machine's.
func (h *Host) Do(fn func() error) error {
	ns, err := netns.Open(filepath.Join("/proc", strconv.Itoa(h.pid1), "ns", "net"))
	if err != nil {
		return err
	}
	defer ns.Close()
	return ns.Do(fn)
}
