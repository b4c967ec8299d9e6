// Package diskfill takes the free space of a file system, down to a floor.
//
// One file of ours, in the folder that is named, is given the space by
// fallocate(2): nothing is written, and what is on the disk is not touched. The
// floor is what ordinary users may still write (f_bavail of statfs(2)); programs
// of root may also write into the reserve of ext4 and others, unless that is
// asked for too. The file begins with a mark that only its record knows, and
// Revert removes that file and no other.
//
// The file system that carries the agent's records is refused, and that of the
// host's own folders (/, /var, /tmp and so on) keeps at least 256 MiB.
package diskfill

import (
	"context"
	"crypto/rand"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystem"
)

// Kind is the name of this fault.
const Kind fault.Kind = "diskfill"

func init() { fault.Register(Kind, fault.NewDriver(Plugin{})) }

// hostFloor is what is left of a file system that the host itself needs: logins,
// logs and package tools fail without any space.
const hostFloor = 256 << 20

// types are those whose files can be given space without writing it, and whose
// space is on a disk of this host.
var types = []string{"ext4", "xfs", "btrfs", "f2fs"}

// Params is what an experiment file may set.
type Params struct {
	Path    string `json:"path" jsonschema:"pattern=^/.,title=a path that begins with /,example=/data,description=Folder on the file system that is filled; one hidden file is made in it"`
	Leave   string `json:"leave" jsonschema:"pattern=^[0-9]+([.][0-9]+)?(%|[kMGT]B|[KMGT]iB)$,title=a percentage of the file system or an amount,example=10%,description=What ordinary users may still write afterwards: 10% of the file system\\, 500MB or 2GiB\\, or 0%"`
	Size    string `json:"size,omitempty" jsonschema:"pattern=^[0-9]+([.][0-9]+)?(%|[kMGT]B|[KMGT]iB)$,title=a percentage of the file system or an amount,example=20GB,description=How much to take; without it all but leave"`
	Reserve bool   `json:"reserve,omitempty" jsonschema:"description=Take also what only root may write; leave must be 0% then"`
}

// Change is the change record.
type Change struct {
	Version    int                   `json:"version"`
	FileSystem filesystem.FileSystem `json:"file_system"`
	Mark       string                `json:"mark"`    // the file's first bytes, and part of its name
	Leave      uint64                `json:"leave"`   // bytes that ordinary users may still write
	Size       uint64                `json:"size"`    // bytes to take at most; 0: no bound
	Reserve    bool                  `json:"reserve"` // down to nothing for root as well
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
		Summary:       "Takes the free space of a file system, down to a floor.",
		PluginVersion: "1.0.0",
		Touches:       []string{"one file of its own on the file system"},
		ConflictKeys:  []string{"file-system-space"},
		Needs:         fault.Needs{Capabilities: []string{"CAP_DAC_OVERRIDE", "CAP_SYS_RESOURCE"}},
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
		return Change{}, fault.Refuse("path", "%s is %s; of %v the space can be taken without writing to it", f.Mount, f.Type, types)
	}
	s, err := f.Space()
	if err != nil {
		return Change{}, err
	}
	whole, free := s.Blocks*uint64(s.Frsize), available(s)
	c := Change{Version: changeVersion, FileSystem: f, Mark: "firedrill-" + rand.Text(), Reserve: p.Reserve}
	if c.Leave, err = filesystem.Amount("leave", p.Leave, whole); err != nil {
		return c, err
	}
	if p.Size != "" {
		if c.Size, err = filesystem.Amount("size", p.Size, whole); err != nil {
			return c, err
		}
	}
	return c, c.fits(free)
}

// fits refuses what would take too much or nothing at all.
func (c Change) fits(free uint64) error {
	if c.Reserve && (c.Leave > 0 || c.Size > 0) {
		return fault.Refuse("reserve", "goes with leave 0%% and without size: root's reserve is taken after all else")
	}
	if folder := c.FileSystem.HostFolder(); c.Leave < hostFloor && folder != "" {
		return fault.Refuse("leave", "%s also carries %s, which the host itself needs: leave %s or more, or name a file system of the service alone", c.FileSystem.Mount, folder, filesystem.Size(hostFloor))
	}
	if free <= c.Leave && !c.Reserve {
		return fault.Refuse("leave", "%s has only %s free already; leave less", c.FileSystem.Mount, filesystem.Size(free))
	}
	if c.Size > 0 && c.Size > free-c.Leave {
		return fault.Refuse("size", "%s has %s free, of which %s shall be left; take less", c.FileSystem.Mount, filesystem.Size(free), filesystem.Size(c.Leave))
	}
	return nil
}

// available is what ordinary users may write, in bytes.
func available(s unix.Statfs_t) uint64 { return s.Bavail * uint64(s.Frsize) }

// reserved is what only root may write, and what the file system keeps for itself.
func reserved(s unix.Statfs_t) uint64 { return (s.Bfree - s.Bavail) * uint64(s.Frsize) }
