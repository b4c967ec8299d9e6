package linkdown

import (
	"errors"
	"net"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

var driver = fault.NewDriver(Plugin{})

func TestMain(m *testing.M) { faulttest.Main(m, driver) }

// onEth0 acts on the host's network device.
func onEth0(act func(netlink.Link) error) func(*faulttest.Host) error {
	return func(h *faulttest.Host) error {
		return h.Do(func() error {
			link, err := netlink.LinkByName("eth0")
			if err != nil {
				return err
			}
			return act(link)
		})
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{Device: "eth0"},
		Setup: onEth0(func(link netlink.Link) error {
			_, peers, err := net.ParseCIDR("10.200.0.0/16")
			return errors.Join(err, netlink.LinkSetAlias(link, "theirs"), netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: peers, Table: 77}))
		}),
		Meter: func(h *faulttest.Host) (m []fault.Measure, err error) {
			return m, onEth0(func(link netlink.Link) error {
				m = []fault.Measure{{Name: "devices down", Value: 1, Unit: "devices"}}
				if isUp(link) {
					m[0].Value = 0
				}
				return nil
			})(h)
		},
		Disturb: &faulttest.Disturbance{
			Change: onEth0(netlink.LinkSetUp),
			Kept: onEth0(func(link netlink.Link) error {
				if !isUp(link) {
					return errors.New("the device that somebody set up is down")
				}
				return nil
			}),
			Undo:  func(*faulttest.Host) error { return nil },
			Stuck: true,
		},
	})
}

func TestConformanceOfRefusals(t *testing.T) {
	t.Parallel()
	for _, device := range []string{"lo", "nosuch"} {
		t.Run(device, func(t *testing.T) {
			faulttest.Run(t, driver, faulttest.Case{Params: Params{Device: device}, Refused: "device"})
		})
	}
}
