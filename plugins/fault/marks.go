package fault

import (
	"context"
	"slices"
	"sync"
)

type marksKey struct{}

type markList struct {
	mu     sync.Mutex
	phases []Phase
}

func withMarks(ctx context.Context) (context.Context, *markList) {
	m := &markList{}
	return context.WithValue(ctx, marksKey{}, m), m
}

func (m *markList) all() []Phase {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.phases)
}

// Mark records that the phase of this name has been reached now. It is called
// inside Apply or ApplyBatch with their context; the phases of a batch stand at
// each of its injections. Elsewhere it does nothing.
func Mark(ctx context.Context, name string) { MarkAt(ctx, name, Now()) }

// MarkAt is Mark for a phase that was seen at another instant, such as by a meter.
func MarkAt(ctx context.Context, name string, at BootTime) {
	m, ok := ctx.Value(marksKey{}).(*markList)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.phases = append(m.phases, Phase{Name: name, At: at})
}
