package diskstall

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystem"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystemtest"
)

const mib = 1 << 20

var here = fault.Target{StateDir: "/"}

// hangs is the check of the effect test and its twin: whether a program's write
// is not done within 300 ms. The write may end later, which done tells.
func hangs(dir string) (bool, <-chan error) {
	done := make(chan error, 1)
	go func() { done <- os.WriteFile(filepath.Join(dir, "notes"), []byte("hello"), 0o600) }()
	select {
	case err := <-done:
		done <- err
		return false, done
	case <-time.After(300 * time.Millisecond):
		return true, done
	}
}

// disk is a file system that is thawed when the test ends, whatever it did.
func disk(t *testing.T) string {
	t.Helper()
	dir, _ := filesystemtest.Ext4(t, 32*mib)
	t.Cleanup(func() { _ = filesystem.FileSystem{Path: dir}.Thaw() })
	return dir
}

func soon() fault.BootTime { return fault.Now().Add(30 * time.Second) }

// A write hangs until Revert, in another process's hands, and is not lost; a read
// goes on, and nothing of ours is left.
func TestStallHolds(t *testing.T) {
	dir := disk(t)
	faulttest.Must(t, os.WriteFile(dir+"/theirs", []byte("there"), 0o600))
	list := filesystemtest.Listing(t, dir)
	c := faulttest.Prepare(t, Plugin{}, here, Params{Path: dir})
	began := time.Now()
	faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, soon()))
	took := time.Since(began)
	hung, done := hangs(dir)
	began = time.Now()
	o := faulttest.Observe(t, Plugin{}, here, c)
	if o.State != fault.Present || o.Dose != fault.Exercised {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	observed := time.Since(began)
	if b, err := os.ReadFile(dir + "/theirs"); string(b) != "there" {
		t.Errorf("a read got %q, %v", b, err)
	}
	faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, soon())) // a renewal
	record, err := json.Marshal(c)
	faulttest.Must(t, err)
	began = time.Now()
	faulttest.Must(t, fault.NewDriver(Plugin{}).Revert(t.Context(), here, record))
	thawed := time.Since(began)
	select {
	case err := <-done:
		faulttest.Must(t, err)
	case <-time.After(5 * time.Second):
		t.Fatal("the write still hangs after revert")
	}
	faulttest.Must(t, Plugin{}.Revert(t.Context(), here, c))
	if _, err := os.Stat(c.mark()); err == nil {
		t.Error("our mark is left")
	}
	if o := faulttest.Observe(t, Plugin{}, here, c); o.State != fault.Absent || o.Dose != fault.NotInForce {
		t.Errorf("observed %s, %s after revert", o.State, o.Dose)
	}
	faulttest.Must(t, os.Remove(filepath.Join(dir, "notes")))
	faulttest.Measured(t, faulttest.Measurement{
		Fault: Kind, What: "writes to ext4 that hang, of 1", Asked: 1, Achieved: map[bool]float64{true: 1}[hung], Unit: "writes",
		Found: list, Left: filesystemtest.Listing(t, dir),
	})
	t.Logf("frozen in %v, observed in %v, thawed in %v", took, observed, thawed)
}

// The twin: without the fault the same write is done at once.
func TestWithoutStallTheWriteIsDone(t *testing.T) {
	dir := disk(t)
	c := faulttest.Prepare(t, Plugin{}, here, Params{Path: dir})
	if hung, _ := hangs(dir); hung {
		t.Error("a write hangs without any fault")
	}
	if o := faulttest.Observe(t, Plugin{}, here, c); o.State != fault.Absent || o.Dose != fault.NotInForce {
		t.Errorf("observed %s, %s without any fault", o.State, o.Dose)
	}
}

