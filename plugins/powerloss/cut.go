package powerloss

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/power"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystem"
)

// The phases of a cut, as marked. Effect skew is at most the time between Began
// and Dark, because hosts hear nothing of each other after it.
const (
	Flapped  = "flapped"  // of a brown-out: cables are off, processes stand still, and both come back
	Began    = "began"    // just before the first cable goes
	Dark     = "dark"     // all cables are off
	Frozen   = "frozen"   // all processes stand still, or the limit has passed
	Shutdown = "shutdown" // all file systems are cut off
	Dead     = "dead"     // all processes are gone
	Released = "released" // disks, cables and control groups are gone
)

// Limits of the waits in a cut.
const (
	// A task inside a long fsync stops only when it leaves the kernel, and does
	// so with an error once its disk is cut off: no need to wait for it.
	freezeLimit  = 50 * time.Millisecond
	deadLimit    = 10 * time.Second
	releaseLimit = 20 * time.Second // 207 ms is the slowest of 42 cuts seen
	releasePoll  = time.Millisecond
)

// cut is one host that is losing its power.
type cut struct {
	host  power.Status
	cable *cable
	disks []*os.File // one file on each file system, open before the start
	// mounts is the host's mount namespace, held so that its processes need not
	// take it apart while they die: hosts would wait for each other in the kernel.
	mounts *os.File
	err    error // of the first step that went wrong
}

// apply goes phase by phase: each phase is over on all hosts before
// the next begins, so that they die together. Once the first cable is off the
// cut goes on to its end whatever happens: a host half dead helps nobody.
func (l labMode) apply(ctx context.Context, items []fault.Item[Change], _ fault.BootTime) []error {
	errs := make([]error, len(items))
	var cuts []*cut
	index := map[*cut]int{}
	opened := fabrics{}
	defer opened.close()
	for i, item := range items {
		c, err := begin(ctx, item, opened)
		if err != nil {
			errs[i] = err
		}
		if c != nil {
			cuts, index[c] = append(cuts, c), i
		}
	}
	defer func() {
		for _, c := range cuts {
			c.close()
		}
	}()
	if len(cuts) > 0 && ctx.Err() == nil {
		items[0].Change.Brownout.run(ctx, func() {
			each(cuts, func(c *cut) error { return errors.Join(c.cable.dark(), c.freeze(true)) })
			l.pass(Flapped)
		}, func() {
			each(cuts, func(c *cut) error { return errors.Join(c.freeze(false), c.cable.lit()) })
		})
		l.run(ctx, cuts)
	}
	for _, c := range cuts {
		errs[index[c]] = errors.Join(c.err, ctx.Err())
	}
	return errs
}

// begin opens what the cut needs. It returns nil and no error if the host of the
// record is off already: then there is nothing to renew.
func begin(ctx context.Context, item fault.Item[Change], opened fabrics) (*cut, error) {
	s := item.Change.Host
	if err := identical(s); err != nil {
		off, err := stillOff(ctx, item.Target, s, err)
		if off || err != nil {
			return nil, err
		}
	}
	f, err := opened.of(s)
	if err != nil {
		return nil, err
	}
	c := &cut{host: s}
	if c.cable, err = f.cable(s); err != nil {
		return nil, err
	}
	for _, f := range s.FileSystems {
		disk, err := openDisk(s, f)
		if err != nil {
			c.close()
			return nil, err
		}
		if disk != nil {
			c.disks = append(c.disks, disk)
		}
	}
	c.mounts, _ = os.Open(fmt.Sprintf("/proc/%d/ns/mnt", s.PID1)) // without it the host dies a little later
	return c, nil
}

// stillOff: the identities of the record are not there (why). Either the host
// has been cut, or somebody switched it on since.
func stillOff(ctx context.Context, t fault.Target, s power.Status, why error) (bool, error) {
	now, err := power.NewClient(t.Power).Status(ctx, s.Host)
	if err != nil {
		return false, fmt.Errorf("ask for the status of host %s: %w", s.Host, err)
	}
	if now.On && now.BootID != s.BootID {
		return false, fmt.Errorf("%w: host %s was switched on since: %w", fault.ErrGone, s.Host, why)
	}
	left, err := look(s)
	return err == nil && left.off(), err
}

