package partition

import (
	"bytes"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

func peers(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("10.%d.%d.%d", 100+i/65536, i/256%256, i%256))
	}
	return out
}

// BenchmarkPartition applies and heals a cut from n peers, beside what one
// would do by hand, in one run: `nft -f` with one set, iptables-restore with a
// rule a peer. Figures are medians: ms to apply, ms to heal; for ours also the
// ms Prepare took before the start.
func BenchmarkPartition(b *testing.B) {
	for _, n := range []int{1, 100, 1000, 10000} {
		b.Run(fmt.Sprintf("firedrill/%d", n), func(b *testing.B) { benchOurs(b, n) })
		b.Run(fmt.Sprintf("nft/%d", n), func(b *testing.B) {
			benchCommand(b, "/usr/sbin/nft", []string{"-f", "-"}, nftRules(n), nftNone)
		})
		b.Run(fmt.Sprintf("iptables-restore/%d", n), func(b *testing.B) {
			benchCommand(b, "/usr/sbin/iptables-restore", nil, iptablesRules(n), "*filter\n:INPUT ACCEPT\n:OUTPUT ACCEPT\nCOMMIT\n")
		})
	}
}

// BenchmarkFault is the same in the section of all faults.
func BenchmarkFault(b *testing.B) {
	need.Check(b, need.Nft)
	traffictest.New(b).Bench(b, driver, Params{sel{To: []string{traffictest.AddrB}}},
		"nft … drop", "/usr/sbin/nft add table ip cut ; add chain ip cut out { type filter hook output priority 0 ; } ; add rule ip cut out ip daddr "+traffictest.AddrB+" drop", "/usr/sbin/nft delete table ip cut")
}

func benchOurs(b *testing.B, n int) {
	w := traffictest.New(b)
	list := peers(n)
	var prepare, apply, heal []float64
	for b.Loop() {
		p := New()
		t0 := time.Now()
		c, err := p.Prepare(b.Context(), w.Target, Params{sel{To: list}})
		faulttest.Must(b, err)
		t1 := time.Now()
		faulttest.Must(b, p.Apply(b.Context(), w.Target, c, 0, traffictest.In(time.Minute)))
		t2 := time.Now()
		faulttest.Must(b, p.Revert(b.Context(), w.Target, c))
		prepare, apply, heal = append(prepare, ms(t1.Sub(t0))), append(apply, ms(t2.Sub(t1))), append(heal, ms(time.Since(t2)))
	}
	report(b, map[string][]float64{"prepare-ms": prepare, "apply-ms": apply, "heal-ms": heal})
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }

// report reports medians.
func report(b *testing.B, figures map[string][]float64) {
	for unit, values := range figures {
		b.ReportMetric(median(values), unit)
	}
	b.ReportMetric(0, "ns/op")
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

func benchCommand(b *testing.B, path string, args []string, on, off string) {
	need.Check(b, need.Nft)
	w := traffictest.New(b)
	var apply, heal []float64
	for b.Loop() {
		t0 := time.Now()
		runIn(b, w.A, on, path, args...)
		t1 := time.Now()
		runIn(b, w.A, off, path, args...)
		apply, heal = append(apply, ms(t1.Sub(t0))), append(heal, ms(time.Since(t1)))
	}
	report(b, map[string][]float64{"apply-ms": apply, "heal-ms": heal})
}

func runIn(b *testing.B, ns *netns.NS, stdin, path string, args ...string) {
	b.Helper()
	faulttest.Must(b, ns.Do(func() error {
		cmd := exec.Command(path, args...)
		cmd.Stdin = strings.NewReader(stdin)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w: %s", path, err, &out)
		}
		return nil
	}))
}

const nftNone = "flush ruleset\n"

func nftRules(n int) string {
	elements := strings.Join(peers(n), ",")
	return "table inet cut {\n set peers { type ipv4_addr; flags interval; elements = {" + elements + "} }\n" +
		" chain out { type filter hook output priority 0; ip daddr @peers drop; }\n" +
		" chain in { type filter hook input priority 0; ip saddr @peers drop; }\n}\n"
}

func iptablesRules(n int) string {
	var s strings.Builder
	s.WriteString("*filter\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n")
	for _, p := range peers(n) {
		fmt.Fprintf(&s, "-A INPUT -s %s -j DROP\n-A OUTPUT -d %s -j DROP\n", p, p)
	}
	s.WriteString("COMMIT\n")
	return s.String()
}

// BenchmarkPacket sends datagrams to a peer that is not cut off and reports the
// CPU time of the sending thread for each: without a cut, with a cut from n
// other peers, with the same done by nft; in turn, in one run, medians.
func BenchmarkPacket(b *testing.B) {
	need.Check(b, need.Nft)
	w := traffictest.New(b)
	cpuPerPacket(b, w) // fills caches and the neighbour table
	for _, n := range []int{1, 1000, 10000} {
		b.Run(fmt.Sprintf("peers=%d", n), func(b *testing.B) {
			var without, with, nft []float64
			for b.Loop() {
				for range shifts {
					p := New()
					without = append(without, cpuPerPacket(b, w))
					c := traffictest.Inject(b, w, p, Params{sel{To: peers(n)}})
					with = append(with, cpuPerPacket(b, w))
					faulttest.Must(b, p.Revert(b.Context(), w.Target, c))
					runIn(b, w.A, nftRules(n), "/usr/sbin/nft", "-f", "-")
					nft = append(nft, cpuPerPacket(b, w))
					runIn(b, w.A, nftNone, "/usr/sbin/nft", "-f", "-")
				}
			}
			report(b, map[string][]float64{"ns-without": without, "ns-with": with, "ns-nft": nft})
		})
	}
}

// shifts is how often a round changes between the three: the cost of a packet
// drifts with the load of the machine, and a shift should be shorter than that.
const shifts = 5

func cpuPerPacket(b *testing.B, w *traffictest.Wire) (ns float64) {
	b.Helper()
	const packets = 20_000
	faulttest.Must(b, w.A.Do(func() error {
		c, err := net.Dial("udp", traffictest.AddrB+":9")
		if err != nil {
			return err
		}
		defer c.Close()
		raw, err := c.(*net.UDPConn).SyscallConn()
		if err != nil {
			return err
		}
		payload := make([]byte, 32)
		return raw.Control(func(fd uintptr) {
			var before, after unix.Rusage
			_ = unix.Getrusage(unix.RUSAGE_THREAD, &before)
			for range packets {
				_, _ = unix.Write(int(fd), payload) // a refusal by the peer's ICMP costs the same
			}
			_ = unix.Getrusage(unix.RUSAGE_THREAD, &after)
			ns = float64(cpu(after)-cpu(before)) / packets
		})
	}))
	return ns
}

func cpu(r unix.Rusage) int64 { return r.Utime.Nano() + r.Stime.Nano() }
