package cpu

import (
	"log/slog"
	"regexp"
	"strconv"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
)

// quota is the record of a lowered quota.
type quota struct {
	Quota   group.Setting `json:"quota,omitzero"`
	Percent float64       `json:"percent,omitzero"` // asked, of one CPU
	// Throttled is how often the group had been throttled before. It says nothing
	// if the group had a quota before: then it may have gone on until Apply.
	Throttled uint64 `json:"throttled,omitzero"`
	// HandDown, if set, makes systemd give the group its cpu.max.
	HandDown *group.HandDown `json:"hand_down,omitempty"`
	// Keep, if set, makes systemd keep the quota.
	Keep *group.Keep `json:"keep,omitempty"`
}

func prepareQuota(p Params) (quota, error) {
	percent, err := parsePercent("quota", p.Quota, "of one CPU; write it like 20%, or 200% for two CPUs")
	if err != nil {
		return quota{}, err
	}
	g, err := group.Find("cpu", p.Scope)
	if err != nil {
		return quota{}, err
	}
	down := g.HandDown("cpu")
	before := untouched
	if down == nil || g.Has(maxFile) {
		if before, err = read(g); err != nil {
			return quota{}, err
		}
	}
	after := before.lowered(percent)
	if err := fits(g, before, after); err != nil {
		return quota{}, err
	}
	throttled, err := throttledPeriods(g)
	if err != nil {
		return quota{}, err
	}
	s := group.Setting{Group: g, File: before.file, Before: before.text(), After: after.text()}
	return quota{Quota: s, Percent: percent, Throttled: throttled, HandDown: down, Keep: after.keep(g)}, nil
}

func (q quota) apply(t fault.Target, _ fault.BootTime, _ *slog.Logger) error {
	if err := q.HandDown.Apply(t, q.Quota); err != nil {
		return err
	}
	return q.Keep.Apply()
}

func (q quota) revert(t fault.Target) error {
	return q.Keep.Revert(func() error { return q.HandDown.Revert(t, q.Quota) })
}

var percentForm = regexp.MustCompile(`^[0-9]+([.][0-9]+)?%$`)

// parsePercent reads a percentage above 0; of says of what, and how it is written.
func parsePercent(field, s, of string) (percent float64, err error) {
	if !percentForm.MatchString(s) {
		return 0, fault.Refuse(field, "%q is no percentage %s", s, of)
	}
	if percent, err = strconv.ParseFloat(s[:len(s)-1], 64); err != nil || percent <= 0 {
		return 0, fault.Refuse(field, "%q is out of range; give more than 0%%", s)
	}
	return percent, nil
}
