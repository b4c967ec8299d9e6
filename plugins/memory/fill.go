package memory

import (
	"cmp"
	"log/slog"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/keep"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
)

// fill is the record of memory that is taken from the whole host.
type fill struct {
	Owner    string  `json:"owner"`          // names the injection's mark
	Take     uint64  `json:"take,omitempty"` // bytes; 0: until no more than Leave is available
	Leave    uint64  `json:"leave,omitempty"`
	Reserve  uint64  `json:"reserve"`  // bytes that stay available
	Pressure float64 `json:"pressure"` // share of time, in %, that programs may wait for want of memory
	Bounds   bounds  `json:"bounds"`
	Before   uint64  `json:"before"` // available when it was prepared
	Total    uint64  `json:"total"`
}

// What holds where the experiment file says nothing, and at least.
const (
	reserveDefault  = "256MiB"
	reserveLeast    = 64 * mib
	pressureDefault = "10%"
)

func prepareFill(p Params) (*fill, error) {
	f := &fill{Owner: keep.NewOwner()}
	var err error
	if f.Bounds, err = ownBounds(); err != nil {
		return nil, err
	}
	now, err := f.Bounds.room()
	if err != nil {
		return nil, err
	}
	f.Before, f.Total = now.available, now.total
	if f.Pressure, err = parsePressure(cmp.Or(p.Pressure, pressureDefault)); err != nil {
		return nil, err
	}
	if f.Reserve, _, err = parsePart("reserve", cmp.Or(p.Reserve, reserveDefault), f.Total); err != nil {
		return nil, err
	}
	n, isShare, err := parsePart("fill", p.Fill, f.Total)
	if err != nil {
		return nil, err
	}
	if isShare {
		f.Leave = f.Total - n
	} else {
		f.Take = n
	}
	return f, f.fits(now)
}

func parsePressure(s string) (float64, error) {
	percent, ok, err := parseShare("pressure", s)
	if err == nil && !ok {
		err = fault.Refuse("pressure", "%q is no percentage of time; write it like 10%%", s)
	}
	return percent, err
}

// parsePart reads an amount, or a share of total, in bytes.
func parsePart(field, s string, total uint64) (n uint64, isShare bool, err error) {
	percent, isShare, err := parseShare(field, s)
	if isShare || err != nil {
		return uint64(percent / 100 * float64(total)), isShare, err
	}
	n, err = parseAmount(field, s)
	return n, false, err
}

// fits refuses what would touch the reserve, and what takes nothing.
func (f *fill) fits(now room) error {
	switch {
	case f.Reserve < reserveLeast:
		return fault.Refuse("reserve", "is %s; the host itself needs %s or more", size(f.Reserve), size(reserveLeast))
	case f.Reserve >= now.available:
		return fault.Refuse("reserve", "is %s, and only %s of %s are available already", size(f.Reserve), size(now.available), size(now.total))
	case f.Take > now.available-f.Reserve:
		return fault.Refuse("fill", "takes %s, and %s are available, of which %s stay in reserve; take less", size(f.Take), size(now.available), size(f.Reserve))
	case f.Take == 0 && f.Leave < f.Reserve:
		return fault.Refuse("fill", "leaves %s of %s, and %s stay in reserve; give less, or a smaller reserve", size(f.Leave), size(now.total), size(f.Reserve))
	case f.Take == 0 && f.Leave >= now.available:
		return fault.Refuse("fill", "takes nothing: %.1f%% of %s are in use already; give more", now.used(), size(now.total))
	}
	return nil
}

// filling is a fill with what this process holds of all.
type filling struct {
	fill
	holder *keep.Holder[filled]
}

func (f filling) apply(t fault.Target, until fault.BootTime, log *slog.Logger) error {
	if err := process.SameBoot(t); err != nil {
		return err
	}
	return f.holder.Apply(f.Owner, until, func() (keep.Hold[filled], error) { return newFiller(f.fill) }, log)
}

func (f filling) revert(fault.Target) error { return f.holder.Revert(f.Owner) }
