package live

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/evidence"
)

// Halting takes two keys; nothing else ends anything.
func TestKeys(t *testing.T) {
	for keys, want := range map[string]struct{ halted, interrupted int }{
		"h": {}, "hn": {}, "hnh": {}, "hm": {}, "q": {}, "hh": {halted: 1}, "hy": {halted: 1}, "yh": {}, "hqh": {}, "C": {interrupted: 1}, "hC": {interrupted: 1},
	} {
		var halted, interrupted int
		var m tea.Model = model{draw: func(model) string { return "" }, halt: func() { halted++ }, interrupt: func() { interrupted++ }}
		for _, k := range keys {
			msg := tea.KeyPressMsg{Code: k, Text: string(k)}
			if k == 'C' {
				msg = tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}
			}
			var cmd tea.Cmd
			if m, cmd = m.Update(msg); cmd != nil {
				t.Errorf("%s: %v", keys, cmd)
			}
		}
		if halted != want.halted || interrupted != want.interrupted {
			t.Errorf("%s: halted %d, interrupted %d", keys, halted, interrupted)
		}
	}
	m, _ := model{}.Update(tea.WindowSizeMsg{Width: 91, Height: 17})
	if got := m.(model); got.columns != 91 || got.rows != 17 {
		t.Errorf("size %+v", got)
	}
}

// A whole view on a real terminal: it draws, and leaves settings and screen as
// they were; lines that matter are printed then.
func TestTerminal(t *testing.T) {
	ours, theirs := openTerminal(t)
	seen := make(chan string, 1)
	go func() {
		var all strings.Builder
		b := make([]byte, 1<<16)
		for {
			n, err := ours.Read(b)
			all.Write(b[:n])
			if err != nil {
				seen <- all.String()
				return
			}
		}
	}()
	before := settings(t, theirs)
	released := false
	v := New(Config{In: theirs, Out: theirs, Env: []string{"TERM=xterm-256color"}, Halt: func() {}, Interrupt: func() {},
		Keeper: func() (func(), error) { return func() { released = true }, nil }})
	sc := loadScene(t)
	v.Layout("stretched", sc.exp, sc.inv, sc.plan)
	v.Incident(time.Now(), bootTime())
	v.Event(evidence.Event{Type: evidence.StageStarted, Wall: time.Now(), Stage: "fire", Message: "fire: powerloss on p1"}, true)
	v.Event(evidence.Event{Type: evidence.LayoutEnded, Wall: time.Now(), Message: "layout stretched: held"}, true)
	_, _ = v.Log().Write(nil)
	time.Sleep(3 * pace)
	if during := settings(t, theirs); during.Lflag&unix.ICANON != 0 {
		t.Error("keys would need Enter")
	}
	v.End()
	v.Close()
	if after := settings(t, theirs); after != before {
		t.Errorf("settings\nwere %+v\nare  %+v", before, after)
	}
	_ = theirs.Close()
	text := <-seen
	_, last, left := strings.Cut(text, "\x1b[?1049l")
	if !left || !strings.Contains(last, "layout stretched: held") || strings.Contains(last, "fire:") || !released {
		t.Errorf("released %v; after the picture: %q", released, last)
	}
}

// Where the picture cannot be drawn the run goes on with lines.
func TestBroken(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	v := New(Config{Out: w})
	v.broke(os.ErrInvalid)
	v.Event(evidence.Event{Type: evidence.Note, Message: "steady"}, true)
	_ = w.Close()
	b := make([]byte, 1000)
	n, _ := r.Read(b)
	_ = r.Close()
	if !strings.Contains(string(b[:n]), "steady") {
		t.Errorf("got %q", b[:n])
	}
}

func settings(t *testing.T, f *os.File) unix.Termios {
	t.Helper()
	got, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *got
}

// openTerminal returns the two ends of a pseudo-terminal of 100 × 30.
func openTerminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ours.Close() })
	if err := unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(theirs.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: 100}); err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}
