// Command superapp is the company under test: a small messenger whose parts are
// roles of one program. The gateways take text messages, login hands out
// sessions, the controllers decide where the company is active, setup lays out
// the stores, promote is the door people use when the tools are gone, and hello
// is the smallest service an experiment can be tried on.
//
// What must outlive a process is kept in NATS, in etcd or in files under --data,
// never in memory alone.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// A role runs until ctx ends or its work is done.
type role func(ctx context.Context, args []string, log *slog.Logger) error

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stderr))
}

func run(ctx context.Context, args []string, stderr io.Writer) int {
	roles := map[string]role{
		"gateway": gateway, "login": login, "controller": controller,
		"setup": setup, "promote": promote, "hello": hello,
		"vault": vault, "check": check, "media": media, "mx": mx, "mail": mail,
		"channel": channel, "bank": bank, "identity": identity,
	}
	if len(args) == 0 || roles[args[0]] == nil {
		_, _ = fmt.Fprintln(stderr, "usage: superapp gateway|login|controller|setup|promote|hello|vault|check|media|mx|mail|channel|bank|identity [flags]")
		return 64
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	err := roles[args[0]](ctx, args[1:], log)
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, flag.ErrHelp):
		return 0
	default:
		_, _ = fmt.Fprintf(stderr, "superapp %s: %v\n", args[0], err)
		return 1
	}
}
