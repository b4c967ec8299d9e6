package fault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
)

// NewDriver erases the types of a plugin: parameters are decoded strictly,
// change records leniently. Its Apply does the waiting for the start, so a
// plugin's own Apply is called when the instant has come.
func NewDriver[P, C any](p Plugin[P, C]) Driver { return &typed[P, C]{plugin: p} }

type typed[P, C any] struct{ plugin Plugin[P, C] }

// Describe adds what is derived to what the plugin says of itself.
func (d *typed[P, C]) Describe(context.Context) (Info, error) {
	info := d.plugin.Describe()
	info.ContractVersion = ContractVersion
	if len(info.Params) == 0 {
		s, err := paramsSchema[P]()
		if err != nil {
			return Info{}, fmt.Errorf("derive parameter schema of %s: %w", info.Kind, err)
		}
		info.Params = s
	}
	return info, nil
}

func (d *typed[P, C]) Prepare(ctx context.Context, t Target, params json.RawMessage) (json.RawMessage, error) {
	p, err := decodeStrict[P](params)
	if err != nil {
		return nil, err
	}
	c, err := d.plugin.Prepare(ctx, t, p)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode change record: %w", err)
	}
	return b, nil
}

func (d *typed[P, C]) Observe(ctx context.Context, t Target, change json.RawMessage) (Observation, error) {
	c, err := decodeLenient[C](change)
	if err != nil {
		return Observation{}, err
	}
	return orAbsent(d.plugin.Observe(ctx, t, c))
}

// orAbsent is what was observed, where the target itself is gone: the fault went
// with it.
func orAbsent(o Observation, err error) (Observation, error) {
	if errors.Is(err, ErrGone) {
		o.State, o.Dose, o.Detail = Absent, NotInForce, err.Error()
		return o, nil
	}
	return o, err
}

func (d *typed[P, C]) Revert(ctx context.Context, t Target, change json.RawMessage) error {
	c, err := decodeLenient[C](change)
	if err != nil {
		return err
	}
	return d.plugin.Revert(ctx, t, c)
}

// Apply decodes everything first, so that nothing is left to do between the
// start and the first system call. It runs on a thread of its own, which ends
// with it: the thread may have been made real-time.
func (d *typed[P, C]) Apply(ctx context.Context, raw []RawItem, at, until BootTime) ([]Applied, error) {
	items := make([]Item[C], len(raw))
	for i, r := range raw {
		c, err := decodeLenient[C](r.Change)
		if err != nil {
			return nil, fmt.Errorf("injection %s: %w", r.ID, err)
		}
		items[i] = Item[C]{ID: r.ID, Target: r.Target, Change: c}
	}
	out := make(chan []Applied, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		out <- d.applyOnThread(ctx, items, at, until)
	}()
	return <-out, nil
}

func (d *typed[P, C]) applyOnThread(ctx context.Context, items []Item[C], at, until BootTime) []Applied {
	results := make([]Applied, len(items))
	if at == 0 {
		at = Now()
	}
	w, err := waitUntil(ctx, at)
	if err == nil && until != 0 && w.woke >= until {
		// A process that was stopped over its lease must not bring the fault back.
		err = fmt.Errorf("start: the end has passed %v ago", w.woke.Sub(until))
	}
	for i, it := range items {
		results[i] = Applied{ID: it.ID, At: at, Woke: w.woke, Timer: w.timer}
	}
	if err != nil {
		for i := range results {
			results[i].Done = Now()
			results[i].Err = AsError(err)
		}
		return results
	}
	if b, ok := d.plugin.(Batcher[C]); ok {
		applyBatch(ctx, b, items, at, until, results)
		return results
	}
	for i, it := range items {
		ctx, marks := withMarks(ctx)
		err := d.plugin.Apply(ctx, it.Target, it.Change, at, until)
		results[i].Done = Now()
		results[i].Phase = marks.all()
		results[i].Err = AsError(err)
	}
	return results
}

func applyBatch[C any](ctx context.Context, b Batcher[C], items []Item[C], at, until BootTime, results []Applied) {
	ctx, marks := withMarks(ctx)
	errs := b.ApplyBatch(ctx, items, at, until)
	done := Now()
	for i := range results {
		results[i].Done = done
		results[i].Phase = marks.all()
		if i >= len(errs) {
			results[i].Err = &Error{Code: CodeInternal, Message: fmt.Sprintf("the plugin answered for %d of %d injections", len(errs), len(items))}
			continue
		}
		results[i].Err = AsError(errs[i])
	}
}
