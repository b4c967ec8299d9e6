package service

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/systemd"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
)

// What somebody does to the unit while it is stopped is seen, kept, and not undone;
// what we did is.
func TestUnitChangesMeanwhileOnSystemd(t *testing.T) {
	const rival = "fd-rival.service"
	path := "/run/systemd/system/" + notes
	files := map[string]string{notes: notesFile, rival: "[Unit]\nConflicts=" + notes + "\n[Service]\nExecStart=/bin/sleep 1000\n"}
	grouptest.Units(t, files)
	for name, c := range map[string]struct {
		change  func(*testing.T, *systemd.Manager) error
		says    string // in the observation
		reverts error
		runs    bool // afterwards
	}{
		"unmasked and started": {func(t *testing.T, m *systemd.Manager) error {
			return errors.Join(systemd.Unmask(notes), m.Reload(t.Context()), m.Start(t.Context(), notes))
		}, "somebody started it", nil, true},
		"file replaced": {func(t *testing.T, m *systemd.Manager) error {
			return errors.Join(os.WriteFile(path, []byte(strings.Replace(notesFile, "1000", "1001", 1)), 0o644), m.Reload(t.Context()))
		}, "was changed meanwhile", nil, true},
		"file gone": {func(t *testing.T, m *systemd.Manager) error {
			return errors.Join(os.Remove(path), m.Reload(t.Context()))
		}, "is gone", fault.ErrGone, false},
		"masked by somebody else too": {func(t *testing.T, m *systemd.Manager) error {
			return errors.Join(os.Remove(path), os.Symlink("/dev/null", path), m.Reload(t.Context()))
		}, "is masked", fault.ErrStuck, false},
		"another file in place of the mask": {func(t *testing.T, m *systemd.Manager) error {
			at := systemd.MaskPath(notes)
			t.Cleanup(func() {
				_, _ = os.Remove(at), os.Remove("/run/systemd/system.control")
				grouptest.Reload(t)
			})
			return errors.Join(os.Remove(at), os.WriteFile(at, []byte(notesFile), 0o644), m.Reload(t.Context()))
		}, "took the mask away", fault.ErrStuck, false},
		"a rival is started": {func(t *testing.T, m *systemd.Manager) error {
			return m.Start(t.Context(), rival)
		}, "is masked", fault.ErrStuck, false},
	} {
		t.Run(name, func(t *testing.T) {
			if text, _ := os.ReadFile(path); string(text) != notesFile {
				_ = os.Remove(path) // perhaps a link
				faulttest.Must(t, grouptest.WriteUnits(files))
			}
			grouptest.StartUnits(t, notes) // which ends its rival
			s := New()
			change := faulttest.Prepare(t, New(), here, Params{Service: notes})
			faulttest.Must(t, s.Apply(t.Context(), here, change, 0, in(time.Minute)))
			faulttest.Must(t, grouptest.Ask(func(_ context.Context, m *systemd.Manager) error { return c.change(t, m) }))
			if o := faulttest.Observe(t, New(), here, change); !strings.Contains(o.Detail, c.says) {
				t.Errorf("observed %s, %s: %s; want %q", o.State, o.Dose, o.Detail, c.says)
			}
			err := New().Revert(t.Context(), here, change)
			if !errors.Is(err, c.reverts) || c.reverts == nil && err != nil {
				t.Errorf("revert: error %v, want %v", err, c.reverts)
			}
			faulttest.Must(t, New().Revert(t.Context(), here, change)) // nothing is left to be done
			if u := grouptest.ReadUnit(t, notes); u.Running() != c.runs {
				t.Errorf("%s is %s and %s", u.Name, u.Load, u.Active)
			}
			if masked, _ := systemd.Masked(notes); masked {
				t.Error("our mask is left")
			}
		})
	}
}

