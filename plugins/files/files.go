// Package files takes what files need besides space: the file descriptors of the
// processes of a service, or the inodes of a file system.
//
// Descriptors: the soft limit of open files (RLIMIT_NOFILE, prlimit(2)) of every
// process is lowered to where only so many more can be opened; open(2), socket(2)
// and accept(2) then answer EMFILE. What is open stays open. A process that
// forks hands the limit on, so Revert looks for children as well.
//
// Inodes: empty files are made in a folder of ours until only so many inodes are
// free; who makes another file gets ENOSPC, with space left. That is so on ext4:
// xfs and btrfs make inodes of free space (see diskfill). No more than 200,000 are
// taken, as each has to be given back.
package files

import (
	"context"
	"fmt"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// Kind is the name of this fault.
const Kind fault.Kind = "files"

func init() { fault.Register(Kind, fault.NewDriver(Plugin{})) }

// What may be taken.
const (
	whichDescriptors = "descriptors"
	whichInodes      = "inodes"
)

// Params is what an experiment file may set.
type Params struct {
	Which string `json:"which" jsonschema:"enum=descriptors,enum=inodes,title=descriptors or inodes,example=descriptors,description=What is taken: file descriptors of processes (with service\\, group\\, container or executable)\\, or inodes of a file system (with path)"`
	Leave int    `json:"leave" jsonschema:"minimum=0,title=a number,example=8,description=How many are left: descriptors that each process may still open\\, or files that may still be made"`
	scope.Selection
	Path string `json:"path,omitempty" jsonschema:"pattern=^/.,title=a path that begins with /,example=/data,description=Folder on the file system whose inodes are taken; one hidden folder is made in it"`
}

// Change is the change record. One of the two is set.
type Change struct {
	Version     int          `json:"version"`
	Leave       int          `json:"leave"`
	Descriptors *descriptors `json:"descriptors,omitempty"`
	Inodes      *inodes      `json:"inodes,omitempty"`
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
		Summary:       "Takes the file descriptors of a service's processes, or the inodes of a file system.",
		PluginVersion: "1.0.0",
		Touches:       []string{"the limits of open files of processes", "one folder of its own on the file system"},
		ConflictKeys:  []string{"open-files-limit", "file-system-inodes"},
		Needs:         fault.Needs{Capabilities: []string{"CAP_SYS_RESOURCE", "CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"}},
		Protection:    []fault.Protection{fault.ProtectPluginTimer, fault.ProtectGuardian, fault.ProtectJournal},
		Destroys:      fault.DestroysNothing,
	}
}

// Prepare implements fault.Plugin.
func (Plugin) Prepare(_ context.Context, t fault.Target, p Params) (Change, error) {
	c := Change{Version: changeVersion, Leave: p.Leave}
	if p.Leave < 0 {
		return c, fault.Refuse("leave", "is %d; give 0 or more", p.Leave)
	}
	var err error
	switch p.Which {
	case whichDescriptors:
		if p.Path != "" {
			return c, fault.Refuse("path", "goes with inodes; descriptors are those of a service, group, container or program")
		}
		c.Descriptors, err = prepareDescriptors(t, p)
	case whichInodes:
		if p.Selection != (scope.Selection{}) {
			return c, fault.Refuse("which", "inodes are those of the file system at path; leave %s out, or take descriptors", p.Field())
		}
		c.Inodes, err = prepareInodes(t, p)
	default:
		err = fault.Refuse("which", "%q is neither %s nor %s", p.Which, whichDescriptors, whichInodes)
	}
	return c, err
}

// taker is either half of the fault.
type taker interface {
	apply(ctx context.Context, t fault.Target) error
	revert(t fault.Target) error
	// observe fills in what is there; asked is set already.
	observe(t fault.Target, leave int, o *fault.Observation) error
}

func (c Change) taker() (taker, error) {
	switch {
	case c.Descriptors != nil:
		return c.Descriptors, nil
	case c.Inodes != nil:
		return c.Inodes, nil
	}
	return nil, fmt.Errorf("read change record: it is neither of descriptors nor of inodes")
}

// Apply implements fault.Plugin.
func (Plugin) Apply(ctx context.Context, t fault.Target, c Change, _, _ fault.BootTime) error {
	what, err := c.taker()
	if err != nil {
		return err
	}
	return what.apply(ctx, t)
}

// Revert implements fault.Plugin.
func (Plugin) Revert(_ context.Context, t fault.Target, c Change) error {
	what, err := c.taker()
	if err != nil {
		return err
	}
	return what.revert(t)
}

// Observe implements fault.Plugin. Present means that the limits read back as
// set, or that our files are there; exercised, that a process has no descriptor
// left, or that the file system has no more inodes than were to be left.
func (Plugin) Observe(_ context.Context, t fault.Target, c Change) (fault.Observation, error) {
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce}
	what, err := c.taker()
	if err != nil {
		return o, err
	}
	err = what.observe(t, c.Leave, &o)
	return o, err
}
