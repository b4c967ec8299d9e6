package diskfill

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystemtest"
)

const mib = 1 << 20

var here = fault.Target{StateDir: "/"}

// write is the check of all effect tests: how many MiB a program gets written
// into a new file, and the kernel's answer to the first byte more.
func write(t *testing.T, dir string, want int) (got int, answer error) {
	t.Helper()
	f, err := os.CreateTemp(dir, "notes")
	faulttest.Must(t, err)
	defer os.Remove(f.Name())
	defer f.Close()
	for b := make([]byte, mib); got < want; got++ {
		if _, answer = f.Write(b); answer != nil {
			break
		}
	}
	return got, errors.Join(answer, f.Sync())
}

// free is what the kernel says is free for ordinary users, in bytes.
func free(t *testing.T, dir string) int64 {
	t.Helper()
	var s unix.Statfs_t
	faulttest.Must(t, unix.Statfs(dir, &s))
	return int64(s.Bavail) * s.Frsize
}

// 10 MiB are left on a disk without a reserve: a program gets them and no more.
// What was there stays, and all is free again afterwards, from another process's
// record, with the disk full to the last block.
func TestFillHolds(t *testing.T) {
	dir, _ := filesystemtest.Ext4(t, 64*mib, "-m", "0")
	theirs := filepath.Join(dir, "theirs")
	faulttest.Must(t, os.WriteFile(theirs, []byte("hello"), 0o640))
	before := filesystemtest.Listing(t, dir)
	c := faulttest.Prepare(t, Plugin{}, here, Params{Path: dir, Leave: "10MiB"})
	faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, 0))
	left := free(t, dir)
	o := faulttest.Observe(t, Plugin{}, here, c)
	if o.State != fault.Present || o.Dose != fault.Exercised {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	if got, err := write(t, dir, 20); got > 10 || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("a program got %d MiB written: %v", got, err)
	}
	fill, err := os.Create(filepath.Join(dir, "last"))
	faulttest.Must(t, err)
	for b := make([]byte, 4096); err == nil; {
		_, err = fill.Write(b)
	}
	faulttest.Must(t, fill.Close())
	record, err := json.Marshal(c)
	faulttest.Must(t, err)
	driver := fault.NewDriver(Plugin{})
	faulttest.Must(t, driver.Revert(t.Context(), here, record))
	faulttest.Must(t, driver.Revert(t.Context(), here, record))
	faulttest.Must(t, os.Remove(fill.Name()))
	if b, err := os.ReadFile(theirs); string(b) != "hello" || err != nil {
		t.Errorf("their file holds %q, %v", b, err)
	}
	if o := faulttest.Observe(t, Plugin{}, here, c); o.State != fault.Absent || o.Dose != fault.NotInForce {
		t.Errorf("observed %s, %s after revert", o.State, o.Dose)
	}
	faulttest.Measured(t, faulttest.Measurement{
		Fault: Kind, What: "free on ext4, of 64 MiB", Asked: 10, Achieved: float64(left) / mib, Unit: "MiB",
		Within: 4 * 4096.0 / mib, Found: before, Left: filesystemtest.Listing(t, dir),
	})
	t.Logf("asked 10 MiB free, got %.3f; %s", float64(left)/mib, o.Detail)
}

// The twin: without the fault the same program gets all it wants.
func TestWithoutFillTheProgramWritesAll(t *testing.T) {
	dir, _ := filesystemtest.Ext4(t, 64*mib, "-m", "0")
	c := faulttest.Prepare(t, Plugin{}, here, Params{Path: dir, Leave: "10MiB"})
	if got, err := write(t, dir, 20); got != 20 || err != nil {
		t.Errorf("a program got %d of 20 MiB written without any fault: %v", got, err)
	}
	if o := faulttest.Observe(t, Plugin{}, here, c); o.State != fault.Absent || o.Dose != fault.NotInForce {
		t.Errorf("observed %s, %s without any fault", o.State, o.Dose)
	}
}

// Root may write into the reserve, and may not if that is taken as well.
func TestReserveOfRoot(t *testing.T) {
	dir, _ := filesystemtest.Ext4(t, 64*mib, "-m", "10")
	c := faulttest.Prepare(t, Plugin{}, here, Params{Path: dir, Leave: "0%"})
	faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, 0))
	if left := free(t, dir); left != 0 {
		t.Errorf("%d bytes are free for ordinary users", left)
	}
	if got, err := write(t, dir, 2); got != 2 || err != nil {
		t.Errorf("root got %d of 2 MiB written: %v", got, err)
	}
	faulttest.Must(t, Plugin{}.Revert(t.Context(), here, c))

	c = faulttest.Prepare(t, Plugin{}, here, Params{Path: dir, Leave: "0%", Reserve: true})
	faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, 0))
	if o := faulttest.Observe(t, Plugin{}, here, c); o.Dose != fault.Exercised {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	if got, err := write(t, dir, 1); got != 0 || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("root got %d MiB written: %v", got, err)
	}
	faulttest.Must(t, Plugin{}.Revert(t.Context(), here, c))
}

