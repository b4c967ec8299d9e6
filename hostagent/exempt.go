package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

const (
	brokerPort     = 4222 // of a broker URL without one
	resolveTimeout = 2 * time.Second
)

// exemptBroker writes into t the addresses that the control connection goes to,
// so that a network fault spares it, and the names by which it finds them. A
// broker on a unix socket has none.
func exemptBroker(ctx context.Context, urls string, t *fault.Target) error {
	if exemptOff {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	for text := range strings.SplitSeq(urls, ",") {
		u, err := url.Parse(strings.TrimSpace(text))
		if err != nil {
			return fmt.Errorf("read broker address: %w", err)
		}
		if u.Scheme == "unix" {
			continue
		}
		port := uint64(brokerPort)
		if u.Port() != "" {
			if port, err = strconv.ParseUint(u.Port(), 10, 16); err != nil {
				return fmt.Errorf("read broker address %s: %w", text, err)
			}
		}
		addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
		if err != nil {
			return fmt.Errorf("resolve broker, to exempt the control connection: %w", err)
		}
		for _, a := range addresses {
			t.Exempt = append(t.Exempt, netip.AddrPortFrom(a.Unmap(), uint16(port)))
		}
		if _, err := netip.ParseAddr(u.Hostname()); err != nil {
			t.ExemptNames = append(t.ExemptNames, u.Hostname())
		}
	}
	return nil
}
