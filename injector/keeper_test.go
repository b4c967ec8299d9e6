package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The keeper puts a terminal right whose user died, and leaves one alone that
// was given back.
func TestKeep(t *testing.T) {
	for name, c := range map[string]struct {
		last  string
		right bool
	}{
		"died":     {last: "panic: x\n", right: true},
		"released": {last: released},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := openTerminal(t)
			was := settings(t, theirs)
			raw := *was
			raw.Lflag &^= unix.ECHO | unix.ICANON
			if err := unix.IoctlSetTermios(int(theirs.Fd()), unix.TCSETS, &raw); err != nil {
				t.Fatal(err)
			}
			from := &bytes.Buffer{}
			if err := json.NewEncoder(from).Encode(was); err != nil {
				t.Fatal(err)
			}
			from.WriteString(c.last)
			if err := keep(from, theirs, theirs); err != nil {
				t.Fatal(err)
			}
			if right := *settings(t, theirs) == *was; right != c.right {
				t.Errorf("settings as before: %v, want %v", right, c.right)
			}
			if !c.right {
				return
			}
			b := make([]byte, 4096)
			n, err := ours.Read(b)
			if text := string(b[:n]); err != nil || !strings.Contains(text, "\x1b[?1049l") {
				t.Errorf("%v %q", err, text)
			}
		})
	}
}

func settings(t *testing.T, f *os.File) *unix.Termios {
	t.Helper()
	got, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// openTerminal returns the two ends of a pseudo-terminal.
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
	t.Cleanup(func() { _ = theirs.Close() })
	return ours, theirs
}
