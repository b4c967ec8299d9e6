package powerloss

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// ordered is a machine whose trigger is a file that only notes the order, and the
// target that is this boot of it. The real one is tried in a machine for the test.
func ordered(t *testing.T) (sysrqMode, fault.Target) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &st); err != nil {
		t.Fatal(err)
	}
	m := sysrqMode{trigger: filepath.Join(t.TempDir(), "trigger"), ns: st.Ino}
	if err := os.WriteFile(m.trigger, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return m, fault.Target{Host: "h1", BootID: bootID(t)}
}

func orders(t *testing.T, m sysrqMode) string {
	t.Helper()
	b, err := os.ReadFile(m.trigger)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The kernel gets the order to reset at once, and a machine that runs on all the
// same is an error, not a success.
func TestSysrqOrder(t *testing.T) {
	m, target := ordered(t)
	var c Change
	if err := m.prepare(t.Context(), target, Params{}, &c); err != nil {
		t.Fatal(err)
	}
	if orders(t, m) != "" {
		t.Fatal("prepare gave an order")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	errs := m.apply(ctx, []fault.Item[Change]{{Target: target, Change: c}}, 0)
	if got := orders(t, m); got != "b" {
		t.Errorf("order %q, want b", got)
	}
	if errs[0] == nil || !strings.Contains(errs[0].Error(), "still runs") {
		t.Errorf("got %v", errs[0])
	}
	o, err := m.observe(t.Context(), target, c)
	if err != nil || o.Dose != fault.NotInForce || o.Achieved[0].Value != 0 {
		t.Errorf("in the same boot: %+v, %v", o, err)
	}
}

// In the next boot the record is over: nothing is ordered again.
func TestSysrqInTheNextBoot(t *testing.T) {
	m, target := ordered(t)
	target.BootID = "another"
	if errs := m.apply(t.Context(), []fault.Item[Change]{{Target: target}}, 0); !errors.Is(errs[0], fault.ErrGone) {
		t.Errorf("apply: %v, want %v", errs[0], fault.ErrGone)
	}
	o, err := m.observe(t.Context(), target, Change{})
	if err != nil || o.State != fault.Absent || o.Achieved[0].Value != 1 {
		t.Errorf("observe: %+v, %v", o, err)
	}
	if err := m.revert(t.Context(), target, Change{}); err != nil {
		t.Error(err)
	}
	if got := orders(t, m); got != "" {
		t.Errorf("order %q", got)
	}
}

// A host that shares its kernel is refused: the order would hit all who do.
func TestSysrqRefuses(t *testing.T) {
	m, target := ordered(t)
	shared, unknown, none := m, target, m
	shared.ns++
	unknown.BootID = ""
	none.trigger += "-missing"
	for _, row := range []struct {
		name   string
		m      sysrqMode
		target fault.Target
		says   string
	}{
		{"shared kernel", shared, target, "shares a kernel"},
		{"unknown boot", m, unknown, "which boot"},
		{"no trigger", none, target, "CONFIG_MAGIC_SYSRQ"},
	} {
		if err := row.m.prepare(t.Context(), row.target, Params{}, &Change{}); err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v, want what says %q", row.name, err, row.says)
		}
	}
}
