package inventory

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func fire(t *testing.T, vars map[string]string) *Inventory {
	t.Helper()
	src, err := os.ReadFile("testdata/fire.yaml")
	if err != nil {
		t.Fatal(err)
	}
	inv, err := Parse(src, "fire.yaml", vars)
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

func names(hosts []Host) (out []string) {
	for _, h := range hosts {
		out = append(out, h.Name)
	}
	return out
}

func TestAddresses(t *testing.T) {
	inv := fire(t, nil)
	for name, want := range map[string]string{"p1": "10.77.1.1", "p4": "10.77.1.4", "a1": "10.77.2.1", "clients": "10.77.5.1"} {
		if h, _ := inv.Host(name); h.Address != want {
			t.Errorf("%s has %s, want %s", name, h.Address, want)
		}
	}
}

func TestSelect(t *testing.T) {
	inv := fire(t, nil)
	for _, c := range []struct {
		sel  Selector
		want string
	}{
		{Selector{Site: StringList{"pangyo"}}, "p1 p2 p3 p4"},
		{Selector{Power: StringList{"ups-a1", "ups-a2"}}, "p1 p2"},
		{Selector{Power: StringList{"pangyo-utility"}}, "p1 p2 p3 p4"},
		{Selector{Room: StringList{"b"}}, "p3 p4"},
		{Selector{Rack: StringList{"c-1"}}, "c1 c2"},
		{Selector{Role: StringList{"store"}, Room: StringList{"b"}}, "p3"},
		{Selector{Label: map[string]string{"tier": "edge"}}, "p4"},
		{Selector{Service: StringList{"gateway"}}, "p4 a1 g1"},
		{Selector{Site: StringList{"pangyo", "anyang"}, Except: &Selector{Role: StringList{"store"}}}, "p4 a1 a2 a3"},
		{Selector{All: true, Except: &Selector{Site: StringList{"pangyo", "anyang", "gasan"}}}, "c1 c2"},
	} {
		got, err := inv.Select(c.sel, 1)
		if err != nil {
			t.Errorf("%s: %v", Describe(c.sel), err)
		}
		if diff := cmp.Diff(strings.Fields(c.want), names(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", Describe(c.sel), diff)
		}
	}
}

func TestSelectRefuses(t *testing.T) {
	inv := fire(t, nil)
	for _, sel := range []Selector{
		{}, {Site: StringList{Internet}}, {Hosts: StringList{"p1"}, Site: StringList{"anyang"}}, {Site: StringList{"pangjo"}},
		{All: true, Except: &Selector{Role: StringList{"stores"}}},
	} {
		if got, err := inv.Select(sel, 1); !errors.Is(err, ErrEmpty) {
			t.Errorf("%q gave %v, %v", Describe(sel), names(got), err)
		}
	}
}

func TestCountRoundsHalfUp(t *testing.T) {
	for _, c := range []struct {
		percent string
		of, n   int
	}{{"37.5%", 4, 2}, {"37.4%", 4, 1}, {"50%", 5, 3}, {"0%", 9, 0}, {"100%", 7, 7}, {"29%", 50, 15}, {"12.5%", 4, 1}, {"12.4%", 4, 0}} {
		r, err := experiments.ParseRatio(c.percent)
		if err != nil {
			t.Fatal(err)
		}
		if got := Count(r, c.of); got != c.n {
			t.Errorf("%s of %d is %d, want %d", c.percent, c.of, got, c.n)
		}
	}
}

// A share is seeded, and a larger share holds a smaller one of the same seed.
func TestSharesNest(t *testing.T) {
	inv := fire(t, nil)
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Int64().Draw(t, "seed")
		small := rapid.Float64Range(0.1, 1).Draw(t, "small")
		large := rapid.Float64Range(small, 1).Draw(t, "large")
		few, err := inv.Select(Selector{Share: experiments.Ratio(small)}, seed)
		if err != nil {
			t.Fatal(err)
		}
		many, err := inv.Select(Selector{Share: experiments.Ratio(large)}, seed)
		if err != nil {
			t.Fatal(err)
		}
		if len(few) != Count(experiments.Ratio(small), 12) {
			t.Fatalf("%d hosts for %f", len(few), small)
		}
		for _, name := range names(few) {
			if !strings.Contains(" "+strings.Join(names(many), " ")+" ", " "+name+" ") {
				t.Fatalf("%s is in %f but not in %f", name, small, large)
			}
		}
	})
}

func TestExpand(t *testing.T) {
	inv := fire(t, map[string]string{"sync_interval": "2m", "of_another_file": "x"})
	p3, _ := inv.Host("p3")
	got, err := inv.Expand("${host} ${ip} ${site} ${ip.a1} ${sync_interval} $${ip} $JS", p3)
	if want := "p3 10.77.1.3 pangyo 10.77.2.1 2m ${ip} $JS"; err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if _, err := inv.Expand("${ip.nobody}", p3); err == nil {
		t.Error("an unknown host was expanded")
	}
}
