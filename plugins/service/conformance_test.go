package service

import (
	"os"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
)

var driver = fault.NewDriver(New())

func TestMain(m *testing.M) {
	grouptest.Main()
	faulttest.Main(m, driver)
}

// notes is a service of the tests, which comes back by itself unless it is masked.
const (
	notes     = "fd-notes.service"
	notesFile = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sleep 1000\nRestart=always\nRestartSec=50ms\n"
)

// The suite needs a service manager, so it runs on a machine that has one and not
// in a lab host.
func TestConformanceOnSystemd(t *testing.T) {
	need.Check(t, need.Root, need.Systemd)
	grouptest.Units(t, map[string]string{notes: notesFile})
	grouptest.StartUnits(t, notes)
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{Service: notes}, OnMachine: true, Patience: 20 * time.Second,
		Meter: meter, Disturb: someoneStartsIt(),
	})
}

// meter counts the processes of the service on the kernel's word.
func meter(*faulttest.Host) ([]fault.Measure, error) {
	n, err := countProcesses(notes)
	return []fault.Measure{processesLeft(n)}, err
}

// Parameters are refused before the service manager is asked: in a lab host, which
// has none.
func TestConformanceOfRefusals(t *testing.T) {
	t.Parallel()
	faulttest.Refuses(t, driver, nil, map[string]Params{
		"service": {Service: "../notes"},
		"action":  {Service: "notes", Action: "pause"},
		"every":   {Service: "notes", Every: "10s"},
	})
}

// Without systemd the fault says so, and what to take instead.
func TestWithoutSystemd(t *testing.T) {
	if _, err := os.Lstat("/run/systemd/system"); err == nil {
		t.Log("this machine has systemd")
		return
	}
	_, err := New().Prepare(t.Context(), fault.Target{}, Params{Service: "notes"})
	mustBe(t, err, fault.ErrUnsupported, "systemd is not the service manager", "fault kill")
}

func TestNames(t *testing.T) {
	for given, want := range map[string]string{
		"notes": notesOf(""), "notes.service": notesOf(""), "notes@3": notesOf("@3"), "notes@": "", "notes@.service": "", "": "", "notes.socket": "",
		"a/b": "", "notes.v2": "notes.v2.service", "a b": "", "\x00": "", "☃": "",
	} {
		got, err := Params{Service: given}.unit()
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v; want %q", given, got, err, want)
		}
	}
}

func notesOf(instance string) string { return "notes" + instance + ".service" }

func TestNearNames(t *testing.T) {
	all := []string{"apache2.service", "cron.service", "postgresql.service", "postgresql@15-main.service", "ssh.service"}
	for asked, want := range map[string]string{"postgres.service": all[2], "postgresqll.service": all[2], "Apache.service": all[0], "corn.service": ""} {
		found := near(asked, all)
		if want == "" && len(found) > 0 || want != "" && (len(found) == 0 || found[0] != want) {
			t.Errorf("near %s are %v, want %q", asked, found, want)
		}
	}
}
