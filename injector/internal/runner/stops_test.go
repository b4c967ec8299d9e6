package runner

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firedrill-io/firedrill/experiments/condition"
	"github.com/firedrill-io/firedrill/internal/evidence"
)

type quiet struct{ said int }

func (q *quiet) say(evidence.Type, string, ...any) { q.said++ }

// Each script is what the condition says, a letter a second: t true, f false,
// ? unknown, ! an error. The condition must hold for 5 s.
func TestStopping(t *testing.T) {
	for script, want := range map[string]time.Duration{ // when it halts; -1: never
		"tttttttttt":                5 * time.Second,
		"ffttttttttff":              7 * time.Second,
		"ttttfttttfttttffffff":      -1,
		"tttftttttttttt":            9 * time.Second,
		"????????????":              -1,              // nothing was measured: no outage
		"tt????tttttt":              9 * time.Second, // the unknown seconds do not count
		"tt!!!!tttttt":              9 * time.Second,
		"tttt??fftt??tt??fffffffff": -1,
		"ffffffffffff":              -1,
	} {
		t.Run(script, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				s := &stopping{text: "x", need: 5 * time.Second, eval: func() (condition.State, error) {
					at := int(time.Since(began) / time.Second)
					switch script[min(at, len(script)-1)] {
					case 't':
						return condition.True, nil
					case 'f':
						return condition.False, nil
					case '!':
						return condition.Unknown, errors.New("broken")
					}
					return condition.Unknown, nil
				}}
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(len(script))*time.Second)
				defer cancel()
				at, log := time.Duration(-1), &quiet{}
				watchAll(ctx, []*stopping{s}, log, func(error) { at = time.Since(began) })
				if at < want-stopEvery || at > want+2*stopEvery {
					t.Errorf("halted at %s, want %s", at, want)
				}
				if strings.Contains(script, "!") != (log.said == 1) {
					t.Errorf("an error was said %d times", log.said)
				}
			})
		})
	}
}

// An injector that stood still saw nothing hold.
func TestStoppingWhileNobodyLooks(t *testing.T) {
	s := &stopping{need: 5 * time.Second, eval: func() (condition.State, error) { return condition.True, nil }}
	now := time.Now()
	for range 3 {
		if stop, _ := s.see(now); stop {
			t.Fatal("halted after three looks")
		}
		now = now.Add(time.Minute)
	}
}
