package dns

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

const (
	hit   = "db.example.com."
	other = "www.example.com."
)

// local is where systemd-resolved listens.
const local = "127.0.0.53"

// Wherever the resolver is, over IPv4 and IPv6, on the wire, on the loopback and
// on an address of the host itself: queries for the name become what was asked and
// never reach it, other names resolve, and after revert all do.
func TestModes(t *testing.T) {
	w := traffictest.New(t)
	resolvers := map[string]*server{
		traffictest.AddrB: serve(t, w.B, traffictest.AddrB), traffictest.AddrB6: serve(t, w.B, traffictest.AddrB6),
		local: serve(t, w.A, local), "::1": serve(t, w.A, "::1"),
		traffictest.AddrA: serve(t, w.A, traffictest.AddrA), traffictest.AddrA6: serve(t, w.A, traffictest.AddrA6),
	}
	for mode := range codes {
		found, became := w.Snapshot(t), 0.0
		change := traffictest.Inject(t, w, &Plugin{}, Params{Mode: mode, Names: []string{hit}})
		for at, s := range resolvers {
			before := s.was(hit)
			if got := resolve(t, w.A, at, hit); got == mode {
				became++
			} else {
				t.Errorf("%s at %s: %q", mode, at, got)
			}
			if n := s.was(hit) - before; n > 0 {
				t.Errorf("%s at %s: %d queries reached the resolver", mode, at, n)
			}
			if got := resolve(t, w.A, at, other); got != "" {
				t.Errorf("%s at %s: another name: %q", mode, at, got)
			}
		}
		traffictest.Revert(t, w, &Plugin{}, change)
		for at := range resolvers {
			if got := resolve(t, w.A, at, hit); got != "" {
				t.Errorf("after %s at %s: %q", mode, at, got)
			}
		}
		faulttest.Measured(t, faulttest.Measurement{
			Fault: Kind, What: "queries to resolvers near and far that become " + mode, Asked: float64(len(resolvers)), Achieved: became, Unit: "queries",
			Found: found, Left: w.Snapshot(t),
		})
	}
}

// The twin: with everything in place but the effect, the same check finds that
// the name resolves, and Observe does not claim otherwise.
func TestWithoutEffectNamesResolve(t *testing.T) {
	w := traffictest.New(t)
	serve(t, w.B, traffictest.AddrB)
	p := &Plugin{traffic.Injector{Inert: true}}
	change := traffictest.Inject(t, w, p, Params{Mode: "nxdomain", Names: []string{hit}, Resolvers: []string{traffictest.AddrB}})
	if got := resolve(t, w.A, traffictest.AddrB, hit); got == "nxdomain" {
		t.Error("no such name, without effect")
	}
	if o := traffictest.Observe(t, w, p, change); o.Dose != fault.NotInForce || o.Achieved[0].Value != 0 {
		t.Errorf("without effect: %s, %v", o.Dose, o.Achieved)
	}
	traffictest.Revert(t, w, &Plugin{}, change)
}

// With no traffic but canaries the fault shows that it acts, by what they hear,
// and on the loopback even where nobody listens.
func TestCanariesExerciseIt(t *testing.T) {
	w := traffictest.New(t)
	before := w.Snapshot(t)
	// What is sent to an address whose neighbour is not known yet leaves later.
	traffictest.Flood(t, w.A, w.B, traffictest.AddrB, 1, 10)
	traffictest.Flood(t, w.A, w.B, traffictest.AddrB6, 1, 10)
	for mode := range codes {
		for name, p := range map[string]Params{
			"a name":     {Mode: mode, Names: []string{hit}, Resolvers: []string{traffictest.AddrB, traffictest.AddrB6}},
			"a zone":     {Mode: mode, Names: []string{"*.example.com"}},
			"everything": {Mode: mode},
		} {
			change := traffictest.Inject(t, w, &Plugin{}, p)
			o := traffictest.Observe(t, w, &Plugin{}, change)
			if o.State != fault.Present || o.Dose != fault.Exercised || o.Asked[0].Value < 2 || o.Achieved[0].Value != o.Asked[0].Value {
				t.Errorf("%s, %s: %s, %s, asked %v, achieved %v: %s", mode, name, o.State, o.Dose, o.Asked, o.Achieved, o.Detail)
			}
			traffictest.Revert(t, w, &Plugin{}, change)
		}
	}
	if after := w.Snapshot(t); strings.Join(after, "\n") != strings.Join(before, "\n") {
		t.Errorf("not as found:\n%v\n%v", before, after)
	}
}

