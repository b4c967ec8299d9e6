package redfish

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/redfishtest"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// configured reads what the file of a controller says of host h1.
func configured(t *testing.T, c *redfishtest.Controller, more string) Controller {
	t.Helper()
	need.Check(t, need.Root) // the file is root's
	at, err := Read(c.File(t, "h1", more), "h1")
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func opened(t *testing.T, ctx context.Context, at Controller) *Session {
	t.Helper()
	s, err := Open(ctx, at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// switched asks for a state and waits for it.
func switched(ctx context.Context, s *Session, to State) error {
	if err := s.Switch(to); err != nil {
		return err
	}
	_, err := s.Await(ctx, to)
	return err
}

// Each row is a controller with its habits; the machine goes off and on again.
func TestOffAndOn(t *testing.T) {
	for name, m := range map[string]redfishtest.Manners{
		"at once":               {},
		"slow":                  {Takes: time.Second},
		"busy at first":         {Busy: 2},
		"busy for a second":     {Busy: 1, After: 1},
		"changed meanwhile":     {Moved: 1},
		"knows ForceOn only":    {Resets: []string{"ForceOff", "ForceOn"}},
		"does not say what":     {Silent: true},
		"several, one is named": {Systems: []string{"a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m.On = true
			c := redfishtest.New(t, m)
			at := configured(t, c, "")
			if m.Systems != nil {
				at.System = "b"
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			s := opened(t, ctx, at)
			before, err := s.Look()
			if err != nil || before.Power != On {
				t.Fatalf("before: %+v, %v", before, err)
			}
			for _, to := range []State{Off, On, On} {
				if err := switched(ctx, s, to); err != nil {
					t.Fatal(err)
				}
				if now, err := s.Look(); err != nil || now.Power != to || c.On() != (to == On) || !now.Same(before) {
					t.Errorf("after %s: %+v, %v", to, now, err)
				}
			}
			if got := c.Orders(); len(got) != 2 || got[0] != "ForceOff" || !strings.HasSuffix(got[1], "On") {
				t.Errorf("orders: %v; want one off and one on", got)
			}
		})
	}
}

// A controller that says yes and does nothing is not believed. The twin does
// what it says.
func TestLies(t *testing.T) {
	for _, lies := range []bool{true, false} {
		c := redfishtest.New(t, redfishtest.Manners{On: true, Lies: lies})
		s := opened(t, t.Context(), configured(t, c, ""))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := switched(ctx, s, Off)
		if lies != errors.Is(err, context.DeadlineExceeded) || lies && !strings.Contains(err.Error(), "still says On") {
			t.Errorf("lies %t: %v", lies, err)
		}
	}
}

// What a controller can't do, and who it does not let in, is said in words that
// a caller can tell apart.
func TestTypedErrors(t *testing.T) {
	for _, row := range []struct {
		name string
		m    redfishtest.Manners
		bend func(*Controller)
		want error
		says string
	}{
		{"wrong password", redfishtest.Manners{}, func(at *Controller) { at.Password = "another" }, ErrDenied, "no such user"},
		{"no such system", redfishtest.Manners{}, func(at *Controller) { at.System = "9" }, ErrNoSystem, `no system "9"; it has [1]`},
		{"which of two", redfishtest.Manners{Systems: []string{"a", "b"}}, nil, ErrNoSystem, "say which"},
		{"down", redfishtest.Manners{Down: true}, nil, ErrUnreachable, "EOF"},
		{"nobody there", redfishtest.Manners{}, func(at *Controller) { at.URL = "https://127.0.0.1:1" }, ErrUnreachable, "connection refused"},
		{"somebody else's certificate", redfishtest.Manners{}, func(at *Controller) { at.CA = "" }, ErrUnreachable, "certificate"},
		{"busy for longer than there is time", redfishtest.Manners{Busy: 99, After: 60}, nil, ErrBusy, "the service is starting"},
		{"no way to cut the power", redfishtest.Manners{On: true, Resets: []string{"GracefulShutdown", "On"}}, nil, fault.ErrUnsupported, "ForceOff"},
		{"no way back", redfishtest.Manners{On: true, Resets: []string{"ForceOff"}}, nil, fault.ErrUnsupported, "ForceOn"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := redfishtest.New(t, row.m)
			at := configured(t, c, "")
			if row.bend != nil {
				row.bend(&at)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			s, err := Open(ctx, at)
			if err == nil {
				err = s.Switchable()
				s.Close()
			}
			if !errors.Is(err, row.want) || !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %v, want %v that says %q", err, row.want, row.says)
			}
			if err != nil && strings.Contains(err.Error(), redfishtest.Password) {
				t.Errorf("the password is in %v", err)
			}
			if got := c.Orders(); len(got) > 0 {
				t.Errorf("orders: %v", got)
			}
		})
	}
}

// A session that is cut short logs out all the same: New fails the test if not.
func TestLogsOut(t *testing.T) {
	c := redfishtest.New(t, redfishtest.Manners{On: true})
	at := configured(t, c, "")
	for range 6 { // more than a controller has room for
		ctx, cancel := context.WithCancel(t.Context())
		s, err := Open(ctx, at)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := s.Switch(Off); !errors.Is(err, context.Canceled) {
			t.Errorf("after the end of the context: %v", err)
		}
		s.Close()
	}
	if len(c.Orders()) > 0 {
		t.Error("an order came through")
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": shortWait, "soon": shortWait, "7": 7 * time.Second, "0": shortWait / 4,
		"Fri, 02 Jan 2026 03:04:15 GMT": 10 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": shortWait / 4,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("retryAfter(%q) = %s, want %s", text, got, want)
		}
	}
}

// The file of controllers is root's alone and says all that is needed.
func TestRead(t *testing.T) {
	need.Check(t, need.Root)
	const good = `{url: "https://10.9.0.1", user: u, password: p}`
	for _, row := range []struct {
		name, text, says string
		bend             func(path string) error
	}{
		{"good", "hosts: {h1: " + good + "}", "", nil},
		{"others can read it", "hosts: {h1: " + good + "}", "file of root", func(p string) error { return os.Chmod(p, 0o644) }},
		{"somebody else's", "hosts: {h1: " + good + "}", "file of root", func(p string) error { return os.Chown(p, 1000, 1000) }},
		{"not there", "", "no such file", os.Remove},
		{"another host", "hosts: {h2: " + good + "}", `no host "h1"; it has [h2]`, nil},
		{"misspelt", `hosts: {h1: {url: "https://a", user: u, pasword: p}}`, "pasword", nil},
		{"without TLS", `hosts: {h1: {url: "http://10.9.0.1", user: u, password: p}}`, "https://", nil},
		{"with a path", `hosts: {h1: {url: "https://10.9.0.1/redfish", user: u, password: p}}`, "https://", nil},
		{"nobody", `hosts: {h1: {url: "https://10.9.0.1"}}`, "user and password", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bmc.yaml")
			if err := os.WriteFile(path, []byte(row.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if row.bend != nil {
				if err := row.bend(path); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Read(path, "h1")
			if row.says == "" {
				if err != nil {
					t.Error(err)
				}
			} else if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %v, want what says %q", err, row.says)
			}
		})
	}
	example, err := os.ReadFile("../../../hostagent/bmc.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "bmc.yaml")
	if err := os.WriteFile(path, example, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"h1", "h2"} {
		if at, err := Read(path, host); err != nil || at.Ping.IsValid() != (host == "h1") {
			t.Errorf("example: %+v, %v", at, err)
		}
	}
	// A CA that others can write to vouches for nobody.
	c := redfishtest.New(t, redfishtest.Manners{})
	at := configured(t, c, "")
	if err := os.Chmod(at.CA, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), at); !errors.Is(err, ErrConfig) {
		t.Errorf("with a CA that all can write: %v", err)
	}
}
