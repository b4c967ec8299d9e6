package powerloss

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/vmtest"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// across is what the test knows from the boots before this one.
type across struct {
	Boots  []string // their ids
	Cut    survey   // by the plugin
	Killed survey   // by SIGKILL: the twin
	Reset  survey   // by the machine's reset button
	Sysrq  survey   // by the machine's own kernel, in mode machine-sysrq
	Record json.RawMessage
}

// acrossFile is on a disk that a reset leaves alone.
const acrossFile = "/job/across.json"

// A cut by the plugin leaves of a file system what a real reset of a whole machine
// leaves: the same files, whole, old, empty or gone, of each way of writing. The
// machine is reset twice on the way, so this runs three times.
func TestResetLosesTheSame(t *testing.T) {
	need.Check(t, need.Reset, need.Root, need.Loop, need.Mkfs)
	a := remembered(t)
	a.Boots = append(a.Boots, bootID(t))
	switch len(a.Boots) {
	case 1:
		a.Cut, a.Killed = surveysOfLab(t)
		onDisk(t, true, func(dir string) { reset(t, a, dir, vmtest.AskReset) })
	case 2:
		onDisk(t, false, func(dir string) { a.Reset = surveyOf(t, dir) })
		target := fault.Target{Host: "h1", BootID: a.Boots[1]}
		record, err := driver.Prepare(t.Context(), target, json.RawMessage(`{"mode": "machine-sysrq"}`))
		if err != nil {
			t.Fatal(err)
		}
		a.Record = record
		onDisk(t, true, func(dir string) {
			reset(t, a, dir, func() error {
				applied, err := driver.Apply(t.Context(), []fault.RawItem{{ID: "i", Target: target, Change: record}}, 0, 0)
				return errors.Join(err, applied[0].Err.Err())
			})
		})
	default:
		onDisk(t, false, func(dir string) { a.Sysrq = surveyOf(t, dir) })
		compare(t, a)
		ended(t, a)
	}
}

func compare(t *testing.T, a across) {
	t.Helper()
	for name, s := range map[string]survey{"the plugin's cut": a.Cut, "a reset": a.Reset, "sysrq b": a.Sysrq} {
		if err := s.asPromised(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(s, a.Reset) {
			t.Errorf("%s leaves\n%v\na reset\n%v", name, s, a.Reset)
		}
	}
	if a.Killed.asPromised() == nil {
		t.Errorf("kill -9 loses as much as a reset: %v", a.Killed)
	}
	t.Logf("a reset leaves %v", a.Reset)
}

// ended: the record of the boot before is over, and reverting it does nothing.
func ended(t *testing.T, a across) {
	t.Helper()
	if a.Boots[0] == a.Boots[1] || a.Boots[1] == a.Boots[2] {
		t.Errorf("not three boots: %v", a.Boots)
	}
	target := fault.Target{Host: "h1", BootID: a.Boots[1]}
	o, err := driver.Observe(t.Context(), target, a.Record)
	if err != nil || o.State != fault.Absent || o.Achieved[0].Value != 1 {
		t.Errorf("observe in the next boot: %+v, %v", o, err)
	}
	if err := driver.Revert(t.Context(), target, a.Record); err != nil {
		t.Error(err)
	}
}

// onDisk mounts the machine's empty disk, formatted anew or as the boot before left
// it, which replays its journal.
func onDisk(t *testing.T, anew bool, do func(dir string)) {
	t.Helper()
	disk, err := vmtest.DataDisk()
	if err != nil {
		t.Fatal(err)
	}
	if anew {
		if out, err := exec.Command("/sbin/mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", disk).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	dir := t.TempDir()
	if err := unix.Mount(disk, dir, "ext4", 0, ""); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	do(dir)
}

// reset notes what is known so far, writes the classes and resets the machine.
func reset(t *testing.T, a across, dir string, now func() error) {
	t.Helper()
	b, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(put(acrossFile, os.O_CREATE|os.O_TRUNC, b, true), syncFile("/job"), writeClasses(dir)); err != nil {
		t.Fatal(err)
	}
	t.Fatalf("the machine was not reset: %v", now())
}

func remembered(t *testing.T) (a across) {
	t.Helper()
	b, err := os.ReadFile(acrossFile)
	if errors.Is(err, fs.ErrNotExist) {
		return a
	}
	if err == nil {
		err = json.Unmarshal(b, &a)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func bootID(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}
