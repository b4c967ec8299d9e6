package memory

import (
	"errors"
	"log/slog"
	"strconv"
	"syscall"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
)

// limit is the record of a lowered limit.
type limit struct {
	Limit group.Setting `json:"limit,omitzero"`
	// Brake is lowered before the limit and put back after it, on v2: it makes
	// the group small without killing, cgroup-v2, memory.high.
	Brake *group.Setting `json:"brake,omitempty"`
	OOM   bool           `json:"oom,omitempty"` // the limit may kill at once
	// OOMGroup is memory.oom.group of v2: 1 means that all processes of the group
	// are killed together.
	OOMGroup string `json:"oom_group,omitempty"`
	Hits     uint64 `json:"hits,omitzero"`   // how often the group had hit its limit before
	Killed   uint64 `json:"killed,omitzero"` // how many of its processes the kernel had killed for want of memory before
	// Keep, if set, makes systemd keep the limit.
	Keep *group.Keep `json:"keep,omitempty"`
}

func prepareLimit(p Params) (limit, error) {
	after, err := parseAmount("limit", p.Limit)
	if err != nil {
		return limit{}, err
	}
	if p.OOM != "" && p.OOM != oomRefused && p.OOM != oomAllowed {
		return limit{}, fault.Refuse("oom", "%q is neither %s nor %s", p.OOM, oomRefused, oomAllowed)
	}
	g, err := group.Find("memory", p.Scope)
	if err != nil {
		return limit{}, err
	}
	before, err := read(g)
	if err != nil {
		return limit{}, err
	}
	if after >= before.limit {
		return limit{}, fault.Refuse("limit", "leaves %s as it is: its limit is %s already; give less", g.Path, size(before.limit))
	}
	c := limit{
		OOM: p.OOM == oomAllowed, OOMGroup: before.oomGroup, Hits: before.hits, Killed: before.killed,
		Limit: group.Setting{Group: g, File: before.file, Before: before.text, After: strconv.FormatUint(after, 10)},
	}
	if err := c.roomy(after, before); err != nil {
		return limit{}, err
	}
	c.Keep = g.Keep(before.file, "MemoryMax="+c.Limit.After)
	if g.V2() && !c.OOM && after < before.high {
		c.Brake = &group.Setting{Group: g, File: highFile, Before: before.highText, After: c.Limit.After}
	}
	return c, nil
}

// The values of Params.OOM.
const (
	oomRefused = "refused"
	oomAllowed = "allowed"
)

// roomy refuses a limit below what the processes use, unless they may be killed.
func (c limit) roomy(after uint64, now usage) error {
	g := c.Limit.Group
	if c.OOM && !g.V2() {
		return fault.Refuse("oom", "is allowed, but this host limits memory through cgroup v1, whose kernel takes no limit below what is used; leave it out")
	}
	host, err := readMeminfo()
	if err != nil {
		return err
	}
	// What is swapped or written out makes room; without swap, the memory of the
	// processes themselves does not.
	if c.OOM || host.swap > 0 || now.processes <= after {
		return nil
	}
	hint := "the kernel takes no limit below that: give more"
	if g.V2() {
		hint = "the kernel would kill at once: give more, or allow it with oom: allowed"
	}
	return fault.Refuse("limit", "is %s, and the processes of %s use %s; %s", size(after), g.Path, size(now.processes), hint)
}

func (c limit) apply(t fault.Target, _ fault.BootTime, _ *slog.Logger) error {
	apply := c.Limit.Apply
	if c.Brake != nil {
		apply = c.applyGently
	}
	// Kept last: a limit that the kernel does not take would be tried again with
	// each reload.
	err := apply(t)
	if err == nil {
		err = c.Keep.Apply()
	}
	if errors.Is(err, syscall.EBUSY) {
		return fault.Refuse("limit", "the kernel could not make %s small enough for %s bytes, and left its limit at %s; give more", c.Limit.Group.Path, c.Limit.After, c.Limit.Before)
	}
	return err
}

// applyGently lets the kernel make room before the limit comes: writing
// memory.high takes what can be taken and kills nobody.
func (c limit) applyGently(t fault.Target) error {
	limit, err := c.Limit.Now(t)
	if err != nil {
		return err
	}
	if limit == c.Limit.After {
		return c.Brake.TakeBack(t) // again, or a renewal
	}
	if err := c.Brake.Apply(t); err != nil {
		return err
	}
	now, err := read(c.Limit.Group)
	if after, _ := strconv.ParseUint(c.Limit.After, 10, 64); err == nil && now.used > after {
		err = fault.Refuse("limit", "the kernel could not make %s smaller than %s, and the limit would kill; it was left as it is: give more, or allow it with oom: allowed", c.Limit.Group.Path, size(now.used))
	}
	if err == nil {
		err = c.Limit.Apply(t)
	}
	return errors.Join(err, c.Brake.TakeBack(t))
}

func (c limit) revert(t fault.Target) error {
	return c.Keep.Revert(func() error {
		err := c.Limit.Revert(t)
		if c.Brake != nil {
			err = errors.Join(err, c.Brake.TakeBack(t))
		}
		return err
	})
}
