package powerloss

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/redfish"
)

// redfishMode switches a machine off at the management controller beside it, and
// on again at the end. It acts from another host: the target's agent goes down
// with its machine. Where the controllers are, and who may use them, stands in a
// file of the acting host that root alone can read (Target.Power).
type redfishMode struct {
	self     string        // file with the UUID of the acting machine
	patience time.Duration // until a machine whose controller said yes must be off
}

// redfishChange is the machine as its controller described it when it had power.
type redfishChange struct {
	Machine redfish.System `json:"machine,omitzero"`
	// Pinged says that the machine answered an echo request in prepare, so that
	// silence after the cut means something.
	Pinged bool `json:"pinged,omitempty"`
}

// The phases of a cut by controllers, beside Began.
const (
	Ordered = "ordered" // all controllers have taken the order
	Off     = "off"     // all controllers say that their machine is off
)

// offLimit leaves room in the time that the agent gives Apply.
const offLimit = 20 * time.Second

// machineUUID is the machine's own word for what its controller calls UUID,
// Documentation/ABI/testing/sysfs-class-dmi.
const machineUUID = "/sys/class/dmi/id/product_uuid"

func (redfishMode) describe() fault.Mode { return fault.Mode{OutOfBand: true, Machine: true} }

// wholeMachine refuses what a mode that switches a machine can't do.
func (p Params) wholeMachine(m Mode) error {
	if p.Brownout != nil {
		return fault.Refuse("brownout", "mode %s can't do that: nothing stops a whole machine and lets it go on", m)
	}
	return p.WorkloadParams.none(m)
}

// login is a session at the controller of a target.
type login struct {
	*redfish.Session
	at redfish.Controller
}

func logIn(ctx context.Context, t fault.Target) (*login, error) {
	at, err := redfish.Read(t.Power, t.Host)
	if err != nil {
		return nil, err
	}
	s, err := redfish.Open(ctx, at)
	if err != nil {
		return nil, err
	}
	return &login{s, at}, nil
}

func (m redfishMode) prepare(ctx context.Context, t fault.Target, p Params, c *Change) error {
	if err := p.wholeMachine(ModeRedfish); err != nil {
		return err
	}
	if t.Power == "" {
		return fault.Refuse("mode", "this agent knows no controller of host %q; give it a file of controllers with --bmc", t.Host)
	}
	s, err := logIn(ctx, t)
	if err != nil {
		return fault.Refuse("", "host %s can't be switched: %v", t.Host, err)
	}
	defer s.Close()
	now, err := s.Look()
	switch {
	case err != nil:
		return fault.Refuse("", "host %s can't be switched: %v", t.Host, err)
	case now.Power == redfish.Off:
		return fault.Refuse("", "host %s is off already", t.Host)
	case now.Power != redfish.On:
		return fault.Refuse("", "host %s is %s; wait until its controller says On", t.Host, now.Power)
	case m.own(now.UUID):
		return fault.Refuse("", "host %s is the machine that this agent runs on; let an agent on another one switch it", t.Host)
	}
	if err := s.Switchable(); err != nil {
		return fmt.Errorf("prepare to switch host %s: %w", t.Host, err)
	}
	c.Machine, c.Pinged = now, s.at.Ping.IsValid() && pinged(ctx, s.at.Ping)
	return nil
}

// own says whether uuid is the acting machine's. Old firmware has the first three
// fields in the other byte order, SMBIOS 7.2.1.
func (m redfishMode) own(uuid string) bool {
	text, err := os.ReadFile(m.self)
	self := strings.ToLower(strings.TrimSpace(string(text)))
	uuid = strings.ToLower(uuid)
	return err == nil && self != "" && (uuid == self || swapped(uuid) == self)
}

func swapped(uuid string) string {
	fields := strings.Split(uuid, "-")
	for n, f := range fields[:min(3, len(fields))] {
		var turned string
		for ; len(f) >= 2; f = f[2:] {
			turned = f[:2] + turned
		}
		fields[n] = turned
	}
	return strings.Join(fields, "-")
}

