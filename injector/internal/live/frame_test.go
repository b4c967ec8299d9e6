package live

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden pictures")

// The pictures of a recorded run at some instants, on some terminals.
func TestPictures(t *testing.T) {
	for _, c := range []struct {
		at            time.Duration
		columns, rows int
		colour        bool
		minute        bool
	}{
		{2500 * time.Millisecond, 80, 24, false, false},
		{34 * time.Second, 80, 24, false, false},
		{34 * time.Second, 80, 24, true, false},
		{58 * time.Second, 120, 40, false, false},
		{58 * time.Second, 120, 40, true, false},
		{58 * time.Second, 80, 24, false, true},
		{34 * time.Second, 60, 16, false, false},
		{34 * time.Second, 30, 8, false, false},
		{0, 80, 24, false, false},
	} {
		name := fmt.Sprintf("%gs-%dx%d", c.at.Seconds(), c.columns, c.rows)
		if c.colour {
			name += "-colour"
		}
		if c.minute {
			name += "-minute"
		}
		t.Run(name, func(t *testing.T) {
			var s state
			now, boot := play(t, &s, c.at)
			got := frame{look: look{c.colour}, s: &s, now: now, boot: boot, columns: c.columns, rows: c.rows, minute: c.minute}.draw()
			checkSize(t, got, c.columns, c.rows)
			golden(t, name+".golden", got)
		})
	}
}

// Whatever the size, the picture fills it and never exceeds it.
func TestSizes(t *testing.T) {
	var s state
	now, boot := play(t, &s, 34*time.Second)
	for columns := 1; columns <= 140; columns += 7 {
		for rows := 1; rows <= 50; rows += 3 {
			checkSize(t, frame{s: &s, now: now, boot: boot, columns: columns, rows: rows}.draw(), columns, rows)
		}
	}
	if got := (frame{s: &s}).draw(); got != "" {
		t.Errorf("without a size: %q", got)
	}
}

func checkSize(t *testing.T, picture string, columns, rows int) {
	t.Helper()
	all := strings.Split(picture, "\n")
	if len(all) != rows {
		t.Errorf("%d×%d: %d rows", columns, rows, len(all))
	}
	for _, one := range all {
		if width(one) > columns {
			t.Errorf("%d×%d: %d columns in %q", columns, rows, width(one), one)
		}
	}
}

// Without colour, no byte that commands the terminal.
func TestNoColour(t *testing.T) {
	var s state
	now, boot := play(t, &s, 34*time.Second)
	for _, env := range [][]string{{"NO_COLOR=1"}, {"TERM=xterm", "NO_COLOR=yes"}} {
		f := frame{look: look{colour(env)}, s: &s, now: now, boot: boot, columns: 80, rows: 24}
		if strings.Contains(f.draw(), "\x1b") {
			t.Errorf("%v: colour", env)
		}
	}
	if !colour([]string{"NO_COLOR="}) || !colour(nil) {
		t.Error("an empty NO_COLOR means nothing")
	}
}

// What services say cannot command the terminal.
func TestClean(t *testing.T) {
	if got := clean("a\x1b[2Jb\x07c\r\nd\u009b31me\u202e"); got != "abc; d31me" && got != "abc; de" {
		t.Errorf("got %q", got)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	got += "\n"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got, -update writes it):\n%s", path, diff)
	}
}
