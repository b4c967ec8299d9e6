package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

func intent(id string) Record {
	return Record{
		ID: fault.InjectionID(id), Kind: "partition", Plugin: "1.0.0", Run: "r", Stage: "s", BootID: "b",
		Target: &fault.Target{Host: "p1", BootID: "b"}, Change: []byte(`{"before":"1","after":"2"}`),
	}
}

func open(t *testing.T, path string) *Journal {
	t.Helper()
	j, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func phases(records []Record) (out []string) {
	for _, r := range records {
		out = append(out, fmt.Sprintf("%s %s", r.ID, r.Phase))
	}
	return out
}

func TestLifeOfAnInjection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	if err := j.Intent(intent("a")); err != nil {
		t.Fatal(err)
	}
	if err := j.Intent(intent("a")); err == nil {
		t.Error("an injection was recorded twice")
	}
	if err := j.Ended("b", Reverted, ByAgent, nil); err == nil {
		t.Error("the end of an unknown injection was recorded")
	}
	if err := j.Applied("a", fault.Applied{ID: "a", Done: 7}, 100, time.Second); err != nil {
		t.Fatal(err)
	}
	live := open(t, path).Live()
	if diff := cmp.Diff([]string{"a applied"}, phases(live)); diff != "" {
		t.Fatal(diff)
	}
	r := live[0]
	if string(r.Change) != string(intent("a").Change) || r.Target.Host != "p1" || r.End != 100 || r.Applied.Done != 7 || r.Contract != fault.ContractVersion {
		t.Errorf("%+v", r)
	}
	if err := j.Ended("a", Reverted, ByGuardian, &fault.Error{Message: strings.Repeat("x", 10000)}); err != nil {
		t.Fatal(err)
	}
	later := open(t, path)
	if len(later.Live()) != 0 || later.Past()[0].By != ByGuardian {
		t.Errorf("%+v", later.Past())
	}
}

// The next run of an experiment has the same ids on a host that has been up
// since; in one run what has ended stays so.
func TestNextRunHasTheSameIDs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	next := intent("a")
	next.Run, next.Change = "r2", []byte(`{"before":"3"}`)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(j.Intent(intent("a")))
	if err := j.Intent(next); err == nil {
		t.Error("an injection that lives was recorded again")
	}
	must(j.Ended("a", Reverted, ByAgent, nil))
	if err := j.Intent(intent("a")); err == nil {
		t.Error("an injection began again in the same run")
	}
	must(j.Intent(next))
	for name, now := range map[string]*Journal{"as it is": j, "as read": open(t, path)} {
		live := now.Live()
		if len(live) != 1 || live[0].Run != "r2" || string(live[0].Change) != string(next.Change) || live[0].By != "" || len(now.Past()) > 0 {
			t.Errorf("%s: %+v", name, live)
		}
	}
}

// A bad line in the middle costs that line only, and ends new injections.
func TestBadLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	for _, id := range []string{"a", "b", "c"} {
		if err := j.Intent(intent(id)); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := open(t, path)
	if diff := cmp.Diff([]string{"a intent", "c intent"}, phases(damaged.Live())); diff != "" {
		t.Error(diff)
	}
	if err := damaged.Intent(intent("d")); !errors.Is(err, ErrUnusable) {
		t.Errorf("a damaged journal took an injection: %v", err)
	}
	if err := damaged.Ended("a", Reverted, ByAgent, nil); err != nil {
		t.Errorf("a damaged journal does not record an end: %v", err)
	}
}

// An end can be recorded whatever happened to syncing.
func TestFailedSyncEndsNewInjectionsOnly(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "journal"))
	if err := j.Intent(intent("a")); err != nil {
		t.Fatal(err)
	}
	_ = j.log.Close() // every later write fails
	if err := j.Ended("a", Reverted, ByAgent, nil); err == nil {
		t.Error("recording did not fail: the test shows nothing")
	}
	if len(j.Live()) != 0 {
		t.Error("reverted, and still live in memory")
	}
	if err := j.Intent(intent("b")); !errors.Is(err, ErrUnusable) {
		t.Errorf("an injection was taken: %v", err)
	}
	if len(j.Live()) != 0 {
		t.Error("an injection without record is live")
	}
}

func TestCompaction(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	for n := 0; ; n++ {
		id := fmt.Sprintf("i%d", n)
		if err := j.Intent(intent(id)); err != nil {
			t.Fatal(err)
		}
		before := j.log.Size()
		if err := j.Ended(fault.InjectionID(id), Reverted, ByAgent, nil); err != nil {
			t.Fatal(err)
		}
		if before < compactAt {
			continue
		}
		if j.log.Size() > compactAt/2 || len(j.Past()) != keepEnded || j.Past()[keepEnded-1].ID != fault.InjectionID(id) {
			t.Fatalf("%d bytes, %d ended", j.log.Size(), len(j.Past()))
		}
		break
	}
	if err := j.Intent(intent("next")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"next intent"}, phases(open(t, path).Live())); diff != "" {
		t.Error(diff)
	}
}

func TestLock(t *testing.T) {
	path := LockPath(t.TempDir())
	lock, err := TakeLock(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := TakeLock(short, path); !errors.Is(err, ErrLocked) {
		t.Errorf("taken twice: %v", err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	again, err := TakeLock(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Release()
}
