package powerloss

import (
	"context"
	"errors"
	"fmt"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/power"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// revert switches on: the host runs again. A host that was only dark
// or frozen goes on as it was; one that lost a disk or a process is cut to the
// end and booted.
func (labMode) revert(ctx context.Context, t fault.Target, c Change) error {
	client, s := power.NewClient(t.Power), c.Host
	now, err := client.Status(ctx, s.Host)
	if err != nil {
		return fmt.Errorf("ask for the status of host %s: %w", s.Host, err)
	}
	if now.On && now.BootID != s.BootID {
		return nil // switched on since, by an earlier Revert or by somebody else
	}
	l, err := look(s)
	if err != nil {
		return err
	}
	if l.alive && l.cable && l.live == len(s.FileSystems) {
		return resume(s)
	}
	if !l.off() || l.groups > 0 {
		if err := finish(s); err != nil {
			return err
		}
	}
	if _, err := client.On(ctx, s.Host); err != nil {
		return fmt.Errorf("switch on host %s: %w", s.Host, err)
	}
	return nil
}

// resume thaws first: the cable comes back to a host that can answer.
func resume(s power.Status) error {
	f, err := openFabric(s)
	if err != nil {
		return err
	}
	defer f.close()
	c, err := f.cable(s)
	if err != nil {
		return err
	}
	return errors.Join(cgroup.Freeze(s.Cgroup, false), c.lit())
}

// finish ends what is left of a half-cut host. Its unsynced data goes the way
// the cut meant it to go.
func finish(s power.Status) error {
	f, err := openFabric(s)
	if err != nil {
		return err
	}
	defer f.close()
	c := &cut{host: s}
	if c.cable, err = f.cable(s); err != nil {
		return err
	}
	defer c.close()
	var errs []error
	for _, f := range s.FileSystems {
		disk, err := openDisk(s, f)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if disk != nil {
			c.disks = append(c.disks, disk)
		}
	}
	errs = append(errs, c.cable.dark(), c.freeze(true), c.shutDown())
	if ino, err := cgroup.Inode(s.Cgroup); err == nil && ino == s.CgroupIno {
		errs = append(errs, c.kill(), cgroup.WaitEmpty(s.Cgroup, deadLimit))
	}
	return errors.Join(append(errs, c.release())...)
}
