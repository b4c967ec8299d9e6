package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/digest"
	"github.com/firedrill-io/firedrill/internal/need"
)

// drill is a run of the injector in the middle of a partition.
type drill struct {
	t     *testing.T
	cmd   *exec.Cmd
	dir   string
	lines chan string
	lab   string // its id, part of the name of everything it makes
}

// start runs the drill up to the moment its fault is seen to act.
func start(t *testing.T) *drill {
	t.Helper()
	return startIn(t, func(dir string) error { return os.CopyFS(dir, os.DirFS("testdata/drill")) })
}

// startIn is start for the experiment that fill puts into a folder.
func startIn(t *testing.T, fill func(dir string) error) *drill {
	t.Helper()
	d := launch(t, fill)
	d.waitFor("in force on n1, seen to act")
	d.lab = d.labMark()
	return d
}

// launch begins a run of the experiment that fill puts into a folder.
func launch(t *testing.T, fill func(dir string) error, args ...string) *drill {
	t.Helper()
	need.Check(t, need.Root)
	d := &drill{t: t, dir: t.TempDir(), lines: make(chan string, 1000)}
	if err := fill(d.dir); err != nil {
		t.Fatal(err)
	}
	d.cmd = exec.Command(filepath.Join(bin, "injector"), append([]string{"run", ".", "--lab"}, args...)...)
	d.cmd.Dir = d.dir
	d.cmd.Stderr = os.Stderr
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(d.lines)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			d.lines <- scan.Text()
		}
	}()
	t.Cleanup(func() { _ = d.cmd.Process.Kill() })
	return d
}

// waitFor reads the live lines until one holds text.
func (d *drill) waitFor(text string) {
	d.t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		select {
		case line, ok := <-d.lines:
			if !ok {
				d.t.Fatalf("the injector ended before it said %q", text)
			}
			d.t.Log(line)
			if strings.Contains(line, text) {
				return
			}
		case <-deadline:
			d.t.Fatalf("no line with %q within 60 s", text)
		}
	}
}

// end waits for the injector and returns its exit code.
func (d *drill) end() int {
	d.t.Helper()
	for line := range d.lines {
		d.t.Log(line)
	}
	_ = d.cmd.Wait()
	return d.cmd.ProcessState.ExitCode()
}

// clean fails unless soon nothing of the drill's lab is left on the machine;
// TestMain compares all the rest.
func (d *drill) clean() {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	left, err := digest.Settled(ctx, digest.Digest{}, digest.Only(d.lab))
	if err != nil {
		d.t.Fatal(err)
	}
	if len(left) > 0 {
		d.t.Errorf("left on the machine:\n%s", strings.Join(left, "\n"))
	}
}

// result is what tests read of report.json.
type result struct {
	Verdict   string `json:"verdict"`
	Outcome   string `json:"outcome"`
	HostState string `json:"host_state"`
	Reason    string `json:"reason"`
	Layouts   []struct {
		Verdict string       `json:"verdict"`
		Reasons []string     `json:"reasons"`
		Failed  []string     `json:"failed"`
		Late    [][2]float64 `json:"late"` // from, to, in seconds of wall time
		Probes  []struct {
			Name    string `json:"name"`
			Outages []struct {
				From float64  `json:"from_wall_s"`
				To   *float64 `json:"to_wall_s"`
			} `json:"outages"`
		} `json:"probes"`
	} `json:"layouts"`
}

// report reads what the run reported.
func (d *drill) report() (r result) {
	d.t.Helper()
	files, err := filepath.Glob(filepath.Join(d.dir, "runs/*/report.json"))
	if err != nil || len(files) != 1 {
		d.t.Fatalf("%d reports, want one (%v)", len(files), err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		d.t.Fatal(err)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		d.t.Fatal(err)
	}
	return r
}

// descendants are the processes below the drill's injector whose command line
// holds all of the words.
func (d *drill) descendants(words ...string) (pids []int) {
	d.t.Helper()
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		b, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil {
			continue
		}
		env, err := os.ReadFile(filepath.Join(dir, "cgroup"))
		if err != nil || !strings.Contains(string(env), d.lab) {
			continue
		}
		line := strings.ReplaceAll(string(b), "\x00", " ")
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if pid, err := strconv.Atoi(filepath.Base(dir)); all && err == nil {
			pids = append(pids, pid)
		}
	}
	if len(pids) == 0 {
		d.t.Fatalf("no process of lab %s with %q", d.lab, words)
	}
	return pids
}

// labMark is the id of the lab that this drill's injector owns.
func (d *drill) labMark() string {
	d.t.Helper()
	states, _ := filepath.Glob("/run/firedrill/labs/*/lab.json")
	for _, path := range states {
		var s struct {
			ID    string `json:"id"`
			Owner struct {
				PID int `json:"pid"`
			} `json:"owner"`
		}
		b, err := os.ReadFile(path)
		if err == nil && json.Unmarshal(b, &s) == nil && s.Owner.PID == d.cmd.Process.Pid {
			return s.ID
		}
	}
	d.t.Fatalf("no lab of pid %d", d.cmd.Process.Pid)
	return ""
}

func (d *drill) signal(sig syscall.Signal, pids ...int) {
	d.t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil {
			d.t.Fatalf("signal %d: %v", pid, err)
		}
	}
}
