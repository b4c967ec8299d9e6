package powerloss

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/redfishtest"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

// beside is the target of an agent that knows the controller c of host h1; more
// are lines for the host in its file.
func beside(t testing.TB, c *redfishtest.Controller, more string) fault.Target {
	t.Helper()
	need.Check(t, need.Root) // the file is root's
	return fault.Target{Host: "h1", Power: c.File(t, "h1", more), StateDir: t.TempDir()}
}

// ready prepares the loss of a machine, and takes the record through its form on disk.
func ready(t testing.TB, target fault.Target) fault.Item[Change] {
	t.Helper()
	raw, err := driver.Prepare(t.Context(), target, json.RawMessage(`{"mode": "machine-redfish"}`))
	if err != nil {
		t.Fatal(err)
	}
	var c Change
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	return fault.Item[Change]{ID: "h1", Target: target, Change: c}
}

func wantState(t testing.TB, it fault.Item[Change], state fault.State, dose fault.Dose) {
	t.Helper()
	if o := observed(t, it); o.State != state || o.Dose != dose {
		t.Errorf("%s, %s (%s); want %s, %s", o.State, o.Dose, o.Detail, state, dose)
	}
}

// The machine goes off and on again, once each, however often it is asked for.
func TestControllerCutsAndRestores(t *testing.T) {
	t.Parallel()
	c := redfishtest.New(t, redfishtest.Manners{On: true, Takes: 600 * time.Millisecond, UUID: "1"})
	it := ready(t, beside(t, c, ""))
	wantState(t, it, fault.Absent, fault.NotInForce)
	for range 2 {
		dark(t, []fault.Item[Change]{it})
		wantState(t, it, fault.Present, fault.InForce)
	}
	for range 2 {
		lit(t, []fault.Item[Change]{it})
		wantState(t, it, fault.Absent, fault.NotInForce)
	}
	if got := c.Orders(); !slices.Equal(got, []string{"ForceOff", "On"}) {
		t.Errorf("orders: %v", got)
	}
}

// Machines go together. One whose controller says yes and does nothing is not in
// force, and keeps nobody else from going.
func TestControllerLies(t *testing.T) {
	t.Parallel()
	var items []fault.Item[Change]
	var controllers []*redfishtest.Controller
	for range 3 {
		c := redfishtest.New(t, redfishtest.Manners{On: true, Takes: 200 * time.Millisecond})
		controllers = append(controllers, c)
		items = append(items, ready(t, beside(t, c, "")))
	}
	controllers[1].Set(func(m *redfishtest.Manners) { m.Lies = true })
	errs := redfishMode{patience: time.Second}.apply(t.Context(), items, 0)
	for n, err := range errs {
		if lies := n == 1; lies != (err != nil) || lies && !strings.Contains(err.Error(), "still says On: not off within") {
			t.Errorf("machine %d: %v", n, err)
		} else if lies {
			wantState(t, items[n], fault.Absent, fault.NotInForce)
		} else {
			wantState(t, items[n], fault.Present, fault.InForce)
		}
	}
	lit(t, items)
	if got := controllers[1].Orders(); !slices.Equal(got, []string{"ForceOff"}) {
		t.Errorf("orders of the one that never went off: %v", got)
	}
}

// Silence of a machine that had answered is what makes a cut seen to act; a
// machine that still answers is not off, whatever its controller says.
func TestControllerIsMetered(t *testing.T) {
	t.Parallel()
	c := redfishtest.New(t, redfishtest.Manners{On: true})
	it := ready(t, beside(t, c, "ping: 127.0.0.1, ")) // always answers
	if !it.Change.Pinged {
		t.Fatal("the ping was not answered")
	}
	dark(t, []fault.Item[Change]{it})
	wantState(t, it, fault.Partial, fault.NotInForce)
	it.Target = beside(t, c, "ping: 240.0.0.1, ") // never does
	wantState(t, it, fault.Present, fault.Exercised)
	lit(t, []fault.Item[Change]{it})
}