// A name is the whole of it, a zone what is below it, in letters of any size, and
// a shorter zone holds below a longer name.
func TestWhichNames(t *testing.T) {
	w := traffictest.New(t)
	serve(t, w.A, local)
	label := strings.Repeat("x", 63) + "."
	longest := label + label + label + strings.Repeat("y", 57) + ".net." // 253 and the dot
	for _, c := range []struct {
		names     []string
		hit, pass []string
	}{
		{[]string{"example.com"}, []string{"example.com.", "EXAMPLE.com."}, []string{"www.example.com.", "com.", "badexample.com.", "example.com.net.", "."}},
		{[]string{"*.Example.COM."}, []string{"a.example.com.", "a.b.c.exAmple.com.", "_sip._tcp.example.com."}, []string{"example.com.", "badexample.com.", "b.badexample.com."}},
		{[]string{"*.com", "db.example.com"}, []string{"db.example.com.", "x.db.example.com.", "example.com."}, []string{"com.", "example.net."}},
		{[]string{"db.example.com", "*.db.example.com"}, []string{"db.example.com.", "x.db.example.com."}, []string{"example.com.", "www.example.com."}},
		{[]string{"orders"}, []string{"orders."}, []string{"orders.example.com."}},
		{[]string{"*.net"}, []string{longest}, nil},
		{[]string{longest}, []string{longest}, []string{longest[1:]}},
		{nil, []string{"example.com.", "com.", ".", longest}, nil},
	} {
		change := traffictest.Inject(t, w, &Plugin{}, Params{Mode: "servfail", Names: c.names})
		for _, name := range append(c.hit, c.pass...) {
			want := dnsmessage.RCodeServerFailure
			if !slices.Contains(c.hit, name) {
				want = dnsmessage.RCodeSuccess
			}
			if got := exchange(t, w.A, local, question(name, dnsmessage.TypeA)); len(got) != 1 || got[0].RCode != want {
				t.Errorf("%q, asked for %s: %v, want %v", c.names, name, got, want)
			}
		}
		traffictest.Revert(t, w, &Plugin{}, change)
	}
}

// Several names on one resolver at once fail in several ways, and a resolver that
// the fault is not about works.
func TestTwoAtOnceAndOneResolver(t *testing.T) {
	w := traffictest.New(t)
	serve(t, w.B, traffictest.AddrB)
	serve(t, w.B, traffictest.AddrB6)
	first := traffictest.Inject(t, w, &Plugin{}, Params{Mode: "nxdomain", Names: []string{hit}, Resolvers: []string{traffictest.AddrB + "/32"}})
	second := traffictest.Inject(t, w, &Plugin{}, Params{Mode: "servfail", Names: []string{other}})
	for _, c := range []struct{ at, name, want string }{
		{traffictest.AddrB, hit, "nxdomain"}, {traffictest.AddrB, other, "servfail"}, {traffictest.AddrB6, hit, ""}, {traffictest.AddrB6, other, "servfail"},
	} {
		if got := resolve(t, w.A, c.at, c.name); got != c.want {
			t.Errorf("%s at %s: %q, want %q", c.name, c.at, got, c.want)
		}
	}
	traffictest.Revert(t, w, &Plugin{}, first)
	traffictest.Revert(t, w, &Plugin{}, second)
}

// The kernel itself heals when the lease runs out, with no process of ours left.
func TestLeaseHeals(t *testing.T) {
	w := traffictest.New(t)
	serve(t, w.A, local)
	p := &Plugin{}
	c, err := p.Prepare(t.Context(), w.Target, Params{Mode: "nxdomain"})
	faulttest.Must(t, err)
	faulttest.Must(t, p.Apply(t.Context(), w.Target, c, 0, traffictest.In(500*time.Millisecond)))
	if got := resolve(t, w.A, local, hit); got != "nxdomain" {
		t.Fatalf("%q", got)
	}
	time.Sleep(600 * time.Millisecond)
	if got := resolve(t, w.A, local, hit); got != "" {
		t.Errorf("the lease ran out: %q", got)
	}
	faulttest.Must(t, p.Revert(t.Context(), w.Target, c))
}

// A partition of the same device, before it or after, leaves it and is left by
// it, in whatever order they end, and the host is as it was.
func TestBesidePartition(t *testing.T) {
	w := traffictest.New(t)
	serve(t, w.B, traffictest.AddrB)
	before := fmt.Sprint(w.Snapshot(t))
	cut := &traffic.Injector{}
	for _, order := range []string{"first", "last"} {
		dns := traffictest.Inject(t, w, &Plugin{}, Params{Mode: "nxdomain", Names: []string{hit}})
		c, err := cut.Prepare(t.Context(), w.Target, traffic.Selection{To: []string{traffictest.AddrB}, Ports: []string{"5001"}}, traffic.Action{})
		faulttest.Must(t, err)
		faulttest.Must(t, cut.Apply(t.Context(), w.Target, c, traffictest.In(time.Minute), nil))
		revertDNS := func() { traffictest.Revert(t, w, &Plugin{}, dns) }
		revertCut := func() { faulttest.Must(t, cut.Revert(t.Context(), w.Target, c)) }
		if got := resolve(t, w.A, traffictest.AddrB, hit); got != "nxdomain" {
			t.Errorf("beside a partition: %q", got)
		}
		if order == "first" {
			revertDNS()
			if got := resolve(t, w.A, traffictest.AddrB, hit); got != "" || traffictest.Reaches(t, w.A, w.B, traffictest.AddrB+":5001", "") {
				t.Errorf("with the partition alone: %q", got)
			}
			revertCut()
		} else {
			revertCut()
			if got := resolve(t, w.A, traffictest.AddrB, hit); got != "nxdomain" || !traffictest.Reaches(t, w.A, w.B, traffictest.AddrB+":5001", "") {
				t.Errorf("after the partition: %q", got)
			}
			revertDNS()
		}
		if after := fmt.Sprint(w.Snapshot(t)); after != before {
			t.Errorf("reverted %s: not as found:\n%s\n%s", order, before, after)
		}
	}
}
