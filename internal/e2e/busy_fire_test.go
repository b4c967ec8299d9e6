//go:build soak

package e2e

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var keep = flag.String("keep", "", "folder for the run of TestFireWithBusyHost; empty: it is thrown away")

// TestFireWithBusyHost burns down the layout stretched while one of its hosts
// runs wild. The verdict is that of the fire, or none; it never deviates for the
// machine's want of CPU. What became of each probe is for the page to say.
func TestFireWithBusyHost(t *testing.T) {
	var args []string
	if *keep != "" {
		path, err := filepath.Abs(*keep)
		if err != nil {
			t.Fatal(err)
		}
		args = []string{"--out", path}
	}
	d := launch(t, fireWithBusyHost, append(args, "--layout", "stretched", "--plain")...)
	if code := d.end(); code != 0 && code != 2 {
		t.Errorf("exit code %d, want held or inconclusive", code)
	}
}

// fireWithBusyHost copies the fire and adds a service to c6, where no probe's
// service stands: services are the last part of the lab file.
func fireWithBusyHost(dir string) error {
	const fire = "../../experiments/datacenter-fire"
	for name, more := range map[string]string{
		"experiment.yaml": "", "as-it-was.yaml": "", "tools-everywhere.yaml": "",
		"stretched.yaml": `
  - name: burn
    exec: superapp
    args: [burn, --threads=4]
    hosts: {hosts: [c6]}
`,
	} {
		b, err := os.ReadFile(filepath.Join(fire, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), append(b, more...), 0o644); err != nil {
			return err
		}
	}
	return nil
}
