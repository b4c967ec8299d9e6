package clients

import (
	"context"
	"fmt"
	"time"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/crowd"
)

// crowd turns one load of the file into the people who make it.
func (e *expander) crowd(l experiments.Load, seed int64, wall func(experiments.Instant) time.Duration) crowd.Spec {
	spec := crowd.Spec{Name: l.Load, Home: e.request(l.HTTP), Users: l.Users, Every: time.Duration(l.Every), Timeout: timeout(l.Timeout), Seed: seed,
		Retry: crowd.Retry{First: time.Duration(l.Retry.First), Factor: l.Retry.Factor, Max: time.Duration(l.Retry.Max)}}
	if l.Retry.Jitter != nil {
		spec.Retry.Jitter = float64(*l.Retry.Jitter)
	}
	for _, s := range l.Surges {
		spec.Surges = append(spec.Surges, crowd.Surge{From: wall(s.At), For: time.Duration(s.For), Extra: s.Extra(l.Users)})
	}
	if r := l.Rival; r != nil {
		spec.Rival = &crowd.Rival{Request: e.request(r.HTTP), After: time.Duration(r.After), Look: time.Duration(r.Look)}
	}
	return spec
}

// checkLoads refuses what would ask without a pause.
func (c Config) checkLoads() error {
	for _, l := range c.Loads {
		if l.Every <= 0 || l.Timeout <= 0 || l.Retry.First <= 0 || l.Retry.Max <= 0 || l.Retry.Factor < 1 {
			return fmt.Errorf("configure load %s: every, timeout and the waits of retry must be positive, and factor at least 1", l.Name)
		}
		if l.Rival != nil && (l.Rival.After <= 0 || l.Rival.Look <= 0) {
			return fmt.Errorf("configure load %s: after and look of the rival must be positive", l.Name)
		}
		if len(l.Home.URLs) == 0 || l.Rival != nil && len(l.Rival.Request.URLs) == 0 {
			return fmt.Errorf("configure load %s: it has no URL", l.Name)
		}
	}
	return nil
}

// loads are the crowds of one server; starts tells each when T0 is, once.
type loads struct {
	group
	starts []chan int64
}

// tell tells the crowds when T0 is, in ns of CLOCK_BOOTTIME.
func (l *loads) tell(t0 int64) {
	for _, start := range l.starts {
		start <- t0
	}
	l.starts = nil
}

// runLoads lets the crowds live until their group is stopped.
func (s *server) runLoads(ctx context.Context, specs []crowd.Spec) {
	ctx = s.loads.begin(ctx)
	for _, spec := range specs {
		start := make(chan int64, 1)
		s.loads.starts = append(s.loads.starts, start)
		s.loads.Go(func() {
			crowd.Run(ctx, spec, s.clock, start, func(second crowd.Second) { s.out.send(line{Second: &second}) })
		})
	}
}
