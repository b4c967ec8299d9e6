package grouptest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// sleeper is a service of the tests. It ends by force after a second, where it
// can't end by itself, and goes on when a process that a test put into its group is
// killed for want of memory.
const sleeper = "fd-sleeper.service"

const sleeperFile = "[Service]\nExecStart=/bin/sleep 1000\nTimeoutStopSec=1\nOOMPolicy=continue\n"

// units is where systemd has the groups of services.
const units = "/sys/fs/cgroup/system.slice"

// OnUnit puts a fault that sets file of a group on a service of systemd. measure
// checks the dose in the group dir, after a daemon-reload: the fault must still be
// there. Then all must be as it was found, also where the service was started anew
// under the fault.
func OnUnit(t *testing.T, d fault.Driver, params any, file string, measure func(t *testing.T, dir string)) {
	Units(t, map[string]string{sleeper: sleeperFile})
	StartUnits(t, sleeper)
	u := unitFault{d: d, file: file}
	var err error
	u.params, err = json.Marshal(params)
	faulttest.Must(t, err)
	u.found = u.state()

	change := u.begin(t)
	inForce := u.text()
	Reload(t)
	ReadUnit(t, sleeper) // the manager writes to groups before it answers
	if now := u.text(); now != inForce {
		t.Errorf("%s was %s and is %s after a daemon-reload", file, inForce, now)
	}
	if o := u.observe(t, change); o.State != fault.Present || o.Dose == fault.NotInForce {
		t.Errorf("after a daemon-reload: observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	measure(t, filepath.Join(units, sleeper))
	o := u.observe(t, change)
	t.Logf("%s: found %s, set to %s; %s", file, u.found, inForce, o.Detail)
	for range 2 {
		faulttest.Must(t, d.Revert(t.Context(), fault.Target{}, change))
	}
	u.asFound(t)
	Reload(t)
	u.asFound(t) // nor does the manager know anything that it could write now

	change = u.begin(t)
	Reload(t) // now the service that is started anew gets the limit, too
	RestartUnit(t, sleeper)
	if o := u.observe(t, change); o.Dose != fault.NotInForce || !strings.Contains(o.Detail, "is another one now") {
		t.Errorf("after a restart: observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	for range 2 {
		if err := d.Revert(t.Context(), fault.Target{}, change); !errors.Is(err, fault.ErrGone) {
			t.Errorf("revert after a restart: error %v, want %v", err, fault.ErrGone)
		}
	}
	u.asFound(t)
}

// unitFault is a fault on the service of the tests.
type unitFault struct {
	d      fault.Driver
	params json.RawMessage
	file   string
	found  string
}

// begin prepares and applies, the latter twice.
func (u unitFault) begin(t *testing.T) (change json.RawMessage) {
	t.Helper()
	change, err := u.d.Prepare(t.Context(), fault.Target{}, u.params)
	faulttest.Must(t, err)
	if o := u.observe(t, change); o.State != fault.Absent {
		t.Errorf("before Apply: observed %s, %s", o.State, o.Detail)
	}
	for range 2 {
		applied, err := u.d.Apply(t.Context(), []fault.RawItem{{ID: "unit", Change: change}}, 0, fault.Now().Add(time.Minute))
		faulttest.Must(t, err)
		faulttest.Must(t, applied[0].Err.Err())
	}
	if o := u.observe(t, change); o.State != fault.Present || o.Dose == fault.NotInForce {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	return change
}

func (u unitFault) observe(t *testing.T, change json.RawMessage) fault.Observation {
	t.Helper()
	o, err := u.d.Observe(t.Context(), fault.Target{}, change)
	faulttest.Must(t, err)
	return o
}

// text is what the file of the group holds; "none" if it is not there.
func (u unitFault) text() string {
	text, err := cgroup.Read(filepath.Join(units, sleeper), u.file)
	if errors.Is(err, os.ErrNotExist) {
		return "none"
	}
	return fmt.Sprintf("%q", text)
}

// state is the file and what could be left of the fault: controllers that are
// handed on, configuration, slices of ours.
func (u unitFault) state() string {
	handed, _ := cgroup.Read(units, "cgroup.subtree_control")
	found := u.text() + " [" + handed + "]"
	for _, pattern := range []string{"/run/systemd/system.control/" + sleeper + "*", "/run/systemd/transient/*firedrill*", units + "/*firedrill*.slice"} {
		left, _ := filepath.Glob(pattern) // the patterns are right
		found += fmt.Sprint(left)
	}
	return found
}

// asFound compares the state with what was found.
func (u unitFault) asFound(t *testing.T) {
	t.Helper()
	now := u.state()
	for end := time.Now().Add(5 * time.Second); now != u.found && time.Now().Before(end); now = u.state() {
		time.Sleep(50 * time.Millisecond)
	}
	if now != u.found {
		t.Errorf("found %s and left %s", u.found, now)
	}
	if ReadUnit(t, sleeper).Stale {
		t.Error("systemd waits for a daemon-reload")
	}
}