// openDisk returns nil if the file system is gone.
func openDisk(s power.Status, f power.FileSystem) (*os.File, error) {
	if !alive(s) || filesystem.BackingFile(f.Device) != f.Image {
		return nil, nil
	}
	disk, err := os.Open(inside(s, f))
	if err != nil {
		return nil, fmt.Errorf("open file system %s of host %s: %w", f.Mount, s.Host, err)
	}
	dev, err := deviceOf(fmt.Sprintf("/proc/self/fd/%d", disk.Fd()))
	if err == nil && dev != f.Dev {
		err = fmt.Errorf("%w: host %s has another file system at %s", fault.ErrChanged, s.Host, f.Mount)
	}
	if err != nil {
		return nil, errors.Join(err, disk.Close())
	}
	return disk, nil
}

// run takes all hosts through the phases.
func (l labMode) run(ctx context.Context, cuts []*cut) {
	m := startMeter(cuts)
	l.mark(ctx, Began)
	each(cuts, func(c *cut) error { return c.cable.dark() })
	l.mark(ctx, Dark)
	each(cuts, func(c *cut) error { return c.freeze(true) })
	waitFrozen(cuts)
	l.mark(ctx, Frozen)
	each(cuts, (*cut).shutDown)
	l.mark(ctx, Shutdown)
	each(cuts, (*cut).kill)
	each(cuts, func(c *cut) error { return cgroup.WaitEmpty(c.host.Cgroup, deadLimit) })
	l.mark(ctx, Dead)
	m.stop(ctx)
	letGo(cuts)
	each(cuts, (*cut).release)
	l.mark(ctx, Released)
}

func (l labMode) mark(ctx context.Context, phase string) {
	fault.Mark(ctx, phase)
	l.pass(phase)
}

func (l labMode) pass(phase string) {
	if l.passed != nil {
		l.passed(phase)
	}
}

// each goes on with the other hosts, and with the host itself, after an error.
func each(cuts []*cut, step func(*cut) error) {
	for _, c := range cuts {
		if err := step(c); err != nil {
			c.err = errors.Join(c.err, fmt.Errorf("host %s: %w", c.host.Host, err))
		}
	}
}

func (c *cut) freeze(frozen bool) error {
	if err := cgroup.Freeze(c.host.Cgroup, frozen); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func waitFrozen(cuts []*cut) {
	for end := time.Now().Add(freezeLimit); time.Now().Before(end); time.Sleep(releasePoll / 5) {
		all := true
		for _, c := range cuts {
			if frozen, err := cgroup.Frozen(c.host.Cgroup); err == nil && !frozen {
				all = false
			}
		}
		if all {
			return
		}
	}
}

func (c *cut) shutDown() error {
	var errs []error
	for _, disk := range c.disks {
		errs = append(errs, filesystem.ShutDown(disk))
	}
	return errors.Join(errs...)
}

func (c *cut) kill() error { return cgroup.Kill(c.host.Cgroup) }

// close may be called again.
func (c *cut) close() {
	for _, disk := range c.disks {
		_ = disk.Close()
	}
	if c.mounts != nil {
		_ = c.mounts.Close()
	}
	c.disks, c.mounts = nil, nil
}

// letGo closes what is held of all hosts: the last one to close a mount
// namespace unmounts all that is in it, one host beside the other.
func letGo(cuts []*cut) {
	var all sync.WaitGroup
	for _, c := range cuts {
		all.Go(c.close)
	}
	all.Wait()
}

// release waits until the disks are really let go of, then takes away cable and
// control groups, so that the next power-on finds nothing of this one.
func (c *cut) release() error {
	c.close()
	var errs []error
	for _, f := range c.host.FileSystems {
		errs = append(errs, waitReleased(f))
	}
	errs = append(errs, c.cable.unplug())
	for _, group := range append([]string{c.host.Cgroup}, c.host.V1Cgroups...) {
		errs = append(errs, cgroup.Remove(group, deadLimit))
	}
	return errors.Join(errs...)
}

// waitReleased: a superblock that something else still holds would give EIO to
// everyone who mounts the image again.
func waitReleased(f power.FileSystem) error {
	for end := time.Now().Add(releaseLimit); filesystem.BackingFile(f.Device) == f.Image; time.Sleep(releasePoll) {
		if time.Now().After(end) {
			return fmt.Errorf("wait for %s to be released: something outside the host holds the file system of %s; end it, then revert", f.Device, f.Mount)
		}
	}
	return nil
}
