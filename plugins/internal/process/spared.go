package process

import (
	"fmt"
	"os"
	"strings"
)

// Sparer returns a function that says why no fault may touch the process that has
// a pid; "" for one that may be touched. Spared are the first process of the host, whatever
// the caller descends from, sshd, and what runs the file of the caller or of
// its parent: agent, guardian and plugins.
func Sparer() func(pid int) string {
	kin := map[int]bool{}
	for pid := os.Getpid(); pid > 0 && !kin[pid]; {
		kin[pid] = true
		s, err := readStat(pid)
		if err != nil {
			break
		}
		pid = s.parent
	}
	var ours []os.FileInfo // agent, guardian and plugins run one executable, third-party plugins their own
	for _, pid := range []int{os.Getpid(), os.Getppid()} {
		if pid == 1 && os.Getpid() != 1 {
			continue // the service manager, whose file each service runs for a moment when it is started
		}
		if exe, err := executable(pid); err == nil {
			ours = append(ours, exe)
		}
	}
	return func(pid int) string {
		s, _ := readStat(pid) // without one it has no name
		switch {
		case pid == 1:
			return "the first process of the host"
		case kin[pid]:
			return "which carries this plugin"
		case strings.HasPrefix(s.name, "sshd"):
			return "which is sshd"
		}
		if exe, err := executable(pid); err == nil {
			for _, own := range ours {
				if os.SameFile(exe, own) {
					return "which is Firedrill itself"
				}
			}
		}
		return ""
	}
}

// executable identifies the file that pid runs, a deleted one too.
func executable(pid int) (os.FileInfo, error) { return os.Stat(fmt.Sprintf("/proc/%d/exe", pid)) }
