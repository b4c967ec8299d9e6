// Package diskstall makes all writes to a file system hang until it ends: a disk
// that stopped answering, or a storage network that is away. Reads that the page
// cache or the disk can serve go on.
//
// The file system is frozen (FIFREEZE of linux/fs.h), which flushes it first, and
// thawed. Who writes meanwhile hangs in the kernel and can't be killed until the
// thaw, so nothing here ever writes to the file system while it is frozen: the
// canary is a write that the kernel gives up by itself, of the folder's access
// time. A file with our mark is made before the freeze and removed after the
// thaw: without it the freeze is somebody else's (a backup's, a snapshot's), and
// is left.
//
// Refused are the file systems of the host itself, of its logs, its swap and of
// the agent's records, hosts that panic when something hangs, and stalls of more
// than 100 s: the kernel reports a hanging program after 120 s.
package diskstall

import (
	"context"
	"crypto/rand"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystem"
)

// Kind is the name of this fault.
const Kind fault.Kind = "diskstall"

func init() { fault.Register(Kind, fault.NewDriver(Plugin{})) }

// longest is how long a stall may last, renewals included.
const longest = 100 * time.Second

// types are those whose freezing is known to work from user space.
var types = []string{"ext4", "xfs", "btrfs", "f2fs"}

// Params is what an experiment file may set.
type Params struct {
	Path string `json:"path" jsonschema:"pattern=^/.,title=a path that begins with /,example=/data,description=Folder on the file system whose writes hang; one hidden file is made in it. No more than 100 s"`
}

// Change is the change record.
type Change struct {
	Version    int                   `json:"version"`
	FileSystem filesystem.FileSystem `json:"file_system"`
	Mark       string                `json:"mark"` // name of the file that says that the freeze is ours
}

// changeVersion is the version of Change this package writes.
const changeVersion = 1

// Plugin is the fault. The zero value is ready.
type Plugin struct{}

var _ fault.Plugin[Params, Change] = Plugin{}

// Describe implements fault.Plugin.
func (Plugin) Describe() fault.Info {
	return fault.Info{
		Kind:          Kind,
		Summary:       "Makes all writes to a file system hang until it ends.",
		PluginVersion: "1.0.0",
		Touches:       []string{"the freeze of a file system", "one file of its own on the file system"},
		ConflictKeys:  []string{"file-system-freeze", "file-system-space"},
		Needs:         fault.Needs{Capabilities: []string{"CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"}},
		Protection:    []fault.Protection{fault.ProtectPluginTimer, fault.ProtectGuardian, fault.ProtectJournal},
		Destroys:      fault.DestroysNothing,
	}
}

// Prepare implements fault.Plugin.
func (Plugin) Prepare(_ context.Context, t fault.Target, p Params) (Change, error) {
	f, err := filesystem.Find("path", p.Path, t)
	if err != nil {
		return Change{}, err
	}
	if !slices.Contains(types, f.Type) {
		return Change{}, fault.Refuse("path", "%s is %s; of %v the writes can be held up", f.Mount, f.Type, types)
	}
	if err := f.Spared("path", t); err != nil {
		return Change{}, err
	}
	if err := survives("/proc/sys/kernel/hung_task_panic"); err != nil {
		return Change{}, err
	}
	frozen, err := f.Frozen()
	if err != nil {
		return Change{}, err
	}
	if frozen {
		return Change{}, fault.Refuse("path", "%s is frozen by somebody already, or %s does not note accesses (chattr +A), without which a freeze can't be seen; end that first, or name another folder of it", f.Mount, f.Path)
	}
	return Change{Version: changeVersion, FileSystem: f, Mark: ".firedrill-" + rand.Text()}, nil
}

// survives refuses a host that panics when a program hangs. A kernel without that
// setting does not look for hanging programs.
func survives(setting string) error {
	b, err := os.ReadFile(setting)
	if text := strings.TrimSpace(string(b)); err == nil && text != "0" {
		return fault.Refuse("", "the host panics when a program hangs (kernel.hung_task_panic=%s), and programs will; set it to 0 for the drill", text)
	}
	return nil
}
