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
)

const (
	brokerPort     = 4222 // of a broker URL without one
	resolveTimeout = 2 * time.Second
)

// brokerPeers lists the addresses that the control connection goes to, so that
// a network fault spares it. A broker on a unix socket has none.
func brokerPeers(ctx context.Context, urls string) ([]netip.AddrPort, error) {
	if exemptOff {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	var peers []netip.AddrPort
	for text := range strings.SplitSeq(urls, ",") {
		u, err := url.Parse(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("read broker address: %w", err)
		}
		if u.Scheme == "unix" {
			continue
		}
		port := uint64(brokerPort)
		if u.Port() != "" {
			if port, err = strconv.ParseUint(u.Port(), 10, 16); err != nil {
				return nil, fmt.Errorf("read broker address %s: %w", text, err)
			}
		}
		addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
		if err != nil {
			return nil, fmt.Errorf("resolve broker, to exempt the control connection: %w", err)
		}
		for _, a := range addresses {
			peers = append(peers, netip.AddrPortFrom(a.Unmap(), uint16(port)))
		}
	}
	return peers, nil
}
