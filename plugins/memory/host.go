package memory

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/firedrill-io/firedrill/internal/cgroup"
)

// meminfo is what proc_meminfo(5) says, in bytes.
type meminfo struct{ total, available, swap uint64 }

func readMeminfo() (m meminfo, err error) {
	values, err := fields("/proc/meminfo")
	if err != nil {
		return m, fmt.Errorf("read memory of host: %w", err)
	}
	const kib = 1 << 10
	return meminfo{values["MemTotal:"] * kib, values["MemAvailable:"] * kib, values["SwapTotal:"] * kib}, nil
}

// fields reads a file with a name and a number on each line.
func fields(path string) (map[string]uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	values := map[string]uint64{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if words := strings.Fields(lines.Text()); len(words) > 1 {
			if n, err := strconv.ParseUint(words[1], 10, 64); err == nil {
				values[words[0]] = n
			}
		}
	}
	return values, lines.Err()
}

// bounds are the groups that this process is in and whose limits count for what
// it takes, as folders: where an agent has a limit of its own, as in a container,
// that is the host's memory for it.
type bounds struct {
	Groups []string `json:"groups,omitempty"`
	V2     bool     `json:"v2,omitempty"`
}

// ownBounds finds those that have a limit now.
func ownBounds() (b bounds, err error) {
	all, err := cgroup.Hierarchies()
	if err != nil {
		return b, err
	}
	i := slices.IndexFunc(all, func(h cgroup.Hierarchy) bool { return slices.Contains(h.Controllers, "memory") })
	if i < 0 {
		return b, nil
	}
	h := all[i]
	own, err := h.Own()
	if err != nil {
		return b, err
	}
	b.V2 = h.Version == 2
	// In a container the top of the mount is the container's group, and has a limit.
	for dir := own; strings.HasPrefix(dir, h.Mount); dir = filepath.Dir(dir) {
		limit, _, err := b.read(dir)
		if err == nil && limit < math.MaxInt64/2 {
			b.Groups = append(b.Groups, dir)
		}
	}
	return b, nil
}

// read reads the limit of a group, and how much of it could be had.
func (b bounds) read(dir string) (limit, available uint64, err error) {
	limits, usage, file := []string{limitFile}, "memory.usage_in_bytes", "total_%sactive_file"
	if b.V2 {
		limits, usage, file = []string{maxFile, highFile}, "memory.current", "%sactive_file"
	}
	limit = math.MaxUint64
	var errs []error
	number := func(name string) uint64 {
		text, err := cgroup.Read(dir, name)
		if err != nil {
			errs = append(errs, err)
			return math.MaxUint64
		}
		n, err := amount(text)
		errs = append(errs, err)
		return n
	}
	for _, name := range limits {
		limit = min(limit, number(name))
	}
	used := number(usage)
	stat, err := fields(filepath.Join(dir, "memory.stat"))
	if err := errors.Join(append(errs, err)...); err != nil {
		return limit, 0, err
	}
	// As MemAvailable: page cache can be had.
	used -= min(used, stat[fmt.Sprintf(file, "in")]+stat[fmt.Sprintf(file, "")])
	return limit, limit - min(limit, used), nil
}

// room is the memory that the host has and that can be had of it.
type room struct{ total, available uint64 }

func (r room) used() float64 { return 100 * (1 - float64(r.available)/float64(r.total)) }

// room reads it. A group that is gone bounds nothing.
func (b bounds) room() (room, error) {
	m, err := readMeminfo()
	r := room{m.total, m.available}
	if err == nil && r.total == 0 {
		err = errors.New("read memory of host: /proc/meminfo says nothing")
	}
	for _, dir := range b.Groups {
		limit, available, err := b.read(dir)
		if err == nil {
			r.total, r.available = min(r.total, limit), min(r.available, available)
		}
	}
	return r, err
}
