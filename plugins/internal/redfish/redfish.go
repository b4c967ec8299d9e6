// Package redfish switches a machine off and on through the management
// controller beside it (DMTF DSP0266), over TLS that is verified. It holds what
// such controllers do in practice: they are busy for a while, change slowly,
// answer 200 to what they do not do, and have room for a handful of sessions.
package redfish

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/stmcginnis/gofish"
	schema "github.com/stmcginnis/gofish/redfish"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// State is the power state of a machine, PowerState of ComputerSystem.
type State string

// The states of a machine. A controller may say others, such as Paused.
const (
	On          State = "On"
	Off         State = "Off"
	PoweringOn  State = "PoweringOn"
	PoweringOff State = "PoweringOff"
)

// System is what a controller says of its machine.
type System struct {
	ID     string `json:"id"`               // path of the resource, e.g. /redfish/v1/Systems/1
	UUID   string `json:"uuid,omitempty"`   // of the machine, as in its SMBIOS
	Serial string `json:"serial,omitempty"` // of the machine
	Power  State  `json:"power"`
}

// Same says whether b is the machine of a: after a repair another one may
// answer behind the same controller.
func (a System) Same(b System) bool {
	return a.ID == b.ID && a.UUID == b.UUID && a.Serial == b.Serial
}

// Session is a login at the controller of one machine.
type Session struct {
	at      Controller
	carrier *carrier
	api     *gofish.APIClient
	id      string // of the system
}

const (
	// closeLimit bounds a logout, which is tried whatever has happened: a
	// controller that keeps a handful of sessions would soon let nobody in.
	closeLimit = 3 * time.Second
	pollEvery  = 250 * time.Millisecond
)

// Open logs in at the controller and finds its machine. All calls of the session
// end with ctx, apart from Close, which the caller must call.
func Open(ctx context.Context, at Controller) (*Session, error) {
	carrier, err := newCarrier(ctx, at)
	if err != nil {
		return nil, err
	}
	s := &Session{at: at, carrier: carrier}
	// gofish keeps the context for all requests to come; the carrier has its own.
	s.api, err = gofish.ConnectContext(context.WithoutCancel(ctx), gofish.ClientConfig{
		Endpoint: at.URL, Username: at.User, Password: at.Password, HTTPClient: &http.Client{Transport: carrier, CheckRedirect: stay},
	})
	if err != nil {
		carrier.base.CloseIdleConnections()
		return nil, s.failed("log in", err)
	}
	if err := s.find(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close logs out.
func (s *Session) Close() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.carrier.ctx), closeLimit)
	defer cancel()
	s.carrier.ctx = ctx
	s.api.Logout()
	s.carrier.base.CloseIdleConnections()
}

// find chooses the system that the configuration names, or the only one.
func (s *Session) find() error {
	systems, err := s.api.Service.Systems()
	if err != nil {
		return s.failed("list systems", err)
	}
	var ids []string
	for _, system := range systems {
		if s.at.System == "" || s.at.System == system.ID || s.at.System == system.ODataID {
			s.id = system.ODataID
		}
		ids = append(ids, system.ID)
	}
	slices.Sort(ids)
	switch {
	case s.id == "":
		return fmt.Errorf("find system: %w: controller %s has no system %q; it has %v", ErrNoSystem, s.at.URL, s.at.System, ids)
	case s.at.System == "" && len(ids) > 1:
		return fmt.Errorf("find system: %w: controller %s has %v; say which in system", ErrNoSystem, s.at.URL, ids)
	}
	return nil
}

// Look reads the machine's state.
func (s *Session) Look() (System, error) {
	now, _, err := s.look()
	return now, err
}

func (s *Session) look() (System, *schema.ComputerSystem, error) {
	got, err := schema.GetComputerSystem(s.api, s.id)
	if err != nil {
		return System{}, nil, s.failed("read system", err)
	}
	return System{ID: s.id, UUID: got.UUID, Serial: got.SerialNumber, Power: State(got.PowerState)}, got, nil
}

// The ways of switching, the one that is wanted first. A controller names those
// it has; one that names none is asked for the first.
var ways = map[State][]schema.ResetType{Off: {schema.ForceOffResetType}, On: {schema.OnResetType, schema.ForceOnResetType}}

// way chooses how to reach a state.
func way(got *schema.ComputerSystem, to State) (schema.ResetType, error) {
	for _, kind := range ways[to] {
		if len(got.SupportedResetTypes) == 0 || slices.Contains(got.SupportedResetTypes, kind) {
			return kind, nil
		}
	}
	return "", fmt.Errorf("%w: the controller has none of %v, only %v", fault.ErrUnsupported, ways[to], got.SupportedResetTypes)
}

// Switchable says why the machine could not be switched off and on again; nil if
// it could.
func (s *Session) Switchable() error {
	_, got, err := s.look()
	if err != nil {
		return err
	}
	_, off := way(got, Off)
	_, on := way(got, On)
	return errors.Join(off, on)
}

// Switch asks for a state, On or Off at once, unless the machine has it or is on
// its way there. Only Await tells whether it came to that.
func (s *Session) Switch(to State) error {
	for range 2 {
		now, got, err := s.look()
		if err != nil {
			return err
		}
		if now.Power == to || now.Power == to.coming() {
			return nil
		}
		kind, err := way(got, to)
		if err != nil {
			return err
		}
		err = got.Reset(kind)
		if statusOf(err) == http.StatusPreconditionFailed {
			continue // it changed between the two requests
		}
		return s.failed("switch "+string(to), err)
	}
	return s.failed("switch "+string(to), errUnsettled)
}

// errUnsettled says that each look at the machine was out of date at once.
var errUnsettled = errors.New("the system's state changes with every request")

func (s State) coming() State { return "Powering" + s }

// Await returns when the machine is in a state, or with its last state and an
// error when ctx is done. A machine that turned back meanwhile (switched on, off
// again) is not asked anew.
func (s *Session) Await(ctx context.Context, want State) (System, error) {
	for {
		now, err := s.Look()
		if err != nil || now.Power == want {
			return now, err
		}
		select {
		case <-ctx.Done():
			return now, fmt.Errorf("await %s: controller %s still says %s: %w", want, s.at.URL, now.Power, context.Cause(ctx))
		case <-time.After(pollEvery):
		}
	}
}
