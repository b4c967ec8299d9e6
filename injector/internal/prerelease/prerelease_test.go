package prerelease

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write experiments/prerelease")

// committed is the service of experiments/prerelease: the smallest there is.
var committed = Service{Name: "notes", Replicas: 3, Exec: "superapp", Args: []string{"hello", "--listen", "${ip}:8080", "--dir", "/data/notes"}, Port: 8080, Ready: "/"}

// experiments/prerelease is what lab init writes for that service.
func TestCommitted(t *testing.T) {
	const dir = "../../../experiments/prerelease"
	files, err := render(committed)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		path := filepath.Join(dir, name)
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is stale, -update writes it:\n%s", path, diff)
		}
	}
	there, err := filepath.Glob(dir + "/*.yaml")
	if err != nil || len(there) != len(files) {
		t.Errorf("%d files in %s, want %d (%v)", len(there), dir, len(files), err)
	}
}

// Nothing is overwritten, and nothing written beside what stands there.
func TestWriteOverwritesNothing(t *testing.T) {
	for _, taken := range []string{LabFile, "rack-power-loss.yaml", Services} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, taken), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := Write(dir, committed); err == nil || !strings.Contains(err.Error(), taken+": it exists") {
			t.Errorf("%s: %v", taken, err)
		}
		if all, _ := os.ReadDir(dir); len(all) != 1 {
			t.Errorf("%s: %d files", taken, len(all))
		}
	}
}

// Replicas go to the zones in turn, and every zone has one.
func TestHosts(t *testing.T) {
	for n, want := range map[int]string{
		2: "r1 zone-a 10.77.1.1, r2 zone-b 10.77.2.1",
		5: "r1 zone-a 10.77.1.1, r2 zone-b 10.77.2.1, r3 zone-c 10.77.3.1, r4 zone-a 10.77.1.2, r5 zone-b 10.77.2.2",
	} {
		var got []string
		for _, h := range (Service{Replicas: n}).Hosts() {
			got = append(got, h.Name+" "+h.Zone.Name+" "+h.Address)
		}
		if diff := cmp.Diff(want, strings.Join(got, ", ")); diff != "" {
			t.Error(diff)
		}
	}
}

// A program is linked to unless it shall be copied.
func TestProgramIsLinked(t *testing.T) {
	dir, s := filepath.Join(t.TempDir(), "drills"), committed
	s.Program, s.Exec = "/bin/true", "true"
	if _, err := Write(dir, s); err != nil {
		t.Fatal(err)
	}
	if target, err := os.Readlink(filepath.Join(dir, Services, "true")); target != "/bin/true" {
		t.Errorf("link to %q (%v)", target, err)
	}
}
