package live

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Possible says whether a View can be shown: both files are terminals, this
// process is in the foreground (one in the background that touches a terminal
// is stopped), and TERM names one that can be drawn on.
func Possible(in, out *os.File, env []string) bool {
	if !terminal(in) || !terminal(out) {
		return false
	}
	front, err := unix.IoctlGetInt(int(in.Fd()), unix.TIOCGPGRP)
	if err != nil || front != unix.Getpgrp() {
		return false
	}
	term := ""
	for _, e := range env {
		if value, ok := strings.CutPrefix(e, "TERM="); ok {
			term = value
		}
	}
	return term != "" && term != "dumb"
}

func terminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
