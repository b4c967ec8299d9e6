package main

import (
	"context"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBrokerPeers(t *testing.T) {
	for urls, want := range map[string][]netip.AddrPort{
		"unix:///run/firedrill/mgmt/broker.sock":         nil,
		"nats://192.0.2.1:4333":                          {netip.MustParseAddrPort("192.0.2.1:4333")},
		"tls://192.0.2.1":                                {netip.MustParseAddrPort("192.0.2.1:4222")},
		"nats://[2001:db8::1]:4333,nats://192.0.2.2:443": {netip.MustParseAddrPort("[2001:db8::1]:4333"), netip.MustParseAddrPort("192.0.2.2:443")},
	} {
		got, err := brokerPeers(context.Background(), urls)
		if err != nil {
			t.Errorf("%s: %v", urls, err)
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Errorf("%s: %s", urls, diff)
		}
	}
	if _, err := brokerPeers(context.Background(), "nats://192.0.2.1:x"); err == nil {
		t.Error("a bad port was taken")
	}
}
