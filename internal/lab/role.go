package lab

import (
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
)

// rolePrefix marks the first argument of a re-executed program.
const rolePrefix = "lab-role-"

// The roles.
const (
	roleHostinit   = "hostinit"
	roleSupervisor = "supervisor"
	rolePower      = "power"
)

// inherited is the descriptor of the socket to the process that started a role.
const inherited = 3

// Main runs a role of the lab and exits, if the program was re-executed for
// one; otherwise it returns at once. It must come first in main or TestMain.
func Main() {
	if len(os.Args) < 2 || !strings.HasPrefix(os.Args[1], rolePrefix) {
		return
	}
	// The main thread stays with this goroutine: no other may put it into a
	// host's control groups, because it could never leave by ending.
	runtime.LockOSThread()
	role := strings.TrimPrefix(os.Args[1], rolePrefix)
	log := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("role", role)
	if err := runRole(role, log); err != nil {
		log.Error("lab role ended", "error", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func runRole(role string, log *slog.Logger) error {
	w, err := fileWire(os.NewFile(inherited, "parent"))
	if err != nil {
		return fmt.Errorf("start lab role %s: %w: it is started by a lab only", role, err)
	}
	switch role {
	case roleHostinit:
		return hostinit(w, log)
	case rolePower:
		return runPower(w, log)
	case roleSupervisor:
		return supervise(w, log)
	}
	return fmt.Errorf("start lab role %q: there is no such role", role)
}
