package digest

import (
	"io/fs"
	"path/filepath"
	"strings"
)

// movingSysctls are counters and per-read random values among the settings.
var movingSysctls = []string{"nf_conntrack_count", "nf_conntrack_buckets", "stable_secret", "/route/flush", "dad_transmits_left"}

// sysctls adds the network settings of the caller's network namespace. The rest
// of /proc/sys belongs to the machine and no fault of ours changes it.
func (l *listing) sysctls(proc string) {
	base := filepath.Join(proc, "sys")
	for _, part := range []string{"core", "ipv4", "ipv6"} {
		_ = filepath.WalkDir(filepath.Join(base, "net", part), func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return fs.SkipDir // a link went away, or the kernel has no such family
			}
			if e.IsDir() || containsAny(path, movingSysctls) {
				return nil
			}
			if b, err := readKernelFile(path); err == nil { // some are write-only
				l.add("sysctl", strings.TrimPrefix(path, base+"/"), strings.Join(strings.Fields(string(b)), ","))
			}
			return nil
		})
	}
}
