package powerloss

import (
	"context"
	"fmt"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

var driver = fault.NewDriver[Params, Change](&Plugin{})

func TestConformance(t *testing.T) {
	t.Parallel()
	var theirs string // boot id of the host that somebody else switched on
	faulttest.Run(t, driver, faulttest.Case{
		Disturb: &faulttest.Disturbance{
			Change: func(h *faulttest.Host) error {
				s, err := h.Lab.Power().On(context.Background(), h.Name)
				theirs = s.BootID
				return err
			},
			Kept: func(h *faulttest.Host) error {
				s, err := h.Lab.Power().Status(context.Background(), h.Name)
				if err == nil && (!s.On || s.BootID != theirs) {
					err = fmt.Errorf("host is on: %v, with boot id %s; theirs was %s", s.On, s.BootID, theirs)
				}
				return err
			},
			Undo: func(*faulttest.Host) error { return nil },
		},
	})
}
