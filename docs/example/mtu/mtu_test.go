package mtu

import (
	"fmt"
	"net"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

var driver = fault.NewDriver(Plugin{})

func TestMain(m *testing.M) { faulttest.Main(m, driver) }

func TestConformance(t *testing.T) {
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{MTU: 1300},
		Meter:  pathMTU,
		Disturb: &faulttest.Disturbance{
			Change: set(1400),
			Kept: func(h *faulttest.Host) error {
				now, err := pathMTU(h)
				if err == nil && now[0].Value != 1400 {
					err = fmt.Errorf("the MTU is %v, the other owner set 1400", now[0].Value)
				}
				return err
			},
			Undo:  set(1500),
			Stuck: true,
		},
	})
}

func TestRefusals(t *testing.T) {
	for field, p := range map[string]Params{"mtu": {MTU: 9000}, "device": {MTU: 1300, Device: "eth7"}} {
		t.Run(field, func(t *testing.T) {
			faulttest.Run(t, driver, faulttest.Case{Params: p, Refused: field})
		})
	}
}

// set is somebody else who tunes the device.
func set(mtu int) func(*faulttest.Host) error {
	return func(h *faulttest.Host) error {
		return h.Do(func() error {
			link, err := netlink.LinkByName("eth0")
			if err != nil {
				return err
			}
			return netlink.LinkSetMTU(link, mtu)
		})
	}
}

// pathMTU is the meter: what the kernel would let a socket send to a neighbour.
func pathMTU(h *faulttest.Host) (measures []fault.Measure, err error) {
	err = h.Do(func() error {
		conn, err := net.Dial("udp4", "10.77.1.2:9")
		if err != nil {
			return err
		}
		defer conn.Close()
		raw, err := conn.(*net.UDPConn).SyscallConn()
		if err != nil {
			return err
		}
		n, inner := 0, error(nil)
		err = raw.Control(func(fd uintptr) { n, inner = unix.GetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU) })
		if err != nil {
			return err
		}
		measures = bytes(n)
		return inner
	})
	return measures, err
}
