package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/firedrill-io/firedrill/internal/inventory"
)

// apart are the pairs of n hosts that a shape parts, one string a host: x where
// it does not reach the other.
func apart(t *rapid.T, name string, n int) [][]bool {
	hosts := make([]inventory.Host, n)
	for i := range hosts {
		hosts[i] = inventory.Host{Name: fmt.Sprint("h", i), Address: fmt.Sprint("a", i)}
	}
	cut := make([][]bool, n)
	for i := range cut {
		cut[i] = make([]bool, n)
	}
	for i, h := range hosts {
		peers, err := shape(name, h, hosts)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range peers {
			j := slices.IndexFunc(hosts, func(o inventory.Host) bool { return o.Address == p })
			if cut[i][j] {
				t.Fatalf("%s of %d: %d and %d are parted twice", name, n, i, j)
			}
			cut[i][j], cut[j][i] = true, true
		}
	}
	return cut
}

// sees counts the hosts that each host reaches, itself included.
func sees(cut [][]bool) (out []int) {
	for _, row := range cut {
		n := 0
		for _, x := range row {
			if !x {
				n++
			}
		}
		out = append(out, n)
	}
	return out
}

// What each shape promises, for any number of hosts.
func TestShapes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(4, 60).Draw(t, "hosts")
		most := n/2 + 1
		if got := sees(apart(t, "halves", n)); got[0] != n/2 || got[n-1] != n-n/2 {
			t.Errorf("halves of %d: %v", n, got)
		}
		if got := sees(apart(t, "majority", n)); got[0] != most || got[n-1] != n-most {
			t.Errorf("majority of %d: %v", n, got)
		}
		bridge := sees(apart(t, "bridge", n))
		if all := slices.DeleteFunc(bridge, func(k int) bool { return k < n }); len(all) != 1 {
			t.Errorf("bridge of %d: %d hosts see all", n, len(all))
		}
		ring := apart(t, "ring", n)
		for i, k := range sees(ring) {
			if k < most || k == n {
				t.Errorf("ring of %d: host %d sees %d", n, i, k)
			}
			for j := range i {
				if slices.Equal(ring[i], ring[j]) {
					t.Errorf("ring of %d: %d and %d see the same", n, i, j)
				}
			}
		}
	})
}

// In a plan a shape becomes the addresses of both families, once a pair; hosts
// without a list of their own are hit all the same.
func TestShapeInPlan(t *testing.T) {
	inv := lab(t)
	inv.AssignAddresses6()
	p, err := New(experiment(t, 1, `stages: [{stage: net, at: T+3m, faults: [{partition: {to: ["shape:bridge"], direction: out}, on: {hosts: [p1, p2, a1]}}]}]`), inv, "layout", infos)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range p.Injections {
		got = append(got, i.Host+" "+string(i.Params))
	}
	want := []string{`p1 {"direction":"out","to":["10.77.2.1","fd77::2:1"]}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if b := p.Stages[0].Blast[0]; b.Domain != "all" || b.Hit != 3 {
		t.Errorf("blast %+v, want all 3 hosts", b)
	}
}

func TestWrongShapes(t *testing.T) {
	for peers, want := range map[string]string{
		`"shape:star"`:     `no shape is named "star"; it is one of bridge, halves, majority, ring`,
		`"shape:ring"`:     "shape ring needs 4 hosts or more, 3 are picked",
		`"shape:majority"`: "",
	} {
		_, err := build(t, fmt.Sprintf(`stages: [{stage: net, at: T+3m, faults: [{partition: {to: [%s]}, on: {hosts: [p1, p2, a1]}}]}]`, peers))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want %q", peers, err, want)
		}
	}
}
