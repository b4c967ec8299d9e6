package main

import (
	"context"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

func TestBrokerPeers(t *testing.T) {
	for urls, want := range map[string][]netip.AddrPort{
		"unix:///run/firedrill/mgmt/broker.sock":         nil,
		"nats://192.0.2.1:4333":                          {netip.MustParseAddrPort("192.0.2.1:4333")},
		"tls://192.0.2.1":                                {netip.MustParseAddrPort("192.0.2.1:4222")},
		"nats://[2001:db8::1]:4333,nats://192.0.2.2:443": {netip.MustParseAddrPort("[2001:db8::1]:4333"), netip.MustParseAddrPort("192.0.2.2:443")},
	} {
		var got fault.Target
		if err := exemptBroker(context.Background(), urls, &got); err != nil {
			t.Errorf("%s: %v", urls, err)
		}
		if len(got.ExemptNames) > 0 {
			t.Errorf("%s: names %q", urls, got.ExemptNames)
		}
		if diff := cmp.Diff(want, got.Exempt, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Errorf("%s: %s", urls, diff)
		}
	}
	if err := exemptBroker(context.Background(), "nats://192.0.2.1:x", &fault.Target{}); err == nil {
		t.Error("a bad port was taken")
	}
}

// A broker that is given by its name is known by it too.
func TestBrokerName(t *testing.T) {
	var got fault.Target
	if err := exemptBroker(context.Background(), "nats://192.0.2.1,nats://localhost:4333", &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"localhost"}, got.ExemptNames); diff != "" || len(got.Exempt) < 2 {
		t.Errorf("%s %v", diff, got.Exempt)
	}
}
