package group

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// The files of both freezers: Documentation/admin-guide/cgroup-v2 and
// cgroup-v1/freezer-subsystem in the kernel. selfFile says whether the group
// itself was frozen, whatever became of the groups above it.
const (
	freezeFile = "cgroup.freeze"         // v2
	stateFile  = "freezer.state"         // v1
	selfFile   = "freezer.self_freezing" // v1
)

// Freezer stops all processes of a group and of those below it. A group that is
// frozen keeps what is frozen below it after it was thawed itself.
type Freezer struct {
	Group Group `json:"group"`
	V1    bool  `json:"v1,omitempty"` // a group of the v1 freezer; else of cgroup v2
}

// FindFreezer finds the group that is named: in cgroup v2 if it is there, else in
// the v1 freezer. It refuses as Find does.
func FindFreezer(named scope.Scope) (Freezer, error) {
	all, err := cgroup.Hierarchies()
	if err != nil {
		return Freezer{}, err
	}
	paths, err := named.Paths()
	if err != nil {
		return Freezer{}, err
	}
	var mounts []string
	for _, v1 := range []bool{false, true} {
		for _, h := range all {
			if v1 && !slices.Contains(h.Controllers, "freezer") || v1 != (h.Version == 1) {
				continue
			}
			mounts = append(mounts, h.Mount)
			g, found, err := in(h, paths)
			if err != nil {
				return Freezer{}, err
			}
			if f := (Freezer{Group: g, V1: v1}); found {
				return f, f.refused(named.Field())
			}
		}
	}
	if len(mounts) == 0 {
		return Freezer{}, fmt.Errorf("%w: neither cgroup v2 nor the v1 freezer is mounted", fault.ErrUnsupported)
	}
	return Freezer{}, fault.Refuse(named.Field(), "no control group %s in %s; name one that is there", paths, strings.Join(mounts, " or "))
}

// refused says why a group that was found can't be frozen.
func (f Freezer) refused(field string) error {
	if err := f.Group.spared(field); err != nil {
		return err
	}
	_, err := f.asked()
	if gone(err) {
		return fmt.Errorf("%w: the kernel has no freezer for control groups (cgroup.freeze came with Linux 5.2)", fault.ErrUnsupported)
	}
	return err
}

// Watch measures how long its processes are on a CPU in a while.
func (f Freezer) Watch(ctx context.Context, while time.Duration) (processes int, ran time.Duration, err error) {
	return f.Group.Watch(ctx, while)
}

// String names the group for people.
func (f Freezer) String() string { return f.Group.Path }

// Asked says whether the group itself was frozen by somebody; fault.ErrGone if
// it is not the record's.
func (f Freezer) Asked(t fault.Target) (bool, error) {
	if err := f.Group.Check(t); err != nil {
		return false, err
	}
	asked, err := f.asked()
	if gone(err) {
		err = fmt.Errorf("%w: %w", fault.ErrGone, err)
	}
	return asked, err
}

func (f Freezer) asked() (bool, error) {
	file := freezeFile
	if f.V1 {
		file = selfFile
	}
	text, err := cgroup.Read(f.Group.Dir(), file)
	return text == "1", err
}

// Frozen says whether every process of the group stands still, on the kernel's
// word: it counts those that reached the freezer.
func (f Freezer) Frozen() (bool, error) {
	if !f.V1 {
		return cgroup.Frozen(f.Group.Dir())
	}
	text, err := cgroup.Read(f.Group.Dir(), stateFile)
	return text == "FROZEN", err
}

// Freeze stops the group and waits for at most limit until all of it stands
// still; one that does not is thawed again. It refuses a group that came to hold
// what must be spared.
func (f Freezer) Freeze(t fault.Target, limit time.Duration) error {
	if asked, err := f.Asked(t); err != nil || asked {
		return err // again, or a renewal
	}
	if err := f.Group.spared(""); err != nil {
		return err
	}
	if err := f.set(true); err != nil {
		return err
	}
	for end := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		frozen, err := f.Frozen()
		if err == nil && frozen {
			return nil
		}
		if err == nil && time.Now().After(end) {
			err = fmt.Errorf("freeze %s: a process of it does not stop within %v, as it waits in the kernel; see what it waits for", f.Group.Path, limit)
		}
		if err != nil {
			return errors.Join(err, f.set(false))
		}
	}
}