// What was changed between Prepare and Apply is not touched.
func TestChangedSincePrepareOnSystemd(t *testing.T) {
	grouptest.Units(t, map[string]string{notes: notesFile})
	grouptest.StartUnits(t, notes)
	c := faulttest.Prepare(t, New(), here, Params{Service: notes})
	ask := func(fn func(context.Context, *systemd.Manager) error) {
		t.Helper()
		faulttest.Must(t, grouptest.Ask(fn))
	}
	apply := func(want error) {
		t.Helper()
		mustBe(t, New().Apply(t.Context(), here, c, 0, in(time.Minute)), want)
		faulttest.Must(t, New().Revert(t.Context(), here, c))
	}
	// A boot clears the masks and starts what it starts: nothing is touched.
	booted := fault.Target{BootID: "another boot"}
	mustBe(t, New().Apply(t.Context(), booted, c, 0, in(time.Minute)), fault.ErrGone)
	mustBe(t, New().Revert(t.Context(), booted, c), fault.ErrGone)
	ask(func(ctx context.Context, m *systemd.Manager) error { return m.Stop(ctx, notes) })
	apply(fault.ErrChanged)
	if u := grouptest.ReadUnit(t, notes); u.Running() {
		t.Error("revert started what somebody else had stopped")
	}
	// Another injection's mask, or a person's, is not ours.
	ask(func(ctx context.Context, m *systemd.Manager) error {
		return errors.Join(m.Start(ctx, notes), systemd.Mask(notes))
	})
	apply(fault.ErrChanged)
	if masked, err := systemd.Masked(notes); !masked || err != nil {
		t.Errorf("their mask is gone: %v", err)
	}
	ask(func(ctx context.Context, m *systemd.Manager) error {
		return errors.Join(systemd.Unmask(notes), m.Reload(ctx))
	})
}

// A stop that was cut off after any step is undone.
func TestRevertFromEveryStepOnSystemd(t *testing.T) {
	startWorld(t)
	before := states(t)
	for name, stopAt := range map[string]func(context.Context, *systemd.Manager, Change) error{
		"masked":        func(context.Context, *systemd.Manager, Change) error { return nil },
		"reloaded":      func(ctx context.Context, m *systemd.Manager, _ Change) error { return m.Reload(ctx) },
		"socket halted": func(ctx context.Context, m *systemd.Manager, c Change) error { return m.Stop(ctx, c.Masks[1]) },
		"unmasked again": func(ctx context.Context, m *systemd.Manager, c Change) error {
			return errors.Join(m.Reload(ctx), m.Stop(ctx, c.Masks...), systemd.Unmask(c.Masks[0]), systemd.Unmask(c.Masks[1]), m.Reload(ctx))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := faulttest.Prepare(t, New(), here, Params{Service: notes})
			s := New()
			p := s.plan(t.Context(), c)
			p.Round = func() ([]Life, int, error) { return []Life{c.Before}, 0, mask(c.Masks) }
			faulttest.Must(t, s.runner.Apply(p, in(time.Minute), fault.Logger(t.Context())))
			faulttest.Must(t, grouptest.Ask(func(ctx context.Context, m *systemd.Manager) error { return stopAt(ctx, m, c) }))
			faulttest.Must(t, New().Revert(t.Context(), here, c))
			if after := states(t); after != before {
				t.Errorf("found\n%s\nand left\n%s", before, after)
			}
		})
	}
}

// A service that systemd gave up because of our stops and starts is started all
// the same.
func TestStartLimitOfOurMakingOnSystemd(t *testing.T) {
	file := strings.Replace(notesFile, "StartLimitIntervalSec=0", "StartLimitIntervalSec=1h\nStartLimitBurst=1", 1)
	grouptest.Units(t, map[string]string{notes: file})
	grouptest.StartUnits(t, notes)
	c := faulttest.Prepare(t, New(), here, Params{Service: notes})
	faulttest.Must(t, New().Apply(t.Context(), here, c, 0, in(time.Minute)))
	faulttest.Must(t, New().Revert(t.Context(), here, c))
	if u := grouptest.ReadUnit(t, notes); !u.Running() {
		t.Errorf("%s is %s (%s)", u.Name, u.Active, u.Result)
	}
}

