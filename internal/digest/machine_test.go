package digest_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/digest"
	"github.com/firedrill-io/firedrill/internal/digest/digesttest"
	"github.com/firedrill-io/firedrill/internal/need"
)

func TestMain(m *testing.M) {
	// Keeps the process's first thread, which can't end, away from goroutines
	// that throw their thread away together with its namespace.
	runtime.LockOSThread()
	os.Exit(digesttest.Run(m))
}

const unified = "/sys/fs/cgroup/unified"

// Each row makes one object that a lab could leave behind. The machine differs
// while it is there and is equal again when it is gone: the second half is the
// twin of the first.
func TestMachineSeesWhatIsLeft(t *testing.T) {
	need.Check(t, need.Root)
	rows := []struct {
		kind string
		make func(t *testing.T) (undo func())
	}{
		{"cgroup", makeCgroup},
		{"namespace", makeNamespace},
		{"mount", makeMount},
		{"file", makeFile},
	}
	for _, row := range rows {
		t.Run(row.kind, func(t *testing.T) {
			folder := filepath.Join(os.TempDir(), "firedrill-digest-test")
			opts := []digest.Option{digest.Only(row.kind + " "), digest.Folders(folder)}
			before := machine(t, opts...)
			undo := row.make(t)
			during := digest.Diff(before, machine(t, opts...))
			undo()
			if !strings.Contains(strings.Join(during, "\n"), "+ "+row.kind) {
				t.Errorf("while it was there: got %q, want an added %s", during, row.kind)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if diff, err := digest.Settled(ctx, before, opts...); err != nil || len(ours(diff)) > 0 {
				t.Errorf("when it was gone: %q, %v", diff, err)
			}
		})
	}
}

// ours keeps what this test could have made; other tests run beside it.
func ours(diff []string) (kept []string) {
	for _, line := range diff {
		if strings.Contains(line, "digest-test") {
			kept = append(kept, line)
		}
	}
	return kept
}

func machine(t *testing.T, opts ...digest.Option) digest.Digest {
	t.Helper()
	d, err := digest.Machine(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func makeCgroup(t *testing.T) func() {
	dir := filepath.Join(unified, "firedrill-digest-test")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return func() { _ = unix.Rmdir(dir) }
}

// makeNamespace leaves a network namespace that only a thread is in.
func makeNamespace(t *testing.T) func() {
	made, end := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // ends with its namespace
		made <- unix.Unshare(unix.CLONE_NEWNET)
		<-end
	}()
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	return func() { close(end) }
}

func makeMount(t *testing.T) func() {
	dir := filepath.Join(os.TempDir(), "digest-test-mount")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("digest-test", dir, "tmpfs", 0, "size=4k"); err != nil {
		t.Fatal(err)
	}
	return func() {
		_ = unix.Unmount(dir, 0)
		_ = os.Remove(dir)
	}
}

func makeFile(t *testing.T) func() {
	dir := filepath.Join(os.TempDir(), "firedrill-digest-test")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "digest-test.img"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return func() { _ = os.RemoveAll(dir) }
}

// inNamespace runs fn on a thread with a network namespace of its own.
func inNamespace(t *testing.T, fn func(*netlink.Handle)) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // ends with its namespace
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			var nl *netlink.Handle
			if nl, err = netlink.NewHandle(unix.NETLINK_ROUTE); err == nil {
				fn(nl)
				nl.Close()
			}
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
