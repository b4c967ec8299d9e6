package digest

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// namespaces adds every namespace that a process is in, that a process holds
// open, or that is mounted, with the control group or mount point that names
// its holder. A namespace that only sockets keep alive has no name anywhere;
// its cables show up as links.
func (l *listing) namespaces(proc string, mounts []mount) error {
	list, err := pids(proc)
	if err != nil {
		return err
	}
	holder := map[string]string{}
	hold := func(name, by string) {
		if _, known := holder[name]; !known && strings.Contains(name, ":[") {
			holder[name] = by
		}
	}
	var errs []error
	// Lowest pid first: the oldest process names the namespace, not a passer-by.
	for _, pid := range list {
		dir := filepath.Join(proc, strconv.Itoa(pid))
		if p, ok := readProcess(proc, pid); !ok || p.ended() {
			continue
		}
		if held, err := heldBy(dir); err == nil {
			by := unifiedCgroup(dir)
			for _, name := range held {
				hold(name, by)
			}
		} else if !vanished(err) {
			errs = append(errs, err)
		}
	}
	for _, m := range mounts {
		if m.fstype == "nsfs" {
			hold(m.root, m.point)
		}
	}
	for name, by := range holder {
		l.add("namespace", name, "of="+by)
	}
	return errors.Join(errs...)
}

// heldBy lists the namespaces of a process, of its threads (network only: a
// thread may have entered another one) and of its open files.
func heldBy(dir string) ([]string, error) {
	links, err := filepath.Glob(filepath.Join(dir, "ns", "*"))
	if err != nil {
		return nil, err
	}
	threads, _ := filepath.Glob(filepath.Join(dir, "task", "*", "ns", "net"))
	var held []string
	for _, link := range append(links, threads...) {
		// The _for_children links repeat what the children show.
		if strings.HasSuffix(link, "_for_children") {
			continue
		}
		if name, err := os.Readlink(link); err == nil {
			held = append(held, name)
		}
	}
	fds, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		return held, nil // a process that ended meanwhile, or a kernel thread's
	}
	for _, fd := range fds {
		if name, err := os.Readlink(filepath.Join(dir, "fd", fd.Name())); err == nil && isNamespace(name) {
			held = append(held, name)
		}
	}
	return held, nil
}

func isNamespace(name string) bool {
	kind, rest, ok := strings.Cut(name, ":[")
	return ok && strings.HasSuffix(rest, "]") && kind != "pipe" && kind != "socket" && kind != "anon_inode"
}
