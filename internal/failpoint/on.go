//go:build failpoint

package failpoint

import (
	"os"
	"syscall"
)

// Hit ends the process by SIGKILL if Env names p, alone or after the name of
// this process's subcommand: "after-apply", "serve/after-apply".
func Hit(p Point) {
	want := os.Getenv(Env)
	if want == string(p) || len(os.Args) > 1 && want == os.Args[1]+"/"+string(p) {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way: nothing after the point may run
	}
}
