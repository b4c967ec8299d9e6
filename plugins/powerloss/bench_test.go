package powerloss

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkRackCut cuts a rack of 10 hosts, each with a writer that syncs, and
// reports the phases in milliseconds after the start, the effect skew and the
// load of the machine.
func BenchmarkRackCut(b *testing.B) {
	const hosts = 10
	l := raise(b, hosts)
	var names []string
	for i := range hosts {
		names = append(names, "p"+strconv.Itoa(i+1))
	}
	sums := map[string]time.Duration{}
	worst := map[string]time.Duration{}
	for b.Loop() {
		b.StopTimer()
		for _, h := range names {
			start(b, l, h, "write")
		}
		time.Sleep(200 * time.Millisecond)
		items := prepared(b, l, names...)
		b.StartTimer()
		phases := applied(b, items)
		b.StopTimer()
		sums["late"] += at(b, phases, Began).Sub(at(b, phases, woke))
		for _, name := range []string{Dark, Frozen, Shutdown, Dead, Released, CanaryLost} {
			d := at(b, phases, name).Sub(at(b, phases, Began))
			sums[name] += d
			worst[name] = max(worst[name], d)
		}
		lit(b, items)
		b.StartTimer()
	}
	for name, sum := range sums {
		b.ReportMetric(ms(sum)/float64(b.N), name+"-ms")
		b.ReportMetric(ms(worst[name]), name+"-max-ms")
	}
	b.ReportMetric(ms(sums[Dark])/float64(b.N), "skew-ms")
	b.ReportMetric(loadavg(b), "loadavg")
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
