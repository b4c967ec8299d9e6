package powerloss

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/power"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// told is a power controller that says what the test wants.
type told struct{ status power.Status }

func (c *told) Status(context.Context, string) (power.Status, error) { return c.status, nil }
func (c *told) On(context.Context, string) (power.Status, error)     { return c.status, nil }

// serveTold serves it on a socket of its own.
func serveTold(t *testing.T, c power.Controller) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "power.sock")
	l, err := power.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = power.Serve(ctx, l, c)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return socket
}

// Each row bends one word of a true answer, or of the target, and must be
// refused. The last row bends nothing and must not be: the twin.
func TestPrepareRefuses(t *testing.T) {
	l := raise(t, 2)
	truth, other := statusOf(t, l, "p1"), statusOf(t, l, "p2")
	rows := []struct {
		name, want string
		bend       func(*power.Status, *fault.Target)
	}{
		{"off already", "off already", func(s *power.Status, _ *fault.Target) { s.On = false }},
		{"no controller", "no power controller", func(_ *power.Status, t *fault.Target) { t.Power = "" }},
		{"another host", `answered for "p2"`, func(s *power.Status, _ *fault.Target) { s.Host = "p2" }},
		{"root", "/ is never shut down", func(s *power.Status, _ *fault.Target) { s.FileSystems[0].Mount = "/" }},
		{"journal of the acting agent", "carries the journal", func(s *power.Status, t *fault.Target) { t.StateDir = inside(*s, s.FileSystems[0]) }},
		{"not a loop device", "only loop devices", func(s *power.Status, _ *fault.Target) {
			s.FileSystems[0].Dev, s.FileSystems[0].Device = deviceOfRoot(t), "vda"
		}},
		{"another image", "carries", func(s *power.Status, _ *fault.Target) { s.FileSystems[0].Image = "/etc/passwd" }},
		{"another file system", "another file system", func(s *power.Status, _ *fault.Target) { s.FileSystems[0] = other.FileSystems[0] }},
		{"tmpfs", "only ext4 and xfs", func(s *power.Status, _ *fault.Target) { s.FileSystems[0].Type = "tmpfs" }},
		{"not named", "does not name", func(s *power.Status, _ *fault.Target) { s.FileSystems = s.FileSystems[:1] }},
		{"nothing named", "no file system", func(s *power.Status, _ *fault.Target) { s.FileSystems = nil }},
		{"another pid 1", "is not true", func(s *power.Status, _ *fault.Target) { s.PID1Start++ }},
		{"another cgroup", "is not true", func(s *power.Status, _ *fault.Target) { s.Cgroup = other.Cgroup }},
		{"group of the machine", "holds this agent too", func(s *power.Status, _ *fault.Target) { s.Cgroup, s.CgroupIno = rootGroup(t) }},
		{"nothing bent", "", func(*power.Status, *fault.Target) {}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := &told{status: truth}
			c.status.FileSystems = append([]power.FileSystem(nil), truth.FileSystems...)
			target := targetOf(l, "p1")
			target.Power = serveTold(t, c)
			row.bend(&c.status, &target)
			_, err := (&Plugin{}).Prepare(t.Context(), target, Params{Mode: ModeLab})
			var refused *fault.RefusedError
			switch {
			case row.want == "":
				if err != nil {
					t.Errorf("refused: %v", err)
				}
			case !errors.As(err, &refused) || !strings.Contains(err.Error(), row.want):
				t.Errorf("got %v, want a refusal that says %q", err, row.want)
			}
		})
	}
	if now := statusOf(t, l, "p1"); !now.On || now.BootID != truth.BootID {
		t.Errorf("a refusal changed the host: %+v", now)
	}
}

func deviceOfRoot(t *testing.T) uint64 {
	t.Helper()
	dev, err := deviceOf("/")
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

func rootGroup(t *testing.T) (string, uint64) {
	t.Helper()
	v2, err := cgroup.V2()
	if err != nil {
		t.Fatal(err)
	}
	ino, err := cgroup.Inode(v2.Mount)
	if err != nil {
		t.Fatal(err)
	}
	return v2.Mount, ino
}

// The group of the host must not hold the agent itself.
func TestRefusesItself(t *testing.T) {
	for path, want := range map[string]bool{"/a/b": true, "/a/b/c": true, "/a/bc": false, "/a": false} {
		if got := within(path, "/a/b"); got != want {
			t.Errorf("within(%q, /a/b) = %t", path, got)
		}
	}
}
