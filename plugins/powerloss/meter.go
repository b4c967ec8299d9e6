package powerloss

import (
	"context"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// CanaryLost marks when the last host that had answered fell silent.
const CanaryLost = "canary-lost"

// meterStep is the pause between two rounds of canaries: fine enough beside the
// millisecond a rack takes to go dark, coarse enough not to delay it.
const meterStep = time.Millisecond

// meter watches hosts go dark from beside the cut.
type meter struct {
	hosts []*metered
	halt  chan struct{}
	done  chan struct{}
}

type metered struct {
	canary *canary
	heard  bool           // at least once
	lost   fault.BootTime // when the first of the unanswered canaries was sent; 0: the last one was answered
}

// startMeter has heard every host once before it returns, if it can be heard.
func startMeter(cuts []*cut) *meter {
	m := &meter{halt: make(chan struct{}), done: make(chan struct{})}
	for _, c := range cuts {
		// A host without a canary is simply not metered: Observe says so.
		if k, err := newCanary(c.cable, c.host); err == nil && k != nil {
			m.hosts = append(m.hosts, &metered{canary: k, heard: k.answered(meterStep)})
		}
	}
	go m.run()
	return m
}

func (m *meter) run() {
	defer close(m.done)
	for {
		for _, h := range m.hosts {
			if h.lost != 0 && !h.heard {
				continue
			}
			sent := fault.Now()
			switch answered := h.canary.answered(meterStep); {
			case answered:
				h.heard, h.lost = true, 0
			case h.lost == 0:
				h.lost = sent
			}
		}
		select {
		case <-m.halt:
			return
		case <-time.After(meterStep):
		}
	}
}

// stop ends the meter and marks CanaryLost if every host that was heard is silent.
func (m *meter) stop(ctx context.Context) {
	close(m.halt)
	<-m.done
	var last fault.BootTime
	heard, silent := 0, 0
	for _, h := range m.hosts {
		if !h.heard {
			continue
		}
		heard++
		if h.lost != 0 {
			silent++
			last = max(last, h.lost)
		}
	}
	if heard > 0 && silent == heard {
		fault.MarkAt(ctx, CanaryLost, last)
	}
}
