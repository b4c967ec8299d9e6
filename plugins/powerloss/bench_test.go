package powerloss

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// BenchmarkRackCut cuts a rack of 10 hosts, each with a writer that syncs, and
// reports when each phase was over on all hosts, in milliseconds after the
// start (medians, and the worst), the effect skew, and the load of the machine.
// Beside it, in the same run, what one would do by hand to make them dark: `ip
// link set … down`, one host after the other.
func BenchmarkRackCut(b *testing.B) {
	const hosts = 10
	l := raise(b, hosts)
	var names []string
	for i := range hosts {
		names = append(names, "p"+strconv.Itoa(i+1))
	}
	figures := map[string][]float64{}
	add := func(name string, d time.Duration) { figures[name] = append(figures[name], ms(d)) }
	for b.Loop() {
		b.StopTimer()
		for _, h := range names {
			start(b, l, h, "write", "/data")
		}
		time.Sleep(200 * time.Millisecond)
		items := prepared(b, l, names...)
		dark, skew := darkByHand(b, items)
		add("hand-dark", dark)
		add("hand-skew", skew)
		b.StartTimer()
		phases := applied(b, items)
		b.StopTimer()
		add("late", at(b, phases, Began).Sub(at(b, phases, woke)))
		for _, name := range []string{Dark, Frozen, Shutdown, Dead, Released, CanaryLost} {
			add(name, at(b, phases, name).Sub(at(b, phases, Began)))
		}
		lit(b, items)
		b.StartTimer()
	}
	figures["skew"] = figures[Dark] // no more than from the first step to the last host dark
	for name, values := range figures {
		b.ReportMetric(slices.Sorted(slices.Values(values))[len(values)/2], name+"-ms")
	}
	b.ReportMetric(slices.Max(figures[Dead]), "dead-max-ms")
	b.ReportMetric(slices.Max(figures["skew"]), "skew-max-ms")
	b.ReportMetric(loadavg(b), "loadavg")
	b.ReportMetric(0, "ns/op")
}

// darkByHand returns how long it took until all were dark, and how long after
// the first the last one was. All are lit again afterwards.
func darkByHand(b *testing.B, items []fault.Item[Change]) (all, skew time.Duration) {
	b.Helper()
	fabric, err := netns.Open(items[0].Change.Host.FabricNS)
	if err != nil {
		b.Fatal(err)
	}
	defer fabric.Close()
	set := func(veth, state string) {
		err := fabric.Do(func() error { return exec.Command("ip", "link", "set", "dev", veth, state).Run() })
		if err != nil {
			b.Fatalf("ip link set dev %s %s: %v", veth, state, err)
		}
	}
	began, first := time.Now(), time.Time{}
	for _, it := range items {
		set(it.Change.Host.Veth, "down")
		if first.IsZero() {
			first = time.Now()
		}
	}
	all, skew = time.Since(began), time.Since(first)
	for _, it := range items {
		set(it.Change.Host.Veth, "up")
	}
	time.Sleep(100 * time.Millisecond) // until the canaries are heard again
	return all, skew
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func loadavg(b *testing.B) float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		b.Fatal(err)
	}
	load, err := strconv.ParseFloat(strings.Fields(string(text))[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return load
}