// apply logs in everywhere, then orders everywhere, then waits for all: machines
// that share a feed lose it together.
func (m redfishMode) apply(ctx context.Context, items []fault.Item[Change], _ fault.BootTime) []error {
	sessions := make([]*login, len(items))
	defer func() {
		for _, s := range sessions {
			if s != nil {
				s.Close()
			}
		}
	}()
	errs := make([]error, len(items))
	together := func(step func(i int) error) {
		var all sync.WaitGroup
		for i, it := range items {
			if errs[i] != nil {
				continue
			}
			all.Go(func() {
				if err := step(i); err != nil {
					errs[i] = fmt.Errorf("switch off host %s: %w", it.Target.Host, err)
				}
			})
		}
		all.Wait()
	}
	together(func(i int) (err error) {
		sessions[i], err = m.begin(ctx, items[i])
		return err
	})
	fault.Mark(ctx, Began)
	together(func(i int) error { return sessions[i].Switch(redfish.Off) })
	fault.Mark(ctx, Ordered)
	limited, cancel := context.WithTimeoutCause(ctx, m.patience, fmt.Errorf("not off within %s", m.patience))
	defer cancel()
	together(func(i int) error {
		_, err := sessions[i].Await(limited, redfish.Off)
		return err
	})
	fault.Mark(ctx, Off)
	return errs
}

// begin logs in and looks whether this is still the machine of the record. One
// that is off needs no more: Switch leaves it.
func (redfishMode) begin(ctx context.Context, it fault.Item[Change]) (*login, error) {
	s, err := logIn(ctx, it.Target)
	if err != nil {
		return nil, err
	}
	now, err := s.Look()
	switch {
	case err != nil:
	case !now.Same(it.Change.Machine):
		err = fmt.Errorf("%w: another machine answers at its controller: %+v, was %+v", fault.ErrChanged, now, it.Change.Machine)
	case now.Power == redfish.PoweringOn:
		err = fmt.Errorf("%w: it is being switched on", fault.ErrChanged)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// observe asks the controller, and the machine itself where that answers echo
// requests: a controller may be wrong.
func (redfishMode) observe(ctx context.Context, t fault.Target, c Change) (fault.Observation, error) {
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Asked: powered(0, 0)}
	s, err := logIn(ctx, t)
	if err != nil {
		return o, fmt.Errorf("look at host %s: %w", t.Host, err)
	}
	defer s.Close()
	now, err := s.Look()
	if err != nil {
		return o, fmt.Errorf("look at host %s: %w", t.Host, err)
	}
	heard := s.at.Ping.IsValid() && pinged(ctx, s.at.Ping)
	o.Achieved = powered(count(now.Power != redfish.Off), count(heard))
	o.Detail = fmt.Sprintf("its controller says %s, it answered pings before %t, now %t", now.Power, c.Pinged, heard)
	switch {
	case !now.Same(c.Machine):
		return o, fmt.Errorf("%w: another machine answers at the controller of host %s: %+v, was %+v", fault.ErrGone, t.Host, now, c.Machine)
	case now.Power == redfish.On:
	case now.Power != redfish.Off || heard:
		o.State = fault.Partial
	default:
		o.State, o.Dose = fault.Present, fault.InForce
		if c.Pinged {
			o.Dose = fault.Exercised
		}
	}
	return o, nil
}

func powered(on, heard int) []fault.Measure {
	return []fault.Measure{
		{Name: "hosts with power", Value: float64(on), Unit: "hosts"},
		{Name: "pings answered", Value: float64(heard), Unit: "pings"},
	}
}

// revert switches the machine on and waits until its controller says so; that it
// boots is its own affair. While the controller can't be reached nothing else can
// be done, and the agent tries again.
func (redfishMode) revert(ctx context.Context, t fault.Target, c Change) error {
	s, err := logIn(ctx, t)
	if err != nil {
		return stays(t, err)
	}
	defer s.Close()
	now, err := s.Look()
	switch {
	case err != nil:
		return stays(t, err)
	case !now.Same(c.Machine):
		return fmt.Errorf("%w: another machine answers at the controller of host %s: %+v, was %+v", fault.ErrGone, t.Host, now, c.Machine)
	case now.Power == redfish.PoweringOff: // takes no order until it is off
		if _, err := s.Await(ctx, redfish.Off); err != nil {
			return stays(t, err)
		}
	}
	if err := s.Switch(redfish.On); err != nil {
		return stays(t, err)
	}
	if _, err := s.Await(ctx, redfish.On); err != nil {
		return stays(t, err)
	}
	return nil
}

// stays says what a revert that went wrong means for the host.
func stays(t fault.Target, err error) error {
	if errors.Is(err, redfish.ErrConfig) {
		return fmt.Errorf("switch on host %s: %w; it stays as it is until that is put right, or switch it on by hand", t.Host, err)
	}
	return fmt.Errorf("switch on host %s: %w; it stays as it is until its controller obeys, or switch it on by hand", t.Host, err)
}
