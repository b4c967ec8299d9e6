package lab

import (
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/proc"
)

// children tells the processes that hostinit started, and waits for, from
// orphans that became its children because it is pid 1.
type children struct {
	mu    sync.Mutex
	known map[int]bool
}

func newChildren() *children { return &children{known: map[int]bool{}} }

// start starts a process that the caller will wait for through wait, in groups,
// the v2 one first, or in the caller's own if there are none.
func (c *children) start(s proc.Spec, groups ...string) (*proc.Process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	begin := func() (*proc.Process, error) { return proc.Start(s) }
	if len(groups) > 0 {
		s.Attr = &syscall.SysProcAttr{}
		begin = func() (*proc.Process, error) { return forkInto(groups, s) }
	}
	p, err := begin()
	if err == nil {
		c.known[p.PID] = true
	}
	return p, err
}

func (c *children) wait(p *proc.Process) (int, error) {
	code, err := p.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, p.PID)
	return code, err
}

// reap ends the zombies of orphans. It never returns.
func (c *children) reap() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	for range ended {
		// Several ends often come together.
		time.Sleep(100 * time.Millisecond)
		c.sweep()
	}
}

func (c *children) sweep() {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || !orphanZombie(pid) {
			continue
		}
		c.mu.Lock()
		if !c.known[pid] {
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
		}
		c.mu.Unlock()
	}
}

// orphanZombie says whether pid has ended and is a child of pid 1, proc_pid_stat(5).
func orphanZombie(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return strings.HasPrefix(rest, "Z 1 ")
}
