package halt

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// A run is found while it runs, asked with the asker's name, and answers when
// it has ended; then it is not found any more.
func TestSocket(t *testing.T) {
	run := fmt.Sprintf("test-%d", time.Now().UnixNano())
	asked := make(chan string, 1)
	s, err := Serve(run, func(who string) { asked <- who })
	if err != nil {
		t.Fatal(err)
	}
	if runs, err := Running(); err != nil || !slices.Contains(runs, run) {
		t.Errorf("%v, %v: %s is not found", runs, err, run)
	}
	go func() {
		who := <-asked
		s.End(Reply{Run: run, Outcome: "halted", Reason: "halted by " + who})
	}()
	r, err := Ask(t.Context(), run)
	if err != nil || r.Run != run || !strings.Contains(r.Reason, "pid") {
		t.Errorf("%+v, %v", r, err)
	}
	if runs, _ := Running(); slices.Contains(runs, run) {
		t.Error("a run that has ended is still found")
	}
	if _, err := Ask(t.Context(), run); err == nil {
		t.Error("a run that has ended was asked")
	}
}

// fakes answers halts; the text of an agent says how it does at each try, the
// last for good: r reverts one injection, n has nothing, x does not answer,
// - does not exist, s pins another key, f fails to revert.
type fakes struct {
	mu    sync.Mutex
	plays map[string]string
	by    string
}

func (f *fakes) Call(_ context.Context, agent string, verb control.Verb, body, out any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	play := f.plays[agent]
	if len(play) > 1 {
		f.plays[agent] = play[1:]
	}
	f.by = body.(control.HaltRequest).By
	reply := out.(*control.RevertReply)
	switch {
	case verb != control.VerbHalt:
		return fmt.Errorf("verb %s", verb)
	case play == "" || play[0] == '-':
		return fmt.Errorf("%w: %w", control.ErrUnreachable, nats.ErrNoResponders)
	case play[0] == 'x':
		return control.ErrUnreachable
	case play[0] == 's':
		return control.ErrSignature
	case play[0] == 'r':
		reply.Ended = []control.Ended{{ID: "cut", Phase: "reverted"}}
	case play[0] == 'f':
		reply.Ended = []control.Ended{{ID: "cut", Error: &fault.Error{Message: "busy"}}}
	}
	return nil
}

func TestAgents(t *testing.T) {
	for name, c := range map[string]struct {
		plays             map[string]string
		confirmed, failed string
	}{
		"all there":          {map[string]string{"h1": "r", "h2": "n", "oob-r1": "n"}, "h1 h2 oob-r1", ""},
		"none beside":        {map[string]string{"h1": "r", "h2": "n"}, "h1 h2", ""},
		"one comes back":     {map[string]string{"h1": "xx-r", "h2": "n", "oob-r1": "r"}, "h1 h2 oob-r1", ""},
		"one stays away":     {map[string]string{"h1": "r", "h2": "-"}, "h1", "h2"},
		"one beside is hung": {map[string]string{"h1": "r", "h2": "n", "oob-r1": "x"}, "h1 h2", "oob-r1"},
		"another key":        {map[string]string{"h1": "s", "h2": "s"}, "", "h1 h2"},
		"not reverted":       {map[string]string{"h1": "f", "h2": "n"}, "h2", "h1"},
		"reverted at last":   {map[string]string{"h1": "ffn", "h2": "n"}, "h1 h2", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				f := &fakes{plays: c.plays}
				r := Agents(ctx, f, "eve", []string{"h1", "h2"}, []string{"oob-r1"})
				var failed []string
				for agent := range r.Failed {
					failed = append(failed, agent)
				}
				slices.Sort(failed)
				if got := strings.Join(r.Confirmed, " "); got != c.confirmed || strings.Join(failed, " ") != c.failed {
					t.Errorf("confirmed %q, failed %q, want %q and %q", got, failed, c.confirmed, c.failed)
				}
				if f.by != "eve" {
					t.Errorf("halted by %q", f.by)
				}
			})
		})
	}
}
