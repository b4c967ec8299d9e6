package control

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"testing"
	"time"
)

var noon = time.Date(2022, 10, 15, 12, 0, 0, 0, time.UTC)

func testKey(t testing.TB, seed byte) ed25519.PrivateKey {
	t.Helper()
	b := make([]byte, ed25519.SeedSize)
	b[0] = seed
	return ed25519.NewKeyFromSeed(b)
}

func testVerifier(t *testing.T, dir string) *Verifier {
	t.Helper()
	v, err := NewVerifier("h1", testKey(t, 1).Public().(ed25519.PublicKey), dir)
	if err != nil {
		t.Fatal(err)
	}
	v.now = func() time.Time { return noon }
	return v
}

func command(change func(*Command)) Command {
	c := Command{ID: "c1", Run: "r1", Agents: []string{"h1"}, Issued: noon, NotAfter: noon.Add(time.Minute), Verb: VerbPrepare}
	if change != nil {
		change(&c)
	}
	return c
}

// A command is carried out exactly when it is signed by the pinned key, meant
// for this agent, young enough and new; halt and revert need only the first two.
func TestVerifier(t *testing.T) {
	old := func(verb Verb) func(*Command) {
		return func(c *Command) { c.Verb, c.NotAfter = verb, noon.Add(-time.Hour) }
	}
	for _, tc := range []struct {
		name   string
		key    byte
		change func(*Command)
		want   error
	}{
		{"good", 1, nil, nil},
		{"other key", 2, nil, ErrSignature},
		{"other agent", 1, func(c *Command) { c.Agents = []string{"h2"} }, ErrAddressee},
		{"nobody", 1, func(c *Command) { c.Agents = nil }, ErrAddressee},
		{"one of many", 1, func(c *Command) { c.Agents = []string{"h2", "h1"} }, nil},
		{"at its not-after", 1, func(c *Command) { c.NotAfter = noon }, nil},
		{"expired", 1, old(VerbPrepare), ErrExpired},
		{"expired status", 1, old(VerbStatus), ErrExpired},
		{"not-after too far ahead", 1, func(c *Command) { c.NotAfter = noon.Add(maxAhead + time.Second) }, ErrExpired},
		{"old halt", 1, old(VerbHalt), nil},
		{"old revert", 1, old(VerbRevert), nil},
		{"old halt, other key", 2, old(VerbHalt), ErrSignature},
		{"old halt, other agent", 1, func(c *Command) { old(VerbHalt)(c); c.Agents = []string{"h2"} }, ErrAddressee},
		{"run id that is a path", 1, func(c *Command) { c.Run = "../x" }, errAny},
		{"no id", 1, func(c *Command) { c.ID = "" }, errAny},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, err := Sign(testKey(t, tc.key), command(tc.change))
			if err != nil {
				t.Fatal(err)
			}
			_, err = testVerifier(t, t.TempDir()).Verify(b)
			if errors.Is(tc.want, errAny) && err != nil {
				return
			}
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}

var errAny = errors.New("any error")

// One changed bit in what was signed is a wrong signature.
func TestVerifierRefusesChangedBytes(t *testing.T) {
	b, err := Sign(testKey(t, 1), command(nil))
	if err != nil {
		t.Fatal(err)
	}
	v := testVerifier(t, t.TempDir())
	for at := range b {
		changed := append([]byte(nil), b...)
		changed[at] ^= 1
		if c, err := v.Verify(changed); err == nil && fmt.Sprint(c) != fmt.Sprint(command(nil)) {
			t.Fatalf("byte %d changed: accepted as %v", at, c)
		}
	}
}

// A changing command works once, also across a restart, until it has expired;
// then its id is forgotten.
func TestVerifierRemembers(t *testing.T) {
	dir := t.TempDir()
	b, err := Sign(testKey(t, 1), command(nil))
	if err != nil {
		t.Fatal(err)
	}
	v := testVerifier(t, dir)
	if _, err := v.Verify(b); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]*Verifier{"same process": v, "after a restart": testVerifier(t, dir)} {
		if _, err := v.Verify(b); !errors.Is(err, ErrReplayed) {
			t.Errorf("%s: got %v, want %v", name, err, ErrReplayed)
		}
	}
	v.now = func() time.Time { return noon.Add(2 * time.Minute) }
	later, err := Sign(testKey(t, 1), command(func(c *Command) { c.ID, c.NotAfter = "c2", noon.Add(3*time.Minute) }))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(later); err != nil {
		t.Fatal(err)
	}
	if len(v.seen) != 1 {
		t.Errorf("%d ids remembered, want 1: an expired one was kept", len(v.seen))
	}
}

// A halt may come twice.
func TestVerifierAcceptsHaltAgain(t *testing.T) {
	v := testVerifier(t, t.TempDir())
	b, err := Sign(testKey(t, 1), command(func(c *Command) { c.Verb = VerbHalt }))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := v.Verify(b); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	key := testKey(f, 1)
	good, err := Sign(key, command(nil))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"payload":"","signature":""}`))
	f.Add([]byte(`null`))
	public := key.Public().(ed25519.PublicKey)
	want := fmt.Sprint(command(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		// Nothing that the key did not sign ever opens.
		if c, err := Open(public, b); err == nil && fmt.Sprint(c) != want {
			t.Errorf("forged: %v", c)
		}
	})
}
