// Package clock shifts the clock that a tree of processes sees, by a fixed
// offset; the host's own clock is never touched.
//
// Programs read the clock through code that the kernel maps into each process, the
// vDSO (vdso(7)). In the chosen processes that code is replaced by code which asks
// the kernel and adds the offset, while all their threads stand still
// (ptrace(2)). Its bytes from before are in the record and are put back.
//
// It shifts CLOCK_REALTIME, also the coarse one, gettimeofday and time.
// CLOCK_MONOTONIC, timers, sleeps and file times go on as they are, as on a host
// whose clock is wrong. Children that a process forks see the shifted clock too
// and are put back as well; a program that is newly executed has a fresh vDSO: it
// is shifted with the next renewal if the selection means it, and Observe counts
// it until then. Not shifted are programs that ask the kernel directly, without
// the vDSO. A thread that is inside a signal handler which interrupted a reading
// of the clock can't be told from others: it may crash.
package clock

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// Kind is the name of this fault.
const Kind fault.Kind = "clock"

func init() { fault.Register(Kind, fault.NewDriver(Plugin{})) }

// farthest is the farthest shift, about ten years: certificates and leases have
// ended by then, and dates still have four digits.
const farthest = 10 * 366 * 24 * time.Hour

// Params is what an experiment file may set.
type Params struct {
	Shift string `json:"shift" jsonschema:"pattern=^[+-]?([0-9]+([.][0-9]+)?(ms|s|m|h))+$,title=a duration\\, negative into the past,example=-1h,description=How far the clock is shifted: 90s into the future\\, -1h into the past"`
	scope.Selection
}

// Change is the change record.
type Change struct {
	Version   int             `json:"version"`
	Tag       [8]byte         `json:"tag"` // in the code: tells whose it is
	Arch      string          `json:"arch"`
	Shift     time.Duration   `json:"shift"`
	Selection scope.Selection `json:"selection"`
	Found     []process.ID    `json:"found"` // when it was prepared, with their descendants
	Image     Image           `json:"image"`
}

// changeVersion is the version of Change this package writes.
const changeVersion = 1

// Plugin is the fault. The zero value is ready.
type Plugin struct {
	// noEffect is a switch of tests: nothing is written.
	noEffect bool
}

var _ fault.Plugin[Params, Change] = Plugin{}

// Describe implements fault.Plugin.
func (Plugin) Describe() fault.Info {
	return fault.Info{
		Kind:          Kind,
		Summary:       "Shifts the clock that the processes of a service, a control group or a program see; the host's clock stays.",
		PluginVersion: "1.0.0",
		Touches:       []string{"the vDSO of processes"},
		ConflictKeys:  []string{"process-clock"},
		Needs:         fault.Needs{Capabilities: []string{"CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"}},
		Protection:    []fault.Protection{fault.ProtectPluginTimer, fault.ProtectGuardian, fault.ProtectJournal},
		Destroys:      fault.DestroysNothing,
	}
}

// Prepare implements fault.Plugin.
func (Plugin) Prepare(_ context.Context, _ fault.Target, p Params) (Change, error) {
	c := Change{Version: changeVersion, Selection: p.Selection}
	_, _ = rand.Read(c.Tag[:]) // never fails, crypto/rand
	var err error
	if c.Shift, err = parseShift(p.Shift); err != nil {
		return c, err
	}
	if _, err := c.Selection.Find(); err != nil {
		return c, err
	}
	if c.Found, err = c.selected(); err != nil {
		return c, err
	}
	if err := c.build(); err != nil {
		return c, err
	}
	for _, f := range c.Found {
		if err := c.fits(f); err != nil && !errors.Is(err, process.ErrEnded) {
			return c, err
		}
	}
	return c, nil
}

func parseShift(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return 0, fault.Refuse("shift", "%q is no duration; write it like 90s or -1h", s)
	case d == 0:
		return 0, fault.Refuse("shift", "%q shifts nothing; write it like 90s or -1h", s)
	case d.Abs() > farthest:
		return 0, fault.Refuse("shift", "%q is too far; shift by at most %s", s, farthest)
	}
	return d, nil
}

// build reads this process's own vDSO, which nobody has changed, and makes the
// code that replaces its functions.
func (c *Change) build() error {
	arch, err := thisArchitecture()
	if err != nil {
		return err
	}
	own, err := process.Own()
	if err != nil {
		return err
	}
	if c.Image, err = inspect(own, arch); err != nil {
		return err
	}
	for i, s := range c.Image.Sites {
		if s.After, err = s.replacement(arch, c.Shift, c.Tag); err != nil {
			return err
		}
		s.Before = s.Before[:len(s.After)] // what lies behind is never run then
		c.Image.Sites[i] = s
	}
	return nil
}