// With a size that much is taken, and applied again no more.
func TestSize(t *testing.T) {
	dir, _ := filesystemtest.Ext4(t, 64*mib, "-m", "0")
	before := free(t, dir)
	c := faulttest.Prepare(t, Plugin{}, here, Params{Path: dir, Leave: "5%", Size: "20MiB"})
	for range 2 {
		faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, 0))
		if took := before - free(t, dir); took < 20*mib || took > 20*mib+4*4096 {
			t.Errorf("%d bytes were taken, asked were 20 MiB", took)
		}
	}
	if o := faulttest.Observe(t, Plugin{}, here, c); o.State != fault.Present || o.Dose != fault.Exercised {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	faulttest.Must(t, Plugin{}.Revert(t.Context(), here, c))
}

// A file of somebody else's that stands where ours was is left alone.
func TestOthersFileStays(t *testing.T) {
	dir, _ := filesystemtest.Ext4(t, 64*mib)
	c := faulttest.Prepare(t, Plugin{}, here, Params{Path: dir, Leave: "10%"})
	faulttest.Must(t, os.WriteFile(c.file(), []byte("somebody else's, and longer than our mark would be"), 0o600))
	for _, err := range []error{Plugin{}.Apply(t.Context(), here, c, 0, 0), Plugin{}.Revert(t.Context(), here, c)} {
		if !errors.Is(err, fault.ErrStuck) {
			t.Errorf("error %v, want %v", err, fault.ErrStuck)
		}
	}
	if b, _ := os.ReadFile(c.file()); !strings.HasPrefix(string(b), "somebody") {
		t.Errorf("the file holds %q now", b)
	}
	if o := faulttest.Observe(t, Plugin{}, here, c); o.State != fault.Absent {
		t.Errorf("observed %s: %s", o.State, o.Detail)
	}
}

// A file system that was unmounted is gone, which the error says; mounted again it
// is reverted.
func TestUnmountedMeanwhile(t *testing.T) {
	dir, device := filesystemtest.Ext4(t, 64*mib)
	keep, err := os.Open(device) // or the device goes with the mount
	faulttest.Must(t, err)
	defer keep.Close()
	before := free(t, dir)
	c := faulttest.Prepare(t, Plugin{}, here, Params{Path: dir, Leave: "10%"})
	faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, 0))
	faulttest.Must(t, unix.Unmount(dir, 0))
	if err := (Plugin{}).Revert(t.Context(), here, c); !errors.Is(err, fault.ErrGone) {
		t.Errorf("revert: error %v, want %v", err, fault.ErrGone)
	}
	faulttest.Must(t, unix.Mount(device, dir, "ext4", 0, ""))
	faulttest.Must(t, Plugin{}.Revert(t.Context(), here, c))
	if now := free(t, dir); now != before {
		t.Errorf("%d bytes are free, %d were", now, before)
	}
}

func TestRefusals(t *testing.T) {
	dir, _ := filesystemtest.Ext4(t, 64*mib)
	file := filepath.Join(dir, "file")
	faulttest.Must(t, os.WriteFile(file, nil, 0o600))
	for name, c := range map[string]struct {
		field string
		p     Params
		state string
	}{
		"the agent's records": {"path", Params{Path: dir, Leave: "10%"}, dir + "/root/not/made/yet"},
		"no folder":           {"path", Params{Path: dir + "/none", Leave: "10%"}, "/"},
		"a file":              {"path", Params{Path: file, Leave: "10%"}, "/"},
		"no clean path":       {"path", Params{Path: "data", Leave: "10%"}, "/"},
		"in memory":           {"path", Params{Path: "/dev/shm", Leave: "10%"}, "/"},
		"no space":            {"path", Params{Path: "/proc", Leave: "10%"}, "/"},
		"no amount":           {"leave", Params{Path: dir, Leave: "ten"}, "/"},
		"less free already":   {"leave", Params{Path: dir, Leave: "99%"}, "/"},
		"the host's own":      {"leave", Params{Path: "/", Leave: "1MB"}, ""},
		"too much":            {"size", Params{Path: dir, Leave: "10%", Size: "60MiB"}, "/"},
		"more than there is":  {"size", Params{Path: dir, Leave: "10%", Size: "1GB"}, "/"},
		"reserve and leave":   {"reserve", Params{Path: dir, Leave: "10%", Reserve: true}, "/"},
	} {
		t.Run(name, func(t *testing.T) {
			faulttest.PrepareRefused(t, Plugin{}, fault.Target{StateDir: c.state}, c.p, c.field)
		})
	}
}
