package pids

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// roleForker is a copy of the test binary that starts wanted programs in the group
// named by its argument and says how many it got, with how many threads in all.
const roleForker = "pids-forker"

// wanted is more than the limit allows; a Go program has five to ten threads itself.
const (
	limit  = 40
	wanted = 60
)

func forker() {
	if len(os.Args) != 3 || os.Args[1] != roleForker {
		return
	}
	if err := cgroup.Enter(os.Args[2]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	got, why := 0, error(nil)
	var children []*proc.Process
	for range wanted {
		p, err := proc.Start(proc.Spec{Path: "/bin/sleep", Args: []string{"60"}})
		if err != nil {
			why = err
			break
		}
		children = append(children, p)
		got++
	}
	threads := 0
	for _, list := range []string{"tasks", "cgroup.threads"} { // of v1 and v2
		if text, err := cgroup.Read(os.Args[2], list); err == nil {
			threads = len(strings.Fields(text))
		}
	}
	for _, p := range children {
		_ = p.Kill()
		_, _ = p.Wait()
	}
	fmt.Printf("%d %d %v", got, threads, why)
	os.Exit(0)
}

// fork is the check of both tests: how many programs of those wanted are started in
// the group, how many threads are in the group then, and what the kernel answered
// to the first that was not.
func fork(t *testing.T, dir string) (got, threads int, answer string) {
	t.Helper()
	r, w, err := os.Pipe()
	faulttest.Must(t, err)
	defer r.Close()
	p, err := proc.Start(proc.Spec{Path: proc.Self, Args: []string{roleForker, dir}, Stdout: w, Stderr: os.Stderr})
	faulttest.Must(t, err)
	faulttest.Must(t, w.Close())
	b := make([]byte, 500)
	n, _ := r.Read(b)
	_, _ = p.Wait()
	if _, err := fmt.Sscan(string(b[:n]), &got, &threads); err != nil {
		t.Fatalf("the program said %q", b[:n])
	}
	return got, threads, string(b[:n])
}

// A program gets as many children as the limit leaves it, and what was found is
// there again afterwards, byte by byte: no limit, and a limit.
func TestLimitHolds(t *testing.T) {
	for _, found := range []string{unlimited, "345"} {
		t.Run(found, func(t *testing.T) {
			dir, path := grouptest.New(t, "pids", [2]string{limitFile, found})
			list := faulttest.Listing(t, nil, path)
			c := faulttest.Prepare(t, Plugin{}, here, Params{Limit: limit, Scope: scope.Scope{Group: path}})
			faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, 0))
			if o := faulttest.Observe(t, Plugin{}, here, c); o.State != fault.Present || o.Dose != fault.InForce {
				t.Errorf("before any fork: observed %s, %s", o.State, o.Dose)
			}
			got, threads, answer := fork(t, dir)
			if got >= limit || got < limit/2 || !strings.Contains(answer, "temporarily unavailable") {
				t.Errorf("%d of %d programs under a limit of %d: %s", got, wanted, limit, answer)
			}
			if found == unlimited {
				o := faulttest.Observe(t, Plugin{}, here, c)
				if o.Dose != fault.Exercised {
					t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
				}
				t.Logf("asked %d, got %d children beside the program's own threads; %s", limit, got, o.Detail)
			}
			faulttest.Must(t, Plugin{}.Revert(t.Context(), here, c))
			faulttest.Must(t, Plugin{}.Revert(t.Context(), here, c))
			faulttest.Measured(t, faulttest.Measurement{
				Fault: Kind, What: fmt.Sprintf("a program that starts %d others; found a limit of %s", wanted, found), Asked: limit, Achieved: float64(threads), Unit: "threads",
				Found: list, Left: faulttest.Listing(t, nil, path),
			})
		})
	}
}

// The twin: without the fault the same program gets all.
func TestWithoutLimitTheProgramGetsAll(t *testing.T) {
	dir, path := grouptest.New(t, "pids")
	c := faulttest.Prepare(t, Plugin{}, here, Params{Limit: limit, Scope: scope.Scope{Group: path}})
	if got, _, answer := fork(t, dir); got != wanted {
		t.Errorf("%d of %d programs without any fault: %s", got, wanted, answer)
	}
	if o := faulttest.Observe(t, Plugin{}, here, c); o.State != fault.Absent || o.Dose != fault.NotInForce {
		t.Errorf("observed %s, %s without any fault", o.State, o.Dose)
	}
}

// What runs already goes on above the limit, and the record of a group that went
// and came back touches nothing.
func TestMoreRunThanTheLimit(t *testing.T) {
	dir, path := grouptest.New(t, "pids")
	load := grouptest.Named(t, "notes", dir)
	for end := time.Now().Add(5 * time.Second); grouptest.Text(t, dir, currentFile) < "3" && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond) // until it has threads
	}
	c := faulttest.Prepare(t, Plugin{}, here, Params{Limit: 1, Scope: scope.Scope{Group: path}})
	faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, 0))
	if grouptest.Text(t, dir, currentFile) == "0" {
		t.Error("the program is gone")
	}
	faulttest.Must(t, load.Kill())
	_, _ = load.Wait()
	faulttest.Must(t, cgroup.Remove(dir, 5*time.Second))
	faulttest.Must(t, cgroup.Create(dir))
	faulttest.Must(t, cgroup.Write(dir, limitFile, "1"))
	if err := (Plugin{}).Revert(t.Context(), here, c); !errors.Is(err, fault.ErrGone) {
		t.Errorf("revert: error %v, want %v", err, fault.ErrGone)
	}
	if got := grouptest.Text(t, dir, limitFile); got != "1" {
		t.Errorf("the new group's limit is %s now", got)
	}
}

// The greatest limit is the one that the kernel takes, and no other.
func TestGreatestLimit(t *testing.T) {
	dir, path := grouptest.New(t, "pids")
	c := faulttest.Prepare(t, Plugin{}, here, Params{Limit: most, Scope: scope.Scope{Group: path}})
	faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, 0))
	if err := cgroup.Write(dir, limitFile, "4194306"); err == nil {
		t.Error("the kernel takes more")
	}
	faulttest.Must(t, Plugin{}.Revert(t.Context(), here, c))
	faulttest.PrepareRefused(t, Plugin{}, here, Params{Limit: most + 1, Scope: scope.Scope{Group: path}}, "limit")
}

var here = fault.Target{}
