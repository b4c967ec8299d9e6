package linkdown

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Observe implements fault.Plugin. Present means that the device is down and
// marked as ours; exercised, that the kernel refused a packet for it.
func (Plugin) Observe(_ context.Context, t fault.Target, c Change) (fault.Observation, error) {
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Asked: devices(1), Achieved: devices(0)}
	err := c.Do(t, func() error {
		link, err := c.find()
		if err != nil {
			return err
		}
		a := link.Attrs()
		o.Detail = fmt.Sprintf("%s is %s, set up: %t", c.Device, a.OperState, isUp(link))
		if a.Alias != c.lowering() && a.Alias != c.down() && a.Alias != c.rising() {
			return nil
		}
		o.State = fault.Partial
		if isUp(link) {
			return nil
		}
		o.State, o.Dose, o.Achieved = fault.Present, fault.InForce, devices(1)
		if errors.Is(canary(c.Index), unix.ENETDOWN) {
			o.Dose = fault.Exercised
			o.Detail += "; a packet for it was refused"
		}
		return nil
	})
	if err == nil {
		err = c.Check()
	}
	if errors.Is(err, fault.ErrGone) {
		o.Dose = fault.NotInForce
		o.Detail, err = err.Error(), nil
	}
	return o, err
}

func devices(n float64) []fault.Measure {
	return []fault.Measure{{Name: "devices down", Value: n, Unit: "devices"}}
}

// experimental is the Ethernet type for experiments on one's own network, IEEE
// 802: nobody minds such a packet, should the device come up just now.
const experimental = 0x88b5

// canary sends one packet through the device; ENETDOWN if it is down (packet(7)).
func canary(index int) error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open canary socket: %w", err)
	}
	defer unix.Close(fd)
	to := &unix.SockaddrLinklayer{Ifindex: index, Protocol: experimental>>8 | experimental&0xff<<8, Halen: 6, Addr: [8]byte{2}}
	return unix.Sendto(fd, []byte("firedrill canary"), 0, to)
}
