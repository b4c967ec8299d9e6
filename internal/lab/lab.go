// Package lab raises a data centre on one machine: hosts that are processes
// with namespaces, control groups and disks of their own, joined by a fabric of
// bridges in a network namespace of its own. Faults may hurt these hosts; the
// machine itself keeps no trace of them.
//
// Whoever raises a lab calls Main first thing in main or TestMain, because the
// lab re-executes the running program in three roles: hostinit (pid 1 of a
// host), power (boots hosts) and supervisor (takes the lab down when its owner
// is gone). A lab whose every process was killed is removed by Janitor, from a
// state file that was written before the first object was made.
package lab

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/firedrill-io/firedrill/internal/inventory"
	"github.com/firedrill-io/firedrill/internal/power"
)

// Folders of a host that the lab provides.
const (
	HostMgmt     = "/run/firedrill/mgmt"      // the lab's management network and keys
	HostServices = "/run/firedrill/services"  // Config.Services, read-only
	HostAgent    = "/run/firedrill/hostagent" // Config.HostAgent, read-only
	HostPlugins  = "/run/firedrill/plugins"   // Config.Plugins, read-only
)

// Config is what a lab is made of.
type Config struct {
	Inventory inventory.Inventory
	// Dir is the run folder: services log to Dir/logs/<host>/<service>.log.
	// Empty: the lab's own folder, which goes away with the lab.
	Dir string
	// Services is the folder that holds the programs of the services. Empty: no services.
	Services string
	// HostAgent is the path of the hostagent program. Empty: no agents.
	HostAgent string
	// Plugins is the folder of third-party plugins of the agents inside the
	// hosts. Empty: only what is built in.
	Plugins string
	// Keys is a folder whose files are copied to MgmtDir before the first host
	// boots. Empty: the caller writes them there itself.
	Keys string
	// Standing labs stay until Down; others go when the calling process ends.
	Standing bool
	// Variables are values for the inventory's variables.
	Variables map[string]string
	Logger    *slog.Logger // nil: nothing is logged
}

// ErrNoLab says that there is no such lab.
var ErrNoLab = errors.New("no such lab")

// Lab is a lab that is up.
type Lab struct {
	state      State
	supervisor chan struct{} // closed when our supervisor has been waited for; nil: not ours
}

// ID names the lab; it is part of every object's name.
func (l *Lab) ID() string { return l.state.ID }

// Dir is the lab's folder on the machine. It goes away with the lab.
func (l *Lab) Dir() string { return l.state.Dir }

// Stdio is what a command in a host reads and writes; nil means /dev/null.
type Stdio struct {
	In, Out, Err *os.File
}

// HostCommand is a program to be run inside a host.
type HostCommand struct {
	// Path is absolute as seen in the host, or proc.Self: the program that raised
	// the lab. A bare name is looked for in HostServices, then in the host's
	// folders of programs.
	Path  string
	Args  []string // without argv[0]
	Env   []string // added to a minimal environment
	Dir   string   // empty: /
	Stdio Stdio
	Extra []*os.File // fd 3 and up
}

// Power is a client of the lab's power controller.
func (l *Lab) Power() *power.Client { return power.NewClient(l.PowerSocket()) }

// Exec runs argv in host and returns its exit code, 128 + n when signal n ended
// it. When ctx is done the command is killed.
func (l *Lab) Exec(ctx context.Context, host string, argv []string, stdio Stdio) (int, error) {
	if len(argv) == 0 {
		return 0, errors.New("run command in host: no command given")
	}
	p, err := l.start(ctx, host, HostCommand{Path: argv[0], Args: argv[1:], Stdio: stdio})
	if err != nil {
		return 0, err
	}
	defer p.Close()
	stop := context.AfterFunc(ctx, func() { _ = p.Kill() })
	defer stop()
	code, err := p.Wait()
	if ctx.Err() != nil {
		return code, ctx.Err()
	}
	return code, err
}
