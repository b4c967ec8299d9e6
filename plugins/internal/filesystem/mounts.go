package filesystem

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Mount is one line of proc_pid_mountinfo(5).
type Mount struct {
	ID      int    `json:"id"`
	Parent  int    `json:"parent"`
	Dev     uint64 `json:"dev"`
	Root    string `json:"root"`    // the folder of the file system that is mounted
	Point   string `json:"point"`   // where
	Options string `json:"options"` // of this mount: "rw,noatime"
	// Tags say how mounts on it spread to other namespaces: "shared:1 master:2".
	Tags   string `json:"tags,omitempty"`
	Type   string `json:"type"`
	Source string `json:"source"`
	Super  string `json:"super"` // options of the file system: "rw,errors=remount-ro"
}

// Mounts lists the mounts that a process sees; "self" is the caller.
func Mounts(pid string) ([]Mount, error) {
	b, err := os.ReadFile(filepath.Join("/proc", pid, "mountinfo"))
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	var all []Mount
	for line := range strings.Lines(string(b)) {
		if m, ok := parseMount(line); ok {
			all = append(all, m)
		}
	}
	return all, nil
}

func parseMount(line string) (m Mount, ok bool) {
	left, right, ok := strings.Cut(line, " - ")
	l, r := strings.Fields(left), strings.Fields(right)
	if !ok || len(l) < 6 || len(r) < 3 {
		return m, false
	}
	id, err1 := strconv.Atoi(l[0])
	parent, err2 := strconv.Atoi(l[1])
	major, minor, _ := strings.Cut(l[2], ":")
	hi, err3 := strconv.ParseUint(major, 10, 32)
	lo, err4 := strconv.ParseUint(minor, 10, 32)
	return Mount{
		ID: id, Parent: parent, Dev: unix.Mkdev(uint32(hi), uint32(lo)), Root: unescape(l[3]), Point: unescape(l[4]),
		Options: l[5], Tags: strings.Join(l[6:], " "), Type: r[0], Source: unescape(r[1]), Super: unescape(r[2]),
	}, err1 == nil && err2 == nil && err3 == nil && err4 == nil
}

// Has says whether an option of the mount or of its file system is set.
func (m Mount) Has(option string) bool {
	return slices.Contains(strings.Split(m.Options+","+m.Super, ","), option)
}

// tag is the number of one of the Tags, "shared" or "master"; 0 if it is not set.
func (m Mount) tag(name string) int {
	for t := range strings.FieldsSeq(m.Tags) {
		if number, ok := strings.CutPrefix(t, name+":"); ok {
			n, _ := strconv.Atoi(number)
			return n
		}
	}
	return 0
}

// unescape undoes mountinfo's octal escapes of blanks.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
