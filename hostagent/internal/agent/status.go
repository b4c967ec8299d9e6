package agent

import (
	"slices"
	"time"

	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

func (a *Agent) status(c control.Command) control.StatusReply {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := control.StatusReply{
		Agent: a.cfg.Name, Hosts: a.cfg.Hosts, Version: a.cfg.Version, BootID: a.bootID, OutOfBand: a.cfg.OutOfBand,
		Guardian: a.guard != nil && a.guard.Alive(), TookOver: a.takenFor[c.Run],
		Now: time.Now(), BootTimeNS: int64(fault.Now()),
	}
	for kind, info := range a.infos {
		if info.By(a.cfg.OutOfBand) {
			s.Kinds = append(s.Kinds, kind)
		}
	}
	slices.Sort(s.Kinds)
	for id := range a.live {
		s.Live = append(s.Live, id)
	}
	slices.Sort(s.Live)
	return s
}

func (a *Agent) eventOf(inj *injection, t evidence.Type) evidence.Event {
	return evidence.Event{
		Type: t, Run: inj.run, Host: inj.Host, Stage: inj.Stage, Injection: string(inj.ID), Fault: string(inj.Kind),
	}
}

// emit keeps evidence. The host matters more: an error is logged, nothing else.
func (a *Agent) emit(e evidence.Event) {
	if a.cfg.Evidence == nil {
		return
	}
	if e.Wall.IsZero() {
		e.Wall, e.Boot = time.Now(), int64(fault.Now())
	}
	e.Source, e.Agent = evidence.FromAgent, a.cfg.Name
	if err := a.cfg.Evidence.Append(e); err != nil {
		a.cfg.Logger.Warn("keep evidence", "error", err)
	}
}
