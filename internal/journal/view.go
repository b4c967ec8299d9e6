package journal

import (
	"slices"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// view is the state that the records add up to.
type view struct {
	byID  map[fault.InjectionID]*Record
	order []fault.InjectionID
}

func newView(records []Record) view {
	v := view{byID: map[fault.InjectionID]*Record{}}
	for _, r := range records {
		v.add(r)
	}
	return v
}

func (v *view) add(r Record) {
	known := v.byID[r.ID]
	if known != nil && known.again(r) {
		v.order = slices.DeleteFunc(v.order, func(id fault.InjectionID) bool { return id == r.ID })
		known = nil
	}
	if known != nil {
		if known.Phase.Live() || !r.Phase.Live() { // an end is final
			known.merge(r)
		}
		return
	}
	v.byID[r.ID] = &r
	v.order = append(v.order, r.ID)
}

func (v *view) live() []Record  { return v.filter(Phase.Live) }
func (v *view) ended() []Record { return v.filter(func(p Phase) bool { return !p.Live() }) }

func (v *view) filter(keep func(Phase) bool) (out []Record) {
	for _, id := range v.order {
		if r := v.byID[id]; keep(r.Phase) {
			out = append(out, *r)
		}
	}
	return out
}

func stamped(r Record) Record {
	if r.Wall.IsZero() {
		r.Wall = time.Now()
	}
	return r
}

// shorten keeps an error small enough for the room that is kept for an end.
func shorten(e *fault.Error) *fault.Error {
	if e == nil || len(e.Message) <= maxMessage {
		return e
	}
	short := *e
	short.Message = short.Message[:maxMessage]
	return &short
}
