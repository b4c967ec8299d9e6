package lab_test

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/firedrill-io/firedrill/internal/lab"
	"github.com/firedrill-io/firedrill/internal/proc"
)

// threeSites has a tools host in two of its sites. Links are added to it.
const threeSites = `
inventory: three
sites: [{name: north, racks: [{name: r1}]}, {name: south, racks: [{name: r2}]}, {name: west, racks: [{name: r3}]}]
hosts:
  - {name: n1, site: north, rack: r1}
  - {name: n2, site: north, rack: r1, roles: [tools]}
  - {name: s1, site: south, rack: r2}
  - {name: s2, site: south, rack: r2, roles: [tools]}
  - {name: w1, site: west, rack: r3}
links:
`

// upThin raises three sites with links; testFar listens in n1, n2, s1 and w1.
func upThin(t *testing.T, links string) *lab.Lab {
	t.Helper()
	l := up(t, lab.Config{Inventory: parse(t, threeSites+links)})
	for _, host := range []string{"n1", "n2", "s1", "w1"} {
		p, err := l.Start(host, lab.HostCommand{Path: proc.Self, Args: []string{"test-far", ":4100"}, Stdio: lab.Stdio{Err: os.Stderr}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Close() })
		eventually(t, host+" listens", func() bool {
			_, code := run(t, l, host, proc.Self, "test-dial", "127.0.0.1:4100")
			return code == 0
		})
	}
	return l
}

// flood returns what arrives, in Mbit/s.
func flood(t *testing.T, l *lab.Lab, from, to, pause string) float64 {
	t.Helper()
	var rate float64
	text := must(t, l, from, proc.Self, "test-flood", to+":4100", pause)
	if _, err := fmt.Sscan(text, &rate); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return rate / 1e6
}

// A link carries its rate, each way and over both families, and the traffic of
// other sites, the twin, all that the machine can.
func TestThinLink(t *testing.T) {
	l := upThin(t, "  - {between: [north, south], rate: 8mbit}\n")
	for _, way := range [][2]string{{"n1", "10.77.2.1"}, {"s1", "10.77.1.1"}, {"s1", "[fd77::1:1]"}} {
		if got := flood(t, l, way[0], way[1], "1s"); got < 7.2 || got > 8.8 {
			t.Errorf("%s to %s: %.2f Mbit/s over a link of 8 Mbit/s", way[0], way[1], got)
		} else {
			t.Logf("%s to %s: %.2f Mbit/s", way[0], way[1], got)
		}
	}
	for _, way := range [][2]string{{"n1", "10.77.3.1"}, {"w1", "10.77.2.1"}, {"n2", "10.77.1.1"}} {
		if got := flood(t, l, way[0], way[1], "200ms"); got < 80 {
			t.Errorf("%s to %s: %.2f Mbit/s, though no link between them is thin", way[0], way[1], got)
		}
	}
}

// The line of a site is one for all: two who send into it share its rate.
func TestThinLine(t *testing.T) {
	l := upThin(t, "  - {site: north, rate: 8mbit}\n")
	var both sync.WaitGroup
	var got [2]float64
	for i, from := range []string{"s1", "w1"} {
		both.Go(func() { got[i] = flood(t, l, from, "10.77.1.1", "1s") })
	}
	both.Wait()
	if sum := got[0] + got[1]; sum < 7.2 || sum > 8.8 {
		t.Errorf("%.2f and %.2f Mbit/s into a line of 8 Mbit/s", got[0], got[1])
	}
	if out := flood(t, l, "n1", "10.77.3.1", "1s"); out < 7.2 || out > 8.8 {
		t.Errorf("%.2f Mbit/s out of a line of 8 Mbit/s", out)
	}
	if got := flood(t, l, "w1", "10.77.2.1", "200ms"); got < 80 {
		t.Errorf("%.2f Mbit/s between two sites whose lines have no rate", got)
	}
}

// Hosts of a role with a share of a full line get their answers at once; without
// the share, which is the twin, they wait in the queue with all others.
func TestReserve(t *testing.T) {
	for name, c := range map[string]struct {
		reserve string
		soon    bool
	}{"with": {", reserve: {tools: 20%}", true}, "without": {"", false}} {
		t.Run(name, func(t *testing.T) {
			l := upThin(t, "  - {site: north, rate: 4mbit"+c.reserve+"}\n")
			var floods sync.WaitGroup
			for _, from := range []string{"s1", "w1"} {
				floods.Go(func() { flood(t, l, from, "10.77.1.1", "1800ms") })
			}
			floods.Go(func() { flood(t, l, "n1", "10.77.3.1", "1800ms") })
			text := must(t, l, "s2", proc.Self, "test-ask", "10.77.1.2:4100", "1500ms")
			floods.Wait()
			var median, worst float64
			if _, err := fmt.Sscan(text, &median, &worst); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			t.Logf("median %.1f ms, worst %.1f ms", median/1e3, worst/1e3)
			if soon := median < 40e3; soon != c.soon {
				t.Errorf("median %.1f ms", median/1e3)
			}
		})
	}
}

// A link may be as thin or as thick as the file allows, reserved as a whole.
func TestThinLimits(t *testing.T) {
	l := upThin(t, "  - {between: [north, south], rate: 100gbit, reserve: {tools: 100%}}\n  - {between: [north, west], rate: 8kbit}\n")
	for _, to := range []string{"s1:4100", "w1:4100"} {
		must(t, l, "n1", proc.Self, "test-dial", to)
	}
}
