package control

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Subjects: fd.cmd.<agent> carries commands, fd.ev.<run>.<agent> evidence,
// fd.inbox.<name> replies. A broker's permissions are made from these.
const (
	SubjectCommands = "fd.cmd."
	SubjectEvidence = "fd.ev."
	SubjectInboxes  = "fd.inbox."
)

var plainToken = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// Token makes one subject token of a name; a host name may hold dots.
func Token(name string) string {
	if plainToken.MatchString(name) && !strings.HasPrefix(name, "x-") {
		return name
	}
	return "x-" + hex.EncodeToString([]byte(name))
}

// Dial connects to a broker as name. URL is nats://…, tls://… or
// unix:///path/broker.sock. It returns at once and goes on trying for ever; the
// connection notices a dead peer within 10 s, not after the 4 minutes that are
// the library's default.
func Dial(url, name string, logger *slog.Logger, more ...nats.Option) (*nats.Conn, error) {
	options := []nats.Option{
		nats.Name(name),
		nats.CustomInboxPrefix(SubjectInboxes + Token(name)),
		nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(100*time.Millisecond, 100*time.Millisecond),
		nats.ReconnectBufSize(-1),
		nats.Timeout(2 * time.Second),
		// A server that a cluster makes known is at an address nobody configured:
		// network faults on the host would not spare it.
		nats.IgnoreDiscoveredServers(),
		nats.PingInterval(3 * time.Second),
		nats.MaxPingsOutstanding(2),
		// A broker that was restarted with other keys may come back with ours.
		nats.IgnoreAuthErrorAbort(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			logger.Warn("broker connection", "error", err)
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { logger.Info("broker gone", "error", err) }),
		nats.ReconnectHandler(func(*nats.Conn) { logger.Info("broker back") }),
	}
	if path, ok := strings.CutPrefix(url, "unix://"); ok {
		options = append(options, nats.SetCustomDialer(unixDialer(path)))
		url = "nats://127.0.0.1:4222" // never dialled: the dialer ignores it
	}
	nc, err := nats.Connect(url, append(options, more...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to broker %s: %w", url, err)
	}
	return nc, nil
}

// unixDialer dials one socket, whatever address it is asked for.
type unixDialer string

// Dial connects to the socket.
func (d unixDialer) Dial(_, _ string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	var dialer net.Dialer
	return dialer.DialContext(ctx, "unix", string(d))
}
