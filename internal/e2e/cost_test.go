package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// part is what a process of a run belongs to.
type part string

const (
	service part = "services" // what the company would run itself
	clients part = "clients"  // probes and ledgers
	agents  part = "agents"   // with their guardians and plugins
	bench   part = "lab"      // injector, supervisor, power controller, pid 1 of the hosts
)

// process is what one process has used since its start.
type process struct {
	part      part
	hostinit  bool
	cpu       time.Duration
	megabytes float64 // proportional set size
}

// cost is what a run has used up to an instant.
type cost struct {
	at        time.Time
	processes map[string]process // by pid and start time
	busy      time.Duration      // all CPUs of the machine, whoever used them
}

const userHZ = 10 * time.Millisecond

// costs looks at the injector and all that descends from it.
func costs(t testing.TB, injector int) cost {
	t.Helper()
	c := cost{at: time.Now(), processes: map[string]process{}, busy: busy(t)}
	stats := map[int][]string{}
	children := map[int][]int{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		b, err := os.ReadFile(filepath.Join(dir, "stat"))
		if err != nil {
			continue // it has ended
		}
		stats[pid] = strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		parent, _ := strconv.Atoi(stats[pid][1])
		children[parent] = append(children[parent], pid)
	}
	for todo := []int{injector}; len(todo) > 0; todo = todo[1:] {
		pid := todo[0]
		todo = append(todo, children[pid]...)
		p, err := look(pid)
		if err != nil {
			continue
		}
		for _, field := range stats[pid][11:13] { // user and system
			n, _ := strconv.Atoi(field)
			p.cpu += time.Duration(n) * userHZ
		}
		c.processes[fmt.Sprint(pid, " ", stats[pid][19])] = p
	}
	return c
}

// look says what a process is by its program and arguments.
func look(pid int) (process, error) {
	dir := fmt.Sprintf("/proc/%d/", pid)
	exe, err := os.Readlink(dir + "exe")
	if err != nil {
		return process{}, err
	}
	line, err := os.ReadFile(dir + "cmdline")
	if err != nil {
		return process{}, err
	}
	argv := append(strings.Split(string(line), "\x00"), "", "")
	p := process{part: service, hostinit: strings.HasSuffix(argv[1], "hostinit"), megabytes: pss(dir)}
	switch filepath.Base(exe) {
	case "hostagent":
		p.part = agents
	case "injector":
		p.part = bench
		if argv[1] == "clients" {
			p.part = clients
		}
	}
	return p, nil
}

// pss is the memory of a process, what it shares with others divided among them.
func pss(dir string) float64 {
	b, _ := os.ReadFile(dir + "smaps_rollup")
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
			kilobytes, _ := strconv.ParseFloat(f[1], 64)
			return kilobytes / 1024
		}
	}
	return 0
}

// busy is the time that the machine's CPUs were not idle, from the first line of
// /proc/stat: all fields but idle and iowait; guest time is in user time.
func busy(t testing.TB) (sum time.Duration) {
	t.Helper()
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	for i, field := range strings.Fields(line)[1:9] {
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		if i != 3 && i != 4 {
			sum += time.Duration(n) * userHZ
		}
	}
	return sum
}
