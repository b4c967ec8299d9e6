// Package io leaves the processes of a control group only so many bytes and
// operations per second of a block device.
//
// It sets the limits of one device in a group that is there already, in place:
// blkio.throttle.*_device of cgroup v1 or io.max of v2. The lines of other devices
// stay, and the device's own are put back as they were.
//
// What v1 does not do: buffered writes are not throttled at all, as the kernel
// writes them out in its own name (1 MiB/s asked, 1.9 to 3.2 GB/s measured), only
// reads, direct and synchronous writes are; and a limit does not reach groups
// below, so a group whose processes are below it is refused. v2 does both.
package io

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// Kind is the name of this fault.
const Kind fault.Kind = "io"

func init() { fault.Register(Kind, fault.NewDriver(Plugin{})) }

// Params is what an experiment file may set.
type Params struct {
	Device   string `json:"device" jsonschema:"pattern=^/.,title=a path that begins with /,example=/data,description=Block device\\, such as /dev/nvme0n1\\, or a folder: then the device that its file system is on"`
	Read     string `json:"read,omitempty" jsonschema:"anyof_required=read,pattern=^[0-9]+([.][0-9]+)?([kMG]B|[KMG]iB)/s$,title=an amount per second,example=2MiB/s,description=What may be read\\, in bytes per second: 2MiB/s or 500kB/s"`
	Write    string `json:"write,omitempty" jsonschema:"anyof_required=write,pattern=^[0-9]+([.][0-9]+)?([kMG]B|[KMG]iB)/s$,title=an amount per second,example=1MiB/s,description=What may be written; cgroup v1 does not hold buffered writes up"`
	ReadOps  string `json:"read_ops,omitempty" jsonschema:"anyof_required=read_ops,pattern=^[0-9]+/s$,title=a number per second,example=100/s,description=How many reads the device may get per second"`
	WriteOps string `json:"write_ops,omitempty" jsonschema:"anyof_required=write_ops,pattern=^[0-9]+/s$,title=a number per second,example=50/s,description=How many writes the device may get per second\\, those of the file system's own tables included"`
	scope.Scope
}

// Change is the change record.
type Change struct {
	Version int         `json:"version"`
	Group   group.Group `json:"group"`
	Device  string      `json:"device"` // major:minor of the whole device
	Name    string      `json:"name"`   // for people
	Limits  []Limit     `json:"limits"`
	// HandDown, if set, makes systemd give the group its io.max.
	HandDown *group.HandDown `json:"hand_down,omitempty"`
	// Keep, if set, makes systemd keep the limits.
	Keep *group.Keep `json:"keep,omitempty"`
}

// Limit is one limit: what it is and what it will be, as the kernel writes it.
type Limit struct {
	What   string `json:"what"` // a parameter, e.g. read
	File   string `json:"file"`
	Key    string `json:"key,omitempty"` // in io.max of v2; none on v1
	Before string `json:"before"`        // no limit is 0 on v1 and max on v2
	After  string `json:"after"`
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
		Summary:       "Leaves a service, or a control group, only so much of a block device; on cgroup v1 not of buffered writes.",
		PluginVersion: "1.0.0",
		Touches:       []string{"the I/O limits of a control group"},
		ConflictKeys:  []string{"io-limit"},
		Needs:         fault.Needs{Capabilities: []string{"CAP_DAC_OVERRIDE"}},
		Protection:    []fault.Protection{fault.ProtectPluginTimer, fault.ProtectGuardian, fault.ProtectJournal},
		Destroys:      fault.DestroysNothing,
	}
}

// Prepare implements fault.Plugin.
func (Plugin) Prepare(_ context.Context, t fault.Target, p Params) (Change, error) {
	asked, err := p.asked()
	if err != nil {
		return Change{}, err
	}
	c := Change{Version: changeVersion}
	if c.Device, c.Name, err = wholeDevice(p.Device); err != nil {
		return c, err
	}
	if c.Group, c.HandDown, err = find(p.Scope); err != nil {
		return c, err
	}
	for _, k := range kinds {
		n, ok := asked[k.what]
		if !ok {
			continue
		}
		l := k.limit(c.v2(), n)
		if l.Before, err = c.before(t, l); err != nil {
			return c, err
		}
		if old, err := strconv.ParseUint(l.Before, 10, 64); err == nil && old > 0 && n >= old {
			return c, fault.Refuse(k.what, "leaves %s as it is: it has a limit of %d per second for %s already; give less", c.Group.Path, old, c.Name)
		}
		c.Limits = append(c.Limits, l)
	}
	c.Keep = c.Group.Keep(c.Limits[0].File, c.directives()...)
	return c, c.reaches(p)
}

// find finds the group, and what it takes for it to have limits: on v1 the
// controller is called blkio, on v2 io.
func find(named scope.Scope) (g group.Group, down *group.HandDown, err error) {
	g, err = group.Find("blkio", named)
	if errors.Is(err, fault.ErrUnsupported) {
		g, err = group.Find("io", named)
	}
	if err == nil {
		down = g.HandDown("io")
	}
	if err == nil && down == nil && !g.Has(v1Bytes+"read_bps_device") && !g.Has(v2File) {
		err = fmt.Errorf("%w: %s has no limits of I/O: the kernel lacks them (CONFIG_BLK_DEV_THROTTLING), or the groups above it do not hand the controller down (cgroup.subtree_control)", fault.ErrUnsupported, g.Path)
	}
	return g, down, err
}

// reaches refuses a group of v1 whose processes are in groups below it.
func (c Change) reaches(p Params) error {
	if c.v2() {
		return nil
	}
	below, err := c.Group.Inhabited()
	if err != nil || below == "" {
		return err
	}
	return fault.Refuse(p.Field(), "limits of %s do not reach the processes of %s on cgroup v1; limit that group", c.Group.Path, below)
}

var rateForm = regexp.MustCompile(`^([0-9]+(?:[.][0-9]+)?)([kMG]B|[KMG]iB)/s$`)

var units = map[string]float64{"kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

// leastRate is a page per second: less does not let a single read through in time.
const leastRate = 4096

// asked are the limits by parameter.
func (p Params) asked() (map[string]uint64, error) {
	asked := map[string]uint64{}
	for what, s := range map[string]string{"read": p.Read, "write": p.Write} {
		if s == "" {
			continue
		}
		m := rateForm.FindStringSubmatch(s)
		if m == nil {
			return nil, fault.Refuse(what, "%q is no amount per second; write it like 2MiB/s or 500kB/s", s)
		}
		n, err := strconv.ParseFloat(m[1], 64)
		if n *= units[m[2]]; err != nil || n < leastRate || n > math.MaxInt64/2 {
			return nil, fault.Refuse(what, "%q is not between 4KiB/s and what a device can do", s)
		}
		asked[what] = uint64(n)
	}
	for what, s := range map[string]string{"read_ops": p.ReadOps, "write_ops": p.WriteOps} {
		if s == "" {
			continue
		}
		digits, ok := strings.CutSuffix(s, "/s")
		n, err := strconv.ParseUint(digits, 10, 31)
		if !ok || err != nil || n == 0 {
			return nil, fault.Refuse(what, "%q is no number per second of 1 or more; write it like 100/s", s)
		}
		asked[what] = n
	}
	if len(asked) == 0 {
		return nil, fault.Refuse("read", "no limit is given; give one or more of read, write, read_ops and write_ops")
	}
	return asked, nil
}