// What must not be stopped, or could not be started again, is refused by name and
// with the reason.
func TestRefusalsOnSystemd(t *testing.T) {
	self, err := os.Executable()
	faulttest.Must(t, err)
	sleep := "[Service]\nExecStart=/bin/sleep 1000\n"
	grouptest.Units(t, map[string]string{
		notes:                notesFile,
		"fd-agent.service":   "[Unit]\nRequires=fd-below.service\nAfter=fd-below.service\n[Service]\nExecStart=" + self + " group-hold 1\n",
		"fd-below.service":   sleep,
		"fd-locked.service":  "[Unit]\nRefuseManualStop=yes\n" + sleep,
		"fd-network.service": "[Unit]\nBefore=network.target\n" + sleep,
		"fd-many@.service":   sleep,
		"fd-calls.socket":    "[Socket]\nListenStream=/run/fd-calls.sock\nAccept=yes\n",
		"fd-calls@.service":  sleep,
		"fd-limit.service":   "[Unit]\nStartLimitIntervalSec=60\nStartLimitBurst=5\n" + sleep,
	})
	t.Cleanup(func() { _ = os.Remove("/run/fd-calls.sock") })
	grouptest.StartUnits(t, "fd-below.service", "fd-agent.service", "fd-limit.service", "fd-calls.socket")
	call := connected(t) // before the daemon-reload
	faulttest.Must(t, os.Symlink("/dev/null", "/run/systemd/system/fd-none.service"))
	t.Cleanup(func() { _ = os.Remove("/run/systemd/system/fd-none.service"); grouptest.Reload(t) })
	grouptest.Reload(t)
	for _, c := range map[string]struct {
		p     Params
		field string
		says  string
	}{
		"part of systemd":      {Params{Service: "systemd-journald"}, "service", "part of systemd"},
		"bus":                  {Params{Service: "dbus"}, "service", "with systemd"},
		"agent":                {Params{Service: "fd-agent"}, "service", "Firedrill itself"},
		"what the agent needs": {Params{Service: "fd-below"}, "service", "fd-agent.service"},
		"refuses by itself":    {Params{Service: "fd-locked"}, "service", "by hand"},
		"network":              {Params{Service: "fd-network"}, "service", "network.target"},
		"template":             {Params{Service: "fd-many@"}, "service", "template"},
		"of a connection":      {Params{Service: call}, "service", "for one connection"},
		"restart of such":      {Params{Service: call, Action: restart}, "service", "for one connection"},
		"unknown":              {Params{Service: "fd-note"}, "service", notes},
		"masked":               {Params{Service: "fd-none"}, "service", "masked"},
		"not running":          {Params{Service: notes, Action: restart}, "service", "does not run"},
		"too often":            {Params{Service: "fd-limit", Action: restart, Every: "12s"}, "every", "more than 12s"},
	} {
		faulttest.PrepareRefused(t, New(), here, c.p, c.field, c.says)
	}
	if _, err := New().Prepare(t.Context(), here, Params{Service: "fd-limit", Action: restart, Every: "13s"}); err != nil {
		t.Errorf("just seldom enough: %v", err)
	}
	grouptest.StartUnits(t, notes)
	faulttest.Must(t, os.WriteFile("/run/systemd/system/"+notes, []byte(notesFile+"# edited\n"), 0o644))
	faulttest.Must(t, os.Chtimes("/run/systemd/system/"+notes, time.Now(), time.Now().Add(time.Second)))
	faulttest.PrepareRefused(t, New(), here, Params{Service: notes}, "service", "daemon-reload first")
}

// connected is the service that systemd starts for a connection of ours.
func connected(t *testing.T) (name string) {
	t.Helper()
	c, err := net.Dial("unix", "/run/fd-calls.sock")
	faulttest.Must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	for end := time.Now().Add(10 * time.Second); name == "" && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		faulttest.Must(t, grouptest.Ask(func(ctx context.Context, m *systemd.Manager) error {
			all, err := m.Services(ctx)
			if i := slices.IndexFunc(all, func(s string) bool {
				return strings.HasPrefix(s, "fd-calls@") && s != "fd-calls@.service"
			}); i >= 0 {
				name = all[i]
			}
			return err
		}))
	}
	return name
}