// The freeze is seen on a mount without access times too, as databases have it.
func TestSeenWithoutAccessTimes(t *testing.T) {
	dir := disk(t)
	faulttest.Must(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_NOATIME|unix.MS_NODIRATIME, ""))
	c := faulttest.Prepare(t, Plugin{}, here, Params{Path: dir})
	faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, soon()))
	if o := faulttest.Observe(t, Plugin{}, here, c); o.Dose != fault.Exercised {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	faulttest.Must(t, Plugin{}.Revert(t.Context(), here, c))
	if o := faulttest.Observe(t, Plugin{}, here, c); o.State != fault.Absent || o.Achieved[0].Value != 0 {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
}

// A freeze of somebody else's, such as a backup's, is refused, noticed and left.
func TestOthersFreezeStays(t *testing.T) {
	dir := disk(t)
	c := faulttest.Prepare(t, Plugin{}, here, Params{Path: dir})
	faulttest.Must(t, c.FileSystem.Freeze())
	if err := (Plugin{}).Apply(t.Context(), here, c, 0, soon()); !errors.Is(err, fault.ErrChanged) {
		t.Errorf("apply: error %v, want %v", err, fault.ErrChanged)
	}
	faulttest.Must(t, Plugin{}.Revert(t.Context(), here, c))
	if err := c.FileSystem.Freeze(); !errors.Is(err, unix.EBUSY) {
		t.Errorf("their freeze is gone: %v", err)
	}
	faulttest.PrepareRefused(t, Plugin{}, here, Params{Path: dir}, "path")
	faulttest.Must(t, c.FileSystem.Thaw())
}

// Somebody thaws ours: it is said, and what is left of ours goes.
func TestThawedBySomebody(t *testing.T) {
	dir := disk(t)
	c := faulttest.Prepare(t, Plugin{}, here, Params{Path: dir})
	faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, soon()))
	faulttest.Must(t, c.FileSystem.Thaw())
	if o := faulttest.Observe(t, Plugin{}, here, c); o.State != fault.Partial || o.Dose != fault.NotInForce {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	faulttest.Must(t, Plugin{}.Revert(t.Context(), here, c))
	if _, err := os.Stat(c.mark()); err == nil {
		t.Error("our mark is left")
	}
}

// A stall that would be too long is not begun, and one that has begun is not made
// too long by renewals.
func TestLongStallIsRefused(t *testing.T) {
	dir := disk(t)
	c := faulttest.Prepare(t, Plugin{}, here, Params{Path: dir})
	var refused *fault.RefusedError
	for _, until := range []fault.BootTime{0, fault.Now().Add(longest + time.Second)} {
		if err := (Plugin{}).Apply(t.Context(), here, c, 0, until); !errors.As(err, &refused) {
			t.Errorf("until %d: error %v, want a refusal", until, err)
		}
	}
	if o := faulttest.Observe(t, Plugin{}, here, c); o.State != fault.Absent {
		t.Errorf("observed %s: %s", o.State, o.Detail)
	}
	faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, soon()))
	time.Sleep(50 * time.Millisecond)
	if err := (Plugin{}).Apply(t.Context(), here, c, 0, fault.Now().Add(longest)); !errors.As(err, &refused) {
		t.Errorf("a renewal: error %v, want a refusal", err)
	}
	faulttest.Must(t, Plugin{}.Revert(t.Context(), here, c))
}

// A freeze that ends only after the stall was to end is taken back at once.
func TestLateFreezeIsTakenBack(t *testing.T) {
	dir := disk(t)
	c := faulttest.Prepare(t, Plugin{}, here, Params{Path: dir})
	faulttest.Must(t, os.WriteFile(c.mark(), nil, 0o600))
	if err := c.freeze(fault.Now()); err == nil {
		t.Error("frozen though the stall has ended")
	}
	faulttest.Must(t, c.unmark())
	if err := c.freeze(soon()); err == nil { // it was reverted meanwhile: no mark
		t.Error("frozen though the stall was reverted")
	}
	if frozen, err := c.FileSystem.Frozen(); frozen || err != nil {
		t.Errorf("frozen: %v, %v", frozen, err)
	}
}

func TestRefusals(t *testing.T) {
	dir := disk(t)
	for name, c := range map[string]struct {
		path  string
		state string
	}{
		"the agent's records": {dir, dir},
		"the host's own":      {"/", "/proc"},
		"the logs":            {"/var/log", "/proc"},
		"in memory":           {"/dev/shm", "/proc"},
		"no folder":           {dir + "/none", "/"},
	} {
		t.Run(name, func(t *testing.T) {
			faulttest.PrepareRefused(t, Plugin{}, fault.Target{StateDir: c.state}, Params{Path: c.path}, "path")
		})
	}
}

// A host that panics when a program hangs is refused.
func TestPanickingHostIsRefused(t *testing.T) {
	for text, refused := range map[string]bool{"0\n": false, "1\n": true, "": false} {
		setting := filepath.Join(t.TempDir(), "hung_task_panic")
		if text != "" {
			faulttest.Must(t, os.WriteFile(setting, []byte(text), 0o600))
		}
		if err := survives(setting); (err != nil) != refused {
			t.Errorf("hung_task_panic %q: error %v", text, err)
		}
	}
}
