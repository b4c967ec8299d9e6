package containertest

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
)

const docker = "/usr/bin/docker"

// Docker has a container started by Docker, which chooses its id; its one program is
// the test binary in this role, which must need no libraries.
func Docker(t testing.TB, role processtest.Role) (p *processtest.Program, id string) {
	t.Helper()
	need.Check(t, need.Root, need.Docker)
	Service(t, "docker")
	const image = "firedrill-test"
	home := t.TempDir()
	archive, idFile := filepath.Join(home, "image.tar"), filepath.Join(home, "id")
	faulttest.Must(t, pack(archive))
	load, err := proc.Start(proc.Spec{Path: docker, Args: []string{"import", archive, image}, Stderr: os.Stderr})
	faulttest.Must(t, err)
	if code, err := load.Wait(); code != 0 || err != nil {
		t.Fatalf("docker import: code %d, %v", code, err)
	}
	// The machine has AppArmor in its kernel and nothing that loads profiles.
	p = processtest.Run(t, proc.Spec{Path: docker, Args: []string{"run", "--rm", "--interactive", "--network", "none", "--security-opt", "apparmor=unconfined", "--cidfile", idFile, image, "/program", string(role)}})
	b, err := os.ReadFile(idFile)
	faulttest.Must(t, err)
	id = strings.TrimSpace(string(b))
	t.Cleanup(func() {
		kill, err := proc.Start(proc.Spec{Path: docker, Args: []string{"kill", id}})
		faulttest.Must(t, err)
		_, _ = kill.Wait()
	})
	return p, id
}

// pack makes an archive of a root file system that holds the test binary alone.
func pack(path string) (err error) {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	program, err := os.Open(proc.Self)
	if err != nil {
		return err
	}
	defer program.Close()
	info, err := program.Stat()
	if err != nil {
		return err
	}
	w := tar.NewWriter(out)
	if err := w.WriteHeader(&tar.Header{Name: "program", Mode: 0o755, Size: info.Size()}); err != nil {
		return err
	}
	_, err = io.Copy(w, program)
	return errors.Join(err, w.Close())
}
