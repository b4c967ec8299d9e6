package corrupt

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

// within is how many points what came changed may be off what was asked.
const (
	within  = 0.7
	packets = 30_000
)

var everybody = []string{traffictest.AddrB, traffictest.AddrB6}

// changed sends datagrams one way and says how many reached the application with
// other bytes than were sent, and how many did not reach it, both in %.
func changed(t *testing.T, from, at *netns.NS, to string) (other, missing float64) {
	t.Helper()
	// Odd and even lengths, and one that is a single word.
	sizes := []int{100, 33, 2}
	got := 0
	for _, size := range sizes {
		n, sent := 0, bytes.Repeat([]byte{0x5a}, size)
		arrived := traffictest.Exchange(t, from, at, netip.AddrPortFrom(netip.MustParseAddr(to), 5001), packets/len(sizes), sent, func(b []byte) {
			if len(b) != size {
				t.Fatalf("a datagram of %d bytes arrived with %d", size, len(b))
			}
			if !bytes.Equal(b, sent) {
				n++
			}
		})
		missing += 100 * (1 - float64(arrived)/float64(packets/len(sizes))) / float64(len(sizes))
		got += n
	}
	return 100 * float64(got) / packets, missing
}

// So many datagrams reach the application with other bytes as was asked, in each
// direction and both families; none is lost, as the checksums are right.
func TestCorruptionIsAccurate(t *testing.T) {
	w := traffictest.New(t)
	for _, c := range []struct {
		direction string
		from, at  *netns.NS
		to        string
	}{
		{"out", w.A, w.B, traffictest.AddrB},
		{"out", w.A, w.B, traffictest.AddrB6},
		{"in", w.B, w.A, traffictest.AddrA},
		{"in", w.B, w.A, traffictest.AddrA6},
	} {
		for _, offload := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s to %s, checksum offload %v", c.direction, c.to, offload), func(t *testing.T) {
				traffictest.ChecksumOffload(t, c.from, offload)
				found := w.Snapshot(t)
				change := traffictest.Inject(t, w, &Plugin{}, Params{"10%", traffic.Selection{To: everybody, Direction: c.direction, Protocol: "udp"}})
				bad := badSums(t, c.at)
				got, missing := changed(t, c.from, c.at, c.to)
				o := traffictest.Observe(t, w, &Plugin{}, change)
				traffictest.Revert(t, w, &Plugin{}, change)
				t.Logf("asked 10%%, %.3f%% came changed, %+.3f points; %s", got, got-10, o.Detail)
				faulttest.Measured(t, faulttest.Measurement{
					Fault: Kind, What: fmt.Sprintf("of %d datagrams, %s, %s, checksum offload %v", packets, c.direction, traffictest.Family(c.to), offload), Asked: 10, Achieved: got, Unit: "%",
					Within: within, Found: found, Left: w.Snapshot(t),
				})
				if bad = badSums(t, c.at) - bad; bad != 0 || missing != 0 {
					t.Errorf("%d datagrams came with a wrong checksum, %.2f%% are missing", bad, missing)
				}
				if o.State != fault.Present || o.Dose != fault.Exercised || math.Abs(o.Achieved[0].Value-got) > within {
					t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
				}
			})
		}
	}
	if got, missing := changed(t, w.A, w.B, traffictest.AddrB); got != 0 || missing != 0 {
		t.Errorf("after revert %.3f%% come changed, %.3f%% are missing", got, missing)
	}
}

func badSums(t *testing.T, ns *netns.NS) int {
	return traffictest.Counter(t, ns, "Udp", "InCsumErrors") + traffictest.Counter(t, ns, "Udp6", "InCsumErrors")
}

// The twin: with everything in place but the effect all comes as it was sent, and
// Observe does not claim so.
func TestWithoutEffectNothingIsChanged(t *testing.T) {
	w := traffictest.New(t)
	p := &Plugin{traffic.Injector{Inert: true}}
	change := traffictest.Inject(t, w, p, Params{"10%", traffic.Selection{To: everybody}})
	if got, _ := changed(t, w.A, w.B, traffictest.AddrB); math.Abs(got-10) <= within {
		t.Errorf("%.3f%% came changed without effect", got)
	}
	if o := traffictest.Observe(t, w, p, change); o.Dose != fault.NotInForce {
		t.Errorf("dose %q without effect", o.Dose)
	}
	traffictest.Revert(t, w, &Plugin{}, change)
}

// A TCP stream comes whole in length and wrong in content: the receiver has
// acknowledged what is wrong, so nothing is sent again.
func TestStreamComesChanged(t *testing.T) {
	w := traffictest.New(t)
	change := traffictest.Inject(t, w, &Plugin{}, Params{"100%", traffic.Selection{To: everybody, Direction: "out", Protocol: "tcp"}})
	sent := bytes.Repeat([]byte{0x5a}, 1<<20)
	got := stream(t, w, sent)
	traffictest.Revert(t, w, &Plugin{}, change)
	if len(got) != len(sent) || bytes.Equal(got, sent) {
		t.Errorf("%d of %d bytes came, equal: %v", len(got), len(sent), bytes.Equal(got, sent))
	}
	if got = stream(t, w, sent); !bytes.Equal(got, sent) {
		t.Error("after revert the stream comes changed")
	}
}

func stream(t *testing.T, w *traffictest.Wire, sent []byte) []byte {
	t.Helper()
	var l net.Listener
	var out net.Conn
	err := w.B.Do(func() (err error) { l, err = net.Listen("tcp", traffictest.AddrB+":7000"); return err })
	if err == nil {
		defer l.Close()
		err = w.A.Do(func() (err error) { out, err = net.Dial("tcp", traffictest.AddrB+":7000"); return err })
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = out.Write(sent)
		_ = out.Close()
	}()
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	_ = in.SetReadDeadline(time.Now().Add(10 * time.Second))
	got, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