// A host at the far end of a cable answers while the cable is on, and does not
// while it is off.
func TestPing(t *testing.T) {
	t.Parallel()
	w := traffictest.New(t)
	for _, up := range []bool{true, false} {
		if !up {
			if err := w.H.LinkSetDown(w.Eth0(t)); err != nil {
				t.Fatal(err)
			}
		}
		for _, addr := range []string{traffictest.AddrB, traffictest.AddrB6} {
			if err := w.A.Do(func() error {
				if got := pinged(t.Context(), netip.MustParseAddr(addr)); got != up {
					t.Errorf("cable on %t: %s answered %t", up, addr, got)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// The controller goes away in the middle. Nothing can be done then, and that is
// said; when it is back, a revert from the record alone switches the machine on.
func TestControllerGoneInTheMiddle(t *testing.T) {
	t.Parallel()
	c := redfishtest.New(t, redfishtest.Manners{On: true})
	it := ready(t, beside(t, c, ""))
	dark(t, []fault.Item[Change]{it})
	c.Set(func(m *redfishtest.Manners) { m.Down = true })
	fresh := &Plugin{}
	for range 2 {
		err := fresh.Revert(t.Context(), it.Target, it.Change)
		if err == nil || !strings.Contains(err.Error(), "stays as it is until its controller obeys, or switch it on by hand") {
			t.Errorf("revert without a controller: %v", err)
		}
		if errors.Is(err, fault.ErrStuck) || errors.Is(err, fault.ErrGone) {
			t.Errorf("nobody would try again after %v", err)
		}
	}
	if _, err := fresh.Observe(t.Context(), it.Target, it.Change); err == nil {
		t.Error("observed without a controller")
	}
	c.Set(func(m *redfishtest.Manners) { m.Down, m.Busy, m.After = false, 1, 1 })
	lit(t, []fault.Item[Change]{it})
	wantState(t, it, fault.Absent, fault.NotInForce)
	if !c.On() {
		t.Error("the machine is off")
	}
}

// Reverted while the machine is still going off, it waits for that first.
func TestControllerStillSwitchingOff(t *testing.T) {
	t.Parallel()
	c := redfishtest.New(t, redfishtest.Manners{On: true, Takes: time.Second})
	it := ready(t, beside(t, c, ""))
	if errs := (redfishMode{patience: time.Millisecond}).apply(t.Context(), []fault.Item[Change]{it}, 0); errs[0] == nil {
		t.Fatal("off at once")
	}
	wantState(t, it, fault.Partial, fault.NotInForce)
	lit(t, []fault.Item[Change]{it})
	if got := c.Orders(); !slices.Equal(got, []string{"ForceOff", "On"}) || !c.On() {
		t.Errorf("on %t after %v", c.On(), got)
	}
}

// After a repair another machine may answer behind the same controller: it is left alone.
func TestControllerHasAnotherMachine(t *testing.T) {
	t.Parallel()
	c := redfishtest.New(t, redfishtest.Manners{On: true, UUID: "one"})
	it := ready(t, beside(t, c, ""))
	c.Set(func(m *redfishtest.Manners) { m.UUID = "another" })
	if errs := (&Plugin{}).ApplyBatch(t.Context(), []fault.Item[Change]{it}, 0, 0); !errors.Is(errs[0], fault.ErrChanged) {
		t.Errorf("apply: %v", errs[0])
	}
	c.Set(func(m *redfishtest.Manners) { m.On = false })
	if err := (&Plugin{}).Revert(t.Context(), it.Target, it.Change); !errors.Is(err, fault.ErrGone) {
		t.Errorf("revert: %v", err)
	}
	if _, err := (&Plugin{}).Observe(t.Context(), it.Target, it.Change); !errors.Is(err, fault.ErrGone) {
		t.Errorf("observe: %v", err)
	}
	if got := c.Orders(); len(got) > 0 {
		t.Errorf("orders: %v", got)
	}
}

// Each row is refused before anything is switched. The last one is not: the twin.
func TestControllerRefuses(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, says string
		m          redfishtest.Manners
		bend       func(*fault.Target)
	}{
		{"off already", "off already", redfishtest.Manners{}, nil},
		{"no file", "give it a file of controllers with --bmc", redfishtest.Manners{On: true}, func(t *fault.Target) { t.Power = "" }},
		{"not in the file", `no host "h2"`, redfishtest.Manners{On: true}, func(t *fault.Target) { t.Host = "h2" }},
		{"file that all can read", "must be a file of root", redfishtest.Manners{On: true}, func(t *fault.Target) { _ = os.Chmod(t.Power, 0o644) }},
		{"controller gone", "unreachable", redfishtest.Manners{Down: true}, nil},
		{"no ForceOff", "unsupported", redfishtest.Manners{On: true, Resets: []string{"On"}}, nil},
		{"good", "", redfishtest.Manners{On: true}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := redfishtest.New(t, row.m)
			target := beside(t, c, "")
			if row.bend != nil {
				row.bend(&target)
			}
			_, err := driver.Prepare(t.Context(), target, json.RawMessage(`{"mode": "machine-redfish"}`))
			if (err == nil) != (row.says == "") || err != nil && !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %v, want what says %q", err, row.says)
			}
			if got := c.Orders(); len(got) > 0 {
				t.Errorf("orders: %v", got)
			}
		})
	}
}

// An agent never switches off the machine it runs on, in whatever order of bytes
// the firmware writes its UUID.
func TestControllerOfTheAgentItself(t *testing.T) {
	self := filepath.Join(t.TempDir(), "product_uuid")
	if err := os.WriteFile(self, []byte("33221100-5544-7766-8899-AABBCCDDEEFF\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for uuid, want := range map[string]bool{
		"33221100-5544-7766-8899-aabbccddeeff": true,
		"00112233-4455-6677-8899-aabbccddeeff": true,
		"33221100-5544-7766-8899-aabbccddee00": false,
		"":                                     false,
	} {
		if got := (redfishMode{self: self}).own(uuid); got != want {
			t.Errorf("own(%q) = %t", uuid, got)
		}
		if (redfishMode{self: self + "-missing"}).own(uuid) {
			t.Errorf("own(%q) without a UUID of its own", uuid)
		}
	}
}

// The suite, with the plugin beside the lab and the controller in its network.
func TestConformanceOfControllers(t *testing.T) {
	t.Parallel()
	need.Check(t, need.Root)
	var c *redfishtest.Controller
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{Mode: ModeRedfish},
		Setup: func(h *faulttest.Host) error {
			l, err := listenBeside(t.Context(), h)
			if err == nil {
				c = redfishtest.NewOn(t, l, redfishtest.Manners{On: true, Takes: 100 * time.Millisecond, Killed: true, Switched: func(on bool) { note(h, on) }})
			}
			return err
		},
		Target: func(h *faulttest.Host, target fault.Target) fault.Target {
			target.Power = c.File(t, h.Name, "")
			return target
		},
		Meter: func(*faulttest.Host) ([]fault.Measure, error) { return powered(count(c.On()), 0), nil },
		Dose:  powered(0, 0),
		Disturb: &faulttest.Disturbance{
			Change: func(h *faulttest.Host) error {
				c.Set(func(m *redfishtest.Manners) {
					m.On = true
					note(h, true)
				})
				return nil
			},
			Kept: func(*faulttest.Host) error {
				if !c.On() {
					return errors.New("the machine that somebody switched on is off")
				}
				return nil
			},
			Undo: func(*faulttest.Host) error { return nil },
		},
	})
}

// note has the machine's power show in the host, which the suite compares with
// what it was: for the suite, the host is the machine.
func note(h *faulttest.Host, on bool) {
	const off = "/data/off"
	if on {
		_ = os.Remove(h.Path(off))
	} else {
		_ = os.WriteFile(h.Path(off), nil, 0o600)
	}
}

// listenBeside listens where the plugin is run: in the network beside the hosts,
// whose loopback nobody else needs.
func listenBeside(ctx context.Context, h *faulttest.Host) (l net.Listener, err error) {
	s, err := h.Lab.Power().Status(ctx, h.Name)
	if err != nil {
		return nil, err
	}
	f, err := openFabric(s)
	if err != nil {
		return nil, err
	}
	defer f.close()
	lo, err := f.nl.LinkByName("lo")
	if err != nil {
		return nil, err
	}
	if err := f.nl.LinkSetUp(lo); err != nil {
		return nil, err
	}
	err = f.ns.Do(func() (err error) {
		l, err = net.Listen("tcp", "127.0.0.1:0")
		return err
	})
	return l, err
}

// What a machine can't do, or has no parts of, is refused with the field.
func TestMachineModesRefuseParameters(t *testing.T) {
	for field, params := range map[string]string{"brownout": `"brownout": {"flaps": 1, "for": "50ms"}`, "services": `"services": ["web"]`, "file_systems": `"file_systems": ["/srv"]`} {
		for _, m := range []Mode{ModeRedfish, ModeSysrq} {
			_, err := driver.Prepare(t.Context(), fault.Target{Host: "h1"}, json.RawMessage(fmt.Sprintf(`{"mode": %q, %s}`, m, params)))
			faulttest.Refused(t, err, field)
		}
	}
}
