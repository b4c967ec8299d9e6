package linkdown

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// settle is how long a route may take until it can be set: one whose source is
// an IPv6 address waits for the end of duplicate address detection.
const settle = 3 * time.Second

// restore adds what is not there. It is idempotent: what is there again, because
// the kernel or somebody else made it, is left.
func (s Saved) restore(index int) error {
	gone := uint32(fault.Now().Sub(s.At) / time.Second)
	for _, m := range s.Addresses {
		if m, ok := m.aged(gone); ok {
			if err := send(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, m); err != nil && !errors.Is(err, unix.EEXIST) {
				return fmt.Errorf("add IPv6 address: %w", err)
			}
		}
	}
	for _, m := range s.Neighbours {
		if err := send(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, m); err != nil {
			return fmt.Errorf("add neighbour: %w", err)
		}
	}
	if err := s.restoreRoutes(index, gone); err != nil {
		return err
	}
	return s.removeNew(index)
}

// restoreRoutes goes over what is missing again and again: a gateway must be
// reachable before a route may go through it.
func (s Saved) restoreRoutes(index int, gone uint32) error {
	for end := time.Now().Add(settle); ; time.Sleep(20 * time.Millisecond) {
		now, err := routes(index)
		if err != nil {
			return err
		}
		rest := missing(untimed(s.Routes), untimed(now))
		var refused error
		for _, m := range rest {
			if err := s.addRoute(m, gone); err != nil && !errors.Is(err, unix.EEXIST) {
				refused = fmt.Errorf("add route: %w", err)
			}
		}
		if refused == nil || time.Now().After(end) {
			return refused
		}
	}
}

// addRoute adds a route, m without the rest of its life.
func (s Saved) addRoute(m Message, gone uint32) error {
	for _, full := range s.Routes {
		if rest := full.number(routeHeader, rtaExpires); rest != 0 && string(m) == string(full.without(routeHeader, rtaExpires)) {
			if rest <= gone {
				return nil // it would have ended by now
			}
			m = m.with(rtaExpires, rest-gone)
			break
		}
	}
	// IPv4 may have several routes that differ in the hop alone: append. IPv6
	// would make one of two hops of them.
	flags := unix.NLM_F_CREATE | unix.NLM_F_APPEND
	if m[0] == unix.AF_INET6 {
		flags = unix.NLM_F_CREATE | unix.NLM_F_EXCL
	}
	return send(unix.RTM_NEWROUTE, flags, m)
}

// removeNew removes routes that the kernel made of addresses when the device came
// up and that were not there before: somebody had removed them.
func (s Saved) removeNew(index int) error {
	now, err := routes(index)
	if err != nil {
		return err
	}
	for _, m := range missing(untimed(now), untimed(s.Routes)) {
		if m[routeProtocol] != unix.RTPROT_KERNEL {
			continue
		}
		if err := send(unix.RTM_DELROUTE, 0, m); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("remove route: %w", err)
		}
	}
	return nil
}

// forever is a lifetime without an end, in s.
const forever = ^uint32(0)

// aged takes the seconds that are gone off an address's lifetimes; ok is false if
// it would have ended by now.
func (m Message) aged(gone uint32) (out Message, ok bool) {
	out = append(Message(nil), m...)
	life := out.value(addressHeader, unix.IFA_CACHEINFO) // preferred, valid, two stamps
	if len(life) < 8 {
		return out, true
	}
	for i := 0; i < 8; i += 4 {
		if left := native.Uint32(life[i:]); left != forever {
			native.PutUint32(life[i:], left-min(left, gone))
		}
	}
	return out, native.Uint32(life[4:]) > 0
}
