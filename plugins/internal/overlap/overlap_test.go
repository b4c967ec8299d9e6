package overlap

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/firedrill-io/firedrill/internal/conformance"
	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystem"
)

// span is for how long faults are applied: longer than a check takes, and no
// longer than a disk may stall.
const span = time.Minute

// bench is the host on which candidates are tried, and what they have of it. One
// that was spoilt is raised anew.
type bench struct {
	t          *testing.T
	host       *conformance.Overlap
	injections map[string]*conformance.Injection // by the candidate's name
	free       string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	need.Check(t, need.Root, need.Loop, need.Mkfs)
	if _, err := os.Stat(hostagent); err != nil {
		t.Fatalf("%v; run make build", err)
	}
	b := &bench{t: t}
	t.Cleanup(b.close)
	return b
}

func (b *bench) close() {
	if b.host != nil {
		// What hangs in a disk that is still frozen outlives the lab.
		_ = filesystem.FileSystem{Path: b.host.Host().Path("/data")}.Thaw()
		if err := b.host.Close(); err != nil {
			b.t.Error(err)
		}
	}
	b.host = nil
}

// raise raises the host unless it is there.
func (b *bench) raise() (err error) {
	if b.host != nil {
		return nil
	}
	b.injections = map[string]*conformance.Injection{}
	if b.host, err = conformance.RaiseOverlap(b.t.Context(), setup); err != nil {
		return err
	}
	b.free, err = b.space()
	return err
}

// space is what is free on the disk of the host: a listing does not say it.
func (b *bench) space() (string, error) {
	disk, err := os.Open(b.host.Host().Path("/data"))
	if err != nil {
		return "", err
	}
	defer disk.Close()
	var s unix.Statfs_t
	if err := errors.Join(unix.Syncfs(int(disk.Fd())), unix.Fstatfs(int(disk.Fd()), &s)); err != nil {
		return "", err
	}
	return fmt.Sprintf("free blocks=%d inodes=%d", s.Bfree, s.Ffree), nil
}

// asFound says how the host is not as it was found, byte by byte.
func (b *bench) asFound() error {
	diff, err := b.host.Changed()
	if err != nil {
		return err
	}
	free, err := b.space()
	if err != nil {
		return err
	}
	if free != b.free {
		diff = append(diff, "- "+b.free, "+ "+free)
	}
	if len(diff) > 0 {
		return fmt.Errorf("the host is not as it was found:\n%s", strings.Join(diff, "\n"))
	}
	return nil
}

// of is the injection of c, of which there is one on each host.
func (b *bench) of(c candidate) (*conformance.Injection, error) {
	if i, ok := b.injections[c.name]; ok {
		return i, i.Restart()
	}
	i, err := b.host.Injection(c.name, c.subject(), c.params)
	b.injections[c.name] = i
	return i, err
}

// chosen draws at least two of all that do not conflict with each other.
func chosen(rt *rapid.T, all []candidate) (some []candidate) {
	most := rapid.IntRange(2, 9).Draw(rt, "how many")
	for _, n := range rapid.Permutation(indices(all)).Draw(rt, "candidates") {
		c := all[n]
		if len(some) < most && !slices.ContainsFunc(some, c.conflicts) {
			some = append(some, c)
		}
	}
	return some
}

// indices are drawn in place of candidates: a failure lists what was drawn.
func indices(all []candidate) (n []int) {
	for i := range all {
		n = append(n, i)
	}
	return n
}

// step is what is done to one injection.
type step string

const (
	prepare step = "prepare"
	apply   step = "apply"
	restart step = "restart" // the plugin's process: it knows nothing but the record then
	observe step = "observe"
	renew   step = "renew"
	revert  step = "revert"
)

// life draws the steps of one injection, in an order that an agent may cause.
func life(rt *rapid.T) []step {
	steps := []step{prepare}
	if rapid.IntRange(0, 9).Draw(rt, "fate") > 0 { // or it is reverted without
		steps = append(steps, apply)
		for range rapid.IntRange(0, 3).Draw(rt, "more") {
			steps = append(steps, rapid.SampledFrom([]step{observe, renew, restart}).Draw(rt, "step"))
		}
	}
	if rapid.Bool().Draw(rt, "by another process") {
		steps = append(steps, restart)
	}
	steps = append(steps, revert)
	if rapid.IntRange(0, 3).Draw(rt, "again") == 0 {
		steps = append(steps, revert)
	}
	return steps
}

// do does one step, and says what was wrong.
func (c candidate) do(i *conformance.Injection, s step, restarted bool) error {
	switch s {
	case prepare:
		return i.Prepare()
	case apply, renew:
		return i.Apply(span)
	case restart:
		return i.Restart()
	case observe:
		return c.seen(i, restarted)
	}
	return i.Revert()
}

// patience is how long a fault may take to show: processes end after their signal.
const patience = 3 * time.Second

// seen says what is wrong with what the plugin observes of a fault that lives.
func (c candidate) seen(i *conformance.Injection, restarted bool) error {
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		o, err := i.Observe()
		if err != nil || o.State == fault.Present && o.Dose != fault.NotInForce || c.lost && restarted {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("it is %s, %s: %s", o.State, o.Dose, o.Detail)
		}
	}
}

// together draws some of all, leads each of them through its life beside the
// others, and says what went wrong or is left.
func (b *bench) together(rt *rapid.T, all []candidate) error {
	if err := b.raise(); err != nil {
		return err
	}
	var done []string
	spoilt := true // also when rapid breaks off
	defer func() {
		b.t.Log(strings.Join(done, ", "))
		if spoilt {
			b.close()
		}
	}()
	some := chosen(rt, all)
	lives, injections := map[string][]step{}, map[string]*conformance.Injection{}
	for _, c := range some {
		i, err := b.of(c)
		if err != nil {
			return fmt.Errorf("start %s: %w", c.name, err)
		}
		injections[c.name], lives[c.name] = i, life(rt)
	}
	restarted := map[string]bool{}
	for len(some) > 0 {
		n := rapid.IntRange(0, len(some)-1).Draw(rt, "next")
		c := some[n]
		s := lives[c.name][0]
		done = append(done, string(s)+" "+c.name)
		restarted[c.name] = restarted[c.name] || s == restart
		if err := c.do(injections[c.name], s, restarted[c.name]); err != nil {
			return fmt.Errorf("%s: %w", done[len(done)-1], err)
		}
		if lives[c.name] = lives[c.name][1:]; len(lives[c.name]) == 0 {
			some = slices.Delete(some, n, n+1)
		}
	}
	err := b.asFound()
	spoilt = err != nil
	return err
}

// Whatever faults the plan lets overlap on one host: prepared, applied, observed,
// renewed and reverted in any order, some never applied and some reverted twice,
// by processes that come and go, each is there as long as it lives, and at the end
// the host is byte by byte as it was found.
func TestAnyOverlapLeavesTheHostAsFound(t *testing.T) {
	b, all := newBench(t), candidates(t)
	rapid.Check(t, func(rt *rapid.T) {
		if err := b.together(rt, all); err != nil {
			rt.Fatal(err)
		}
	})
}

// The twin: one fault that leaves a file is found, whatever else is there.
func TestLeftFileIsFound(t *testing.T) {
	b := newBench(t)
	info, err := forgetful.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := []candidate{{name: "leaves", info: info}, candidates(t)[0]}
	wrong := rapid.Custom(func(rt *rapid.T) string { return fmt.Sprint(b.together(rt, all)) }).Example(1)
	if !strings.Contains(wrong, leftFile) {
		t.Errorf("the file that a fault left went unnoticed: %s", wrong)
	}
}
