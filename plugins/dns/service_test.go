package dns

import (
	"net"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

// One service can't reach a resolver, over TCP, in both families; another can.
func TestOneService(t *testing.T) {
	w := traffictest.New(t)
	dir, path := processtest.Group(t)
	service, other := w.Talker(t, dir), w.Talker(t)
	resolvers := []string{net.JoinHostPort(traffictest.AddrB, "53"), net.JoinHostPort(traffictest.AddrB6, "53")}
	for _, at := range resolvers {
		var l net.Listener
		faulttest.Must(t, w.B.Do(func() (err error) { l, err = net.Listen("tcp", at); return err }))
		defer l.Close()
	}
	for _, inert := range []bool{true, false} {
		p := &Plugin{Injector: traffic.Injector{Inert: inert}}
		c := traffictest.Inject(t, w, p, Params{Mode: "drop", Scope: scope.Scope{Group: path}})
		for _, at := range resolvers {
			want := map[bool]string{true: "yes", false: "no"}[inert]
			if got := service.Ask(t, "dial "+at); got != want {
				t.Errorf("inert %t: the service reaches %s: %s", inert, at, got)
			}
			if other.Ask(t, "dial "+at) != "yes" {
				t.Errorf("inert %t: another service does not reach %s", inert, at)
			}
		}
		if o := traffictest.Observe(t, w, &Plugin{}, c); (o.Dose == fault.Exercised) == inert {
			t.Errorf("inert %t: observed %s, %s: %s", inert, o.State, o.Dose, o.Detail)
		}
		traffictest.Revert(t, w, &Plugin{}, c)
	}
}
