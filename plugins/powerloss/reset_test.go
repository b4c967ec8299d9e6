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
)

// across is what the test knows from the boot before this one.
type across struct {
	Boot   string // its id
	Cut    survey // by the plugin
	Killed survey // by SIGKILL: the twin
}

// acrossFile is on a disk that a reset leaves alone.
const acrossFile = "/job/across.json"

// A cut by the plugin leaves of a file system what a reset of a whole machine
// leaves: the same files, whole, old, empty or gone, of each way of writing. The
// machine is reset on the way, so this runs twice.
func TestResetLosesTheSame(t *testing.T) {
	need.Check(t, need.Reset, need.Root, need.Loop, need.Mkfs)
	a, again := remembered(t)
	if !again {
		a.Boot = bootID(t)
		a.Cut, a.Killed = surveysOfLab(t)
		onDisk(t, true, func(dir string) { reset(t, a, dir) })
		return
	}
	if a.Boot == bootID(t) {
		t.Fatal("the machine was not reset")
	}
	var left survey
	onDisk(t, false, func(dir string) { left = surveyOf(t, dir) })
	t.Logf("a reset leaves %v", left)
	if err := left.asPromised(); err != nil {
		t.Errorf("a reset: %v", err)
	}
	if !reflect.DeepEqual(a.Cut, left) {
		t.Errorf("the plugin's cut leaves %v", a.Cut)
	}
	if reflect.DeepEqual(a.Killed, left) {
		t.Error("kill -9 loses as much as a reset")
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
func reset(t *testing.T, a across, dir string) {
	t.Helper()
	b, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(put(acrossFile, os.O_CREATE|os.O_TRUNC, b, true), syncFile("/job"), writeClasses(dir)); err != nil {
		t.Fatal(err)
	}
	t.Fatal(vmtest.AskReset())
}

func remembered(t *testing.T) (a across, again bool) {
	t.Helper()
	b, err := os.ReadFile(acrossFile)
	if errors.Is(err, fs.ErrNotExist) {
		return a, false
	}
	if err == nil {
		err = json.Unmarshal(b, &a)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a, true
}

func bootID(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}
