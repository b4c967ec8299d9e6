package memory

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
)

// roleThrash is a copy of the test binary that enters the group of its first
// argument, and reads the file of its second again and again.
const roleThrash = "memory-thrash"

func thrashRole() {
	if len(os.Args) != 4 || os.Args[1] != roleThrash {
		return
	}
	err := cgroup.Enter(os.Args[2])
	f, err2 := os.Open(os.Args[3])
	if err := errors.Join(err, err2); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for b := make([]byte, 1<<20); ; {
		if _, err := f.Read(b); errors.Is(err, io.EOF) {
			_, _ = f.Seek(0, io.SeekStart)
		}
	}
}

// thrash has programs wait for want of memory: on v2 one above its brake, on v1 two
// that read more, again and again, than their group may keep.
func thrash(t *testing.T) {
	t.Helper()
	if onV2 {
		dir, _ := grouptest.New(t, "memory", [2]string{highFile, "16777216"})
		grouptest.Hold(t, 128*mib, dir)
		return
	}
	dir, _ := grouptest.New(t, "memory", [2]string{knob.File, "16777216"})
	file := filepath.Join(t.TempDir(), "file")
	f, err := os.Create(file)
	faulttest.Must(t, err)
	_, err = f.Write(make([]byte, 96*mib))
	faulttest.Must(t, err)
	// What the test has in the page cache would be there for the programs as well.
	faulttest.Must(t, errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close()))
	for range 2 {
		p, err := proc.Start(proc.Spec{Path: proc.Self, Args: []string{roleThrash, dir, file}, Stderr: os.Stderr})
		faulttest.Must(t, err)
		t.Cleanup(func() {
			_ = p.Kill()
			_, _ = p.Wait()
		})
	}
}

// Memory is given back while programs wait too long for want of it. The twin is a
// filler that lets them wait all the time.
func TestPressureGivesBack(t *testing.T) {
	if _, ok := hostStall(); !ok {
		t.Log("this kernel does not count how long programs wait")
		return
	}
	for name, limit := range map[string]string{"gives back": "1%", "lets them wait": "100%"} {
		t.Run(name, func(t *testing.T) {
			f := startFiller(t, smallHost(t), Params{Fill: "128MiB", Reserve: "64MiB", Pressure: limit}, "apply")
			before, _ := hostStall()
			began := time.Now()
			thrash(t)
			gives := limit == "1%"
			gave := until(gives, func() bool { return locked(f.PID) < 128*mib })
			after, _ := hostStall()
			o := faulttest.Observe(t, New(), here, f.c)
			t.Logf("programs waited %.1f%% of the time; %s", 100*float64(after.Total-before.Total)/float64(time.Since(began)), o.Detail)
			if gave != gives {
				t.Errorf("gave back: %v", gave)
			}
			if o.State != fault.Present || gave == (o.Dose == fault.Exercised) {
				t.Errorf("observed %s, %s", o.State, o.Dose)
			}
		})
	}
}