// fits refuses a process whose clock can't be shifted or put back.
func (c Change) fits(p process.ID) error {
	field := c.Selection.Field()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID))
	if err == nil && strings.Contains(string(status), "\nSeccomp:\t2") {
		return fault.Refuse(field, "selects %s, which filters its system calls (seccomp(2)) and may be killed for asking the kernel for the time; select others", p)
	}
	switch state, err := c.look(p); {
	case errors.Is(err, fault.ErrUnsupported):
		return fault.Refuse(field, "selects %s: %v; select others", p, err)
	case err != nil:
		return err
	case state != pristine:
		return fault.Refuse(field, "selects %s, whose vDSO is not the kernel's: it is another architecture's, or somebody else shifted its clock; select others", p)
	}
	return nil
}

// selected lists the processes that are meant now, with their descendants.
func (c Change) selected() ([]process.ID, error) {
	list, err := c.Selection.List()
	if err != nil {
		return nil, err
	}
	return c.Selection.WithDescendants(list)
}

// Apply implements fault.Plugin. Called again it shifts what was executed anew.
func (k Plugin) Apply(_ context.Context, t fault.Target, c Change, _, _ fault.BootTime) error {
	if err := process.SameBoot(t); err != nil {
		return err
	}
	list, err := c.selected()
	if err != nil {
		return err
	}
	for _, p := range list {
		switch state, err := c.look(p); {
		case errors.Is(err, process.ErrEnded) || err == nil && state == shifted:
			continue
		case err != nil:
			return err
		case state == foreign:
			return fmt.Errorf("%w: the vDSO of %s is another one", fault.ErrChanged, p)
		}
		if err := k.replace(p, c.Image, true); err != nil && !errors.Is(err, process.ErrEnded) {
			return fmt.Errorf("shift the clock of %s: %w", p, err)
		}
	}
	return nil
}

// Revert implements fault.Plugin. It puts back every process that holds the
// injection's code, whosever child it is; programs that ended took theirs along.
func (k Plugin) Revert(_ context.Context, t fault.Target, c Change) error {
	if err := process.SameBoot(t); err != nil {
		return err
	}
	for range 10 { // one may fork while we look
		holders, err := c.holders()
		if err != nil {
			return err
		}
		if len(holders) == 0 {
			return c.left()
		}
		for _, p := range holders {
			if err := k.replace(p, c.Image, false); err != nil && !errors.Is(err, process.ErrEnded) {
				return fmt.Errorf("put back the clock of %s: %w", p, err)
			}
		}
	}
	return errors.New("put back clocks: processes fork faster than they can be put back")
}

// left says what became of the processes of the record that are as the kernel
// made them, or another's.
func (c Change) left() error {
	alive := 0
	for _, p := range c.Found {
		state, err := c.look(p)
		if err != nil {
			continue // ended, or being executed anew: nothing of ours is in it
		}
		alive++
		if state == foreign {
			return fmt.Errorf("%w: somebody else changed the vDSO of %s", fault.ErrStuck, p)
		}
	}
	if alive == 0 {
		return fmt.Errorf("%w: all processes of the record have ended", fault.ErrGone)
	}
	return nil
}

// holders lists all processes of the host that hold the injection's code.
func (c Change) holders() ([]process.ID, error) {
	all, err := process.All()
	return slices.DeleteFunc(all, func(p process.ID) bool {
		state, err := c.look(p)
		return err != nil || state != shifted && state != halfway
	}), err
}

// Observe implements fault.Plugin. Achieved is decoded from the code that is in
// the processes.
func (Plugin) Observe(_ context.Context, _ fault.Target, c Change) (fault.Observation, error) {
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Asked: []fault.Measure{{Name: "clock shifted", Value: c.Shift.Seconds(), Unit: "s"}}}
	list, err := c.selected()
	if err != nil {
		return o, err
	}
	holders, err := c.holders()
	if err != nil {
		return o, err
	}
	not := 0
	for _, p := range list {
		if state, err := c.look(p); err == nil && state != shifted {
			not++
		}
	}
	o.Detail = fmt.Sprintf("%d processes see the shifted clock, %d selected ones do not", len(holders), not)
	seen := 0.0
	if len(holders) > 0 {
		o.State = fault.Partial
		if seen, err = c.decoded(holders[0]); err != nil && !errors.Is(err, process.ErrEnded) {
			return o, err
		}
		if not == 0 && seen == c.Shift.Seconds() {
			o.State, o.Dose = fault.Present, fault.InForce
		}
	}
	o.Achieved = []fault.Measure{
		{Name: "clock shifted", Value: seen, Unit: "s"},
		{Name: "processes shifted", Value: float64(len(holders)), Unit: "processes"},
	}
	return o, nil
}
