package traffic

import (
	"errors"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// A discipline that no kernel has is told from one that each has.
func TestProbe(t *testing.T) {
	need.Check(t, need.Root)
	if err := Probe(netlink.NewPrio(netlink.QdiscAttrs{})); err != nil && !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("prio: %v", err)
	}
	err := Probe(&netlink.GenericQdisc{QdiscType: "nosuch"})
	if !errors.Is(err, fault.ErrUnsupported) || !strings.Contains(err.Error(), "sch_nosuch") {
		t.Errorf("nosuch: %v", err)
	}
}