// Thaw lets the group go on if it is frozen itself.
func (f Freezer) Thaw(t fault.Target) error {
	if asked, err := f.Asked(t); err != nil || !asked {
		return err
	}
	return f.set(false)
}

func (f Freezer) set(frozen bool) error {
	file, text := freezeFile, "0"
	if frozen {
		text = "1"
	}
	if f.V1 {
		file, text = stateFile, map[bool]string{false: "THAWED", true: "FROZEN"}[frozen]
	}
	err := cgroup.Write(f.Group.Dir(), file, text)
	if gone(err) {
		err = fmt.Errorf("%w: %w", fault.ErrGone, err)
	}
	return err
}

// Processes lists the processes of the group and of those below it.
func (g Group) Processes() ([]int, error) { return cgroup.Below(g.Dir()) }

// Ran is how long all threads of the processes were on a CPU, in ns since each
// began. A process that has ended counts nothing.
func Ran(pids []int) (ns int64) {
	for _, pid := range pids {
		tids, _ := process.Threads(pid) // ended: none
		for _, tid := range tids {
			ns += process.Ran(tid)
		}
	}
	return ns
}

// Hold freezes the group and waits for at most limit until all of it stands still;
// it stays frozen whether it does or not. It refuses a group that came to hold what
// must be spared.
func (f Freezer) Hold(t fault.Target, limit time.Duration) error {
	asked, err := f.Asked(t)
	if err != nil {
		return err
	}
	if !asked {
		if err := errors.Join(f.Group.spared(""), f.set(true)); err != nil {
			return err
		}
	}
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(time.Millisecond / 5) {
		if frozen, err := f.Frozen(); err != nil || frozen {
			return err
		}
	}
	return nil
}

// Kill ends all processes of the group, frozen ones too, waits for at most limit
// until they are gone, and leaves the group thawed. It does without cgroup.kill,
// after which the kernel kills whatever is born into the same group.
func (f Freezer) Kill(t fault.Target, limit time.Duration) error {
	if err := f.Group.Check(t); err != nil {
		return err
	}
	if err := f.Group.spared(""); err != nil {
		return err
	}
	for end := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		pids, err := f.Group.Processes()
		if err != nil || len(pids) == 0 {
			return errors.Join(err, f.Thaw(t))
		}
		if time.Now().After(end) {
			return fmt.Errorf("kill %s: pid %d does not end within %v, as it waits in the kernel; see what it waits for", f.Group.Path, pids[0], limit)
		}
		if err := killAll(pids); err != nil {
			return err
		}
		if f.V1 { // there a frozen process dies only when it is thawed, before it runs on
			if err := f.set(false); err != nil {
				return err
			}
		}
	}
}

func killAll(pids []int) error {
	for _, pid := range pids {
		p, err := process.Read(pid)
		if err == nil {
			err = p.Signal(unix.SIGKILL)
		}
		if err != nil && !errors.Is(err, process.ErrEnded) {
			return err
		}
	}
	return nil
}

// Watch lists the processes of the group and measures how long all of them are on a
// CPU in a while.
func (g Group) Watch(ctx context.Context, while time.Duration) (processes int, ran time.Duration, err error) {
	pids, err := g.Processes()
	if err != nil {
		return 0, 0, fmt.Errorf("list processes of %s: %w", g.Path, err)
	}
	ran, err = Watch(ctx, pids, while)
	return len(pids), ran, err
}

// Watch measures how long processes are on a CPU in a while.
func Watch(ctx context.Context, pids []int, while time.Duration) (time.Duration, error) {
	before := Ran(pids)
	select {
	case <-time.After(while):
	case <-ctx.Done():
		return 0, fmt.Errorf("watch processes: %w", ctx.Err())
	}
	return time.Duration(max(0, Ran(pids)-before)), nil
}
