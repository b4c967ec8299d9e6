package cpu

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
)

// Files of the v1 controller, Documentation/scheduler/sched-bwc in the kernel.
const (
	quotaFile  = "cpu.cfs_quota_us"
	periodFile = "cpu.cfs_period_us"
	burstFile  = "cpu.cfs_burst_us"
)

// Files of the v2 controller, Documentation/admin-guide/cgroup-v2 in the kernel.
// maxFile holds quota and period, "max 100000" where there is no quota.
const (
	maxFile      = "cpu.max"
	burstFileV2  = "cpu.max.burst"
	unlimitedV2  = "max"
	unlimited    = "-1"
	noQuota      = -1
	leastQuota   = 1000 // the smallest that the kernel takes, in µs of each period
	wholePercent = 100
)

// bandwidth is what a group may use of each period, in µs.
type bandwidth struct {
	file   string // maxFile or quotaFile
	quota  int64  // noQuota: as much as there is
	period int64
}

// untouched is what a group of v2 may use that nobody has set anything for.
var untouched = bandwidth{file: maxFile, quota: noQuota, period: 100_000}

// read reads what the group may use now.
func read(g group.Group) (bandwidth, error) {
	b := bandwidth{file: quotaFile}
	if g.V2() {
		b.file = maxFile
	}
	quota, err := cgroup.Read(g.Dir(), b.file)
	if errors.Is(err, os.ErrNotExist) {
		return b, missing(g)
	}
	if err != nil {
		return b, err
	}
	period := ""
	if g.V2() {
		quota, period, _ = strings.Cut(quota, " ")
	} else if period, err = cgroup.Read(g.Dir(), periodFile); err != nil {
		return b, err
	}
	if b.period, err = strconv.ParseInt(period, 10, 64); err != nil || b.period <= 0 {
		return b, fmt.Errorf("read period of %s: %q is no number", g.Path, period)
	}
	b.quota, err = parse(quota)
	if err != nil {
		err = fmt.Errorf("read quota of %s: %w", g.Path, err)
	}
	return b, err
}

// missing says why a group has no quota to be set.
func missing(g group.Group) error {
	if _, err := cgroup.Inode(g.Dir()); err != nil {
		return fmt.Errorf("%w: %w", fault.ErrGone, err)
	}
	if g.V2() {
		return fmt.Errorf("%w: the group above %s does not hand the cpu controller on (cgroup.subtree_control), so it has no cpu.max", fault.ErrUnsupported, g.Path)
	}
	return fmt.Errorf("%w: the kernel has no CPU quotas (CONFIG_CFS_BANDWIDTH)", fault.ErrUnsupported)
}

func parse(quota string) (int64, error) {
	if quota == unlimited || quota == unlimitedV2 {
		return noQuota, nil
	}
	n, err := strconv.ParseInt(quota, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no number", quota)
	}
	return n, nil
}

// text is what the file holds, and takes, in the kernel's own words.
func (b bandwidth) text() string {
	quota := strconv.FormatInt(b.quota, 10)
	if b.file == quotaFile {
		return quota
	}
	if b.quota == noQuota {
		quota = unlimitedV2
	}
	return fmt.Sprintf("%s %d", quota, b.period)
}

// lowered is percent of one CPU in periods of the same length.
func (b bandwidth) lowered(percent float64) bandwidth {
	b.quota = int64(math.Round(percent / wholePercent * float64(b.period)))
	return b
}

// keep is what makes systemd keep the quota in a unit's group.
func (b bandwidth) keep(g group.Group) *group.Keep {
	return g.Keep(b.file, "CPUQuota="+strconv.FormatFloat(b.percent(), 'f', 2, 64)+"%", fmt.Sprintf("CPUQuotaPeriodSec=%dus", b.period))
}

// percent is the share of one CPU; infinite without a quota.
func (b bandwidth) percent() float64 {
	if b.quota == noQuota {
		return math.Inf(1)
	}
	return wholePercent * float64(b.quota) / float64(b.period)
}

func (b bandwidth) share() string { return strconv.FormatFloat(b.percent(), 'f', -1, 64) + "%" }

// fits says why the kernel would not take a quota, or why it would change nothing.
func fits(g group.Group, before, after bandwidth) error {
	least := bandwidth{quota: leastQuota, period: after.period}
	if after.quota < leastQuota {
		return fault.Refuse("quota", "is %d µs of each period of %s, %d µs, and the kernel takes no less than %d µs; give %s or more", after.quota, g.Path, after.period, leastQuota, least.share())
	}
	if after.percent() >= before.percent() {
		return fault.Refuse("quota", "leaves %s as it is: its quota is %s already; give less", g.Path, before.share())
	}
	file := burstFile
	if g.V2() {
		file = burstFileV2
	}
	if text, err := cgroup.Read(g.Dir(), file); err == nil {
		if burst, err := strconv.ParseInt(text, 10, 64); err == nil && burst > after.quota {
			return fault.Refuse("quota", "is below the burst of %s, %s, which the kernel refuses; give more", g.Path, bandwidth{quota: burst, period: after.period}.share())
		}
	}
	if g.V2() {
		return nil // a group below may have more than the one above it; the smaller counts
	}
	return below(g, after)
}

// below looks at the groups below: v1 lets none have more than the one above it.
func below(g group.Group, after bandwidth) error {
	files, err := filepath.Glob(filepath.Join(g.Dir(), "*", quotaFile))
	if err != nil {
		return fmt.Errorf("list groups below %s: %w", g.Path, err)
	}
	for _, f := range files {
		child := group.Group{Mount: g.Mount, Path: filepath.Join(g.Path, filepath.Base(filepath.Dir(f)))}
		b, err := read(child)
		if err != nil || b.quota == noQuota {
			continue // gone meanwhile, or as the group above
		}
		if b.percent() > after.percent() {
			return fault.Refuse("quota", "is below that of %s, which the kernel refuses; limit that group instead", child.Path)
		}
	}
	return nil
}
