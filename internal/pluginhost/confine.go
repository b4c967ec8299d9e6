package pluginhost

import (
	"fmt"
	"os"
	"strings"

	"github.com/firedrill-io/firedrill/internal/proc"
)

// roleConfine makes this program one that drops what a plugin was not granted
// and becomes the plugin. Arguments: capabilities, executable, its arguments.
const roleConfine = "firedrill-confine"

// Main takes the role of the step between agent and confined plugin, if this
// process was started for it, and returns otherwise. Programs that Launch with
// Config.Confined call it first.
func Main() {
	if len(os.Args) < 4 || os.Args[1] != roleConfine {
		return
	}
	var capabilities []string
	if os.Args[2] != noCapabilities {
		capabilities = strings.Split(os.Args[2], ",")
	}
	fmt.Fprintln(os.Stderr, proc.ExecConfined(capabilities, os.Args[3], os.Args[4:], os.Environ()))
	os.Exit(1)
}

const noCapabilities = "none"

// command is what is started for c: the executable, or the step before it.
func (c Config) command() (path string, args []string) {
	if !c.Confined {
		return c.Path, c.Args
	}
	capabilities := noCapabilities
	if len(c.Capabilities) > 0 {
		capabilities = strings.Join(c.Capabilities, ",")
	}
	return proc.Self, append([]string{roleConfine, capabilities, c.Path}, c.Args...)
}
