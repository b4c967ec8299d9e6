package pluginhost_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/digest/digesttest"
	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/pluginhost"
	"github.com/firedrill-io/firedrill/internal/proc"
)

const netAdmin = "CapEff:\t0000000000001000\n"

// Hardening guides have file systems mounted nosuid, where capabilities of files
// count for nothing (execve(2)). Ours don't come from files: a plugin that lies
// there has what it was granted.
func TestGrantedOnNosuid(t *testing.T) {
	need.Check(t, need.Root)
	dir := mounted(t, unix.MS_NOSUID)
	path := filepath.Join(dir, "note")
	copyTo(t, path, proc.Self)
	p, err := pluginhost.Launch(t.Context(), pluginhost.Config{Kind: "note", Path: path, Dir: shortDir(t), Confined: true, Capabilities: []string{"CAP_NET_ADMIN"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil || !strings.Contains(string(b), netAdmin) {
		t.Errorf("the plugin does not have what it was granted: %v\n%s", err, b)
	}
}

// The twin: a program that a file's capability is to help has it where that
// counts, and lacks it on nosuid.
func TestFileCapabilityOnNosuid(t *testing.T) {
	need.Check(t, need.Root)
	for name, row := range map[string]struct {
		flags uintptr
		has   bool
	}{"suid": {0, true}, "nosuid": {unix.MS_NOSUID, false}} {
		path := filepath.Join(mounted(t, row.flags), "cat")
		copyTo(t, path, "/bin/cat")
		// VFS_CAP_REVISION_2 and the effective bit; permitted and inheritable (linux/capability.h).
		capability := binary.LittleEndian.AppendUint32(nil, 0x02000001)
		for _, word := range []uint32{1 << unix.CAP_NET_ADMIN, 0, 0, 0} {
			capability = binary.LittleEndian.AppendUint32(capability, word)
		}
		if err := unix.Setxattr(path, "security.capability", capability, 0); err != nil {
			t.Fatal(err)
		}
		out, err := os.CreateTemp(t.TempDir(), "out")
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		cat, err := proc.Start(proc.Spec{Path: path, Args: []string{"/proc/self/status"}, Stdout: out, Attr: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}})
		if err != nil {
			t.Fatal(err)
		}
		code, err := cat.Wait()
		b, err2 := os.ReadFile(out.Name())
		if err != nil || err2 != nil || code != 0 || bytes.Contains(b, []byte(netAdmin)) != row.has {
			t.Errorf("%s: exit code %d, %v, %v\n%s", name, code, err, err2, b)
		}
	}
}

// mounted is a folder of an own file system in memory, which goes with the test.
func mounted(t *testing.T, flags uintptr) string {
	t.Helper()
	dir := shortDir(t) // the user nobody may reach it
	if err := unix.Mount(digesttest.Name(), dir, "tmpfs", flags, "mode=755"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func copyTo(t *testing.T, path, from string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(path, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}
