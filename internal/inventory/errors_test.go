package inventory

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/experiments/strict"
	"github.com/google/go-cmp/cmp"
)

// A file with many errors shows them all in one pass, each with place and remedy.
func TestAllErrorsAtOnce(t *testing.T) {
	src, err := os.ReadFile("testdata/errors.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Parse(src, "errors.yaml", nil)
	if err == nil {
		t.Fatal("accepted")
	}
	got := err.Error() + "\n"
	if *update {
		if err := os.WriteFile("testdata/errors.golden", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/errors.golden")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What only the decoded file shows.
func TestOneErrorEach(t *testing.T) {
	src, err := os.ReadFile("testdata/fire.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, says string }{
		{"roles: [gateway]}", "roles: [gateway], address: 10.77.1.1}", "has the address 10.77.1.1 of host p1"},
		{"roles: [gateway]}", "roles: [gateway], address: a1}", `"a1" is not an address`},
		{"sync_interval: ${sync_interval}", "sync_interval: ${sync}", "nothing is named ${sync}"},
		{"--from=${ip.p1}", "--from=${ip.p9}", "nothing is named ${ip.p9}"},
		{"--name=${host}", "--name=${host", "${ is not closed"},
		{"hosts: {role: store}", "hosts: {role: store, site: anyang}", "service store runs on no host"},
		{"hosts: {role: store}", "hosts: {role: store, share: 50%}", "a service cannot be placed by share"},
		{"path: /data/nats.conf", "path: data/nats.conf", "is not an absolute path"},
		{"{default: always}", "{default: 2}", "2 is a number"},
	} {
		if !strings.Contains(string(src), c.old) {
			t.Errorf("fire.yaml has no %q", c.old)
			continue
		}
		_, err := Parse([]byte(strings.Replace(string(src), c.old, c.new, 1)), "x.yaml", nil)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q for %q: got %v; want %q", c.new, c.old, err, c.says)
		}
	}
}

// Whatever the bytes are, Parse returns: an inventory, or problems with places.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"fire.yaml", "errors.yaml"} {
		src, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		inv, err := Parse(src, "fuzz.yaml", nil)
		var wrong *strict.Error
		switch {
		case err == nil && len(inv.Hosts) == 0:
			t.Errorf("accepted %q without hosts", src)
		case err != nil && (!errors.As(err, &wrong) || len(wrong.Problems) == 0 || wrong.Problems[0].Line < 1):
			t.Errorf("error without a place: %v", err)
		}
	})
}
