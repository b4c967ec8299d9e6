package powerloss

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/firedrill-io/firedrill/internal/power"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystem"
)

// alive says whether pid 1 of the recorded power-on still runs. A zombie does not.
func alive(s power.Status) bool {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.PID1), "stat"))
	if err != nil {
		return false
	}
	// The command name in parentheses may hold blanks.
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	return len(f) > 19 && f[0] != "Z" && f[0] != "X" && f[19] == strconv.FormatUint(s.PID1Start, 10)
}

// diskState is what became of a file system.
type diskState int

const (
	diskLive diskState = iota
	diskShut           // cut off, still mounted
	diskGone           // superblock and loop device released
)

// stateOf reads it from the kernel; held as in filesystem.IsShut, which is true of
// a host that is dark or frozen: a cut holds a host before it touches a disk.
func stateOf(s power.Status, f power.FileSystem, held bool) diskState {
	if filesystem.BackingFile(f.Device) != f.Image {
		return diskGone
	}
	if filesystem.IsShut(strconv.Itoa(s.PID1), f.Dev, inside(s, f), held) {
		return diskShut
	}
	return diskLive
}
