package digesttest

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/firedrill-io/firedrill/internal/proc"
)

// labs is where labs keep their state, one folder each.
const labs = "/run/firedrill/labs"

// others knows the marks of labs that are not ours and live, or lived while the
// tests ran.
type others struct {
	mark string
	halt chan struct{}
	done chan struct{}

	mu    sync.Mutex
	marks map[string]bool
}

// watchOthers looks again and again until stop, because somebody else's lab may
// come and go between our beginning and our end.
func watchOthers() *others {
	o := &others{mark: mark(), halt: make(chan struct{}), done: make(chan struct{}), marks: map[string]bool{}}
	o.look()
	go func() {
		defer close(o.done)
		for {
			select {
			case <-o.halt:
				return
			case <-time.After(settleStep):
				o.look()
			}
		}
	}()
	return o
}

func (o *others) stop() {
	close(o.halt)
	<-o.done
}

// look notes the labs of others that are there now.
func (o *others) look() {
	found, _ := filepath.Glob(filepath.Join(labs, "*", "lab.json"))
	for _, path := range found {
		var state struct {
			ID    string `json:"id"`
			Owner struct {
				PID   int    `json:"pid"`
				Start uint64 `json:"start"`
			} `json:"owner"`
		}
		b, err := os.ReadFile(path)
		if err != nil || json.Unmarshal(b, &state) != nil || state.ID == "" {
			continue
		}
		if !o.foreign(state.Owner.PID, state.Owner.Start) {
			continue
		}
		o.mu.Lock()
		o.marks[state.ID] = true
		o.mu.Unlock()
	}
}

// foreign says that an owner lives and is not ours.
func (o *others) foreign(pid int, start uint64) bool {
	return proc.Alive(pid, start) && !o.ours(pid)
}

// ours says whether pid is this process or descends from it: it inherited our mark.
func (o *others) ours(pid int) bool {
	if pid == os.Getpid() {
		return true
	}
	env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	return err == nil && strings.Contains(string(env), markEnv+"="+o.mark)
}

// without drops the lines about others.
func (o *others) without(diff []string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.DeleteFunc(diff, func(line string) bool {
		for id := range o.marks {
			if strings.Contains(line, id) {
				return true
			}
		}
		return o.about(line)
	})
}

// about says whether a line is about something of others that is no lab.
func (o *others) about(line string) bool {
	kind, rest, _ := strings.Cut(line[2:], " ")
	name, _, _ := strings.Cut(rest, " ")
	if strings.HasPrefix(line, "- ") && (kind == "namespace" || kind == "process" || strings.Contains(line, "firedrill")) {
		return true // on its way down when we began
	}
	if pid, start, ok := ownerOf(line); ok {
		return o.foreign(pid, start)
	}
	switch kind {
	case "namespace":
		return o.heldByOthers(name)
	case "process":
		// What lab hosts of ours would leave behind shows by its control groups.
		pid, err := strconv.Atoi(name)
		return err == nil && !o.ours(pid)
	case "cgroup":
		return o.peopledByOthers(name)
	}
	return false
}

// peopledByOthers says whether somebody is in the whole tree of ours that the
// control group belongs to, and none of them is ours: an agent's of another test.
func (o *others) peopledByOthers(group string) bool {
	top, below, found := strings.Cut(group, "/firedrill")
	if !found {
		return false
	}
	name, _, _ := strings.Cut(below, "/")
	peopled := false
	_ = filepath.WalkDir(top+"/firedrill"+name, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.Name() != "cgroup.procs" {
			return nil // a group that went away has nobody in it
		}
		b, _ := os.ReadFile(path)
		for _, text := range strings.Fields(string(b)) {
			pid, _ := strconv.Atoi(text)
			peopled = true
			if o.ours(pid) {
				peopled = false
				return fs.SkipAll
			}
		}
		return nil
	})
	return peopled
}

// heldByOthers says whether somebody is in the namespace, or has it open, and
// none of them is ours: a test of somebody else that runs without a lab.
func (o *others) heldByOthers(name string) bool {
	kind, _, _ := strings.Cut(name, ":")
	held := false
	for _, pattern := range []string{"ns/" + kind, "task/*/ns/" + kind, "fd/*"} {
		links, _ := filepath.Glob(filepath.Join("/proc", "[0-9]*", pattern))
		for _, link := range links {
			if text, err := os.Readlink(link); err != nil || text != name {
				continue
			}
			pid, _ := strconv.Atoi(strings.Split(link, "/")[2])
			if o.ours(pid) {
				return false
			}
			held = true
		}
	}
	return held
}
