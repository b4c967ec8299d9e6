// Command superapp is the company under test: a messenger and what hangs on it,
// whose parts are roles of one program, each in a file of its own. Desks take
// text messages, logins, taxi calls, payments and channels' messages for the
// store that is active; vaults keep pictures, mailboxes and subscribers; a bank
// and public services of others log in through it. The controllers decide where
// the company is active, and promote, drain, move, check, correct and rejoin are what
// people do by hand. hello is the smallest service an experiment can be tried on,
// burn one that runs wild.
//
// What must outlive a process is kept in NATS, in etcd or in SQLite and plain
// files under --data, never in memory alone; the login cache alone may forget.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
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
		"gateway": gateway, "login": login, "cache": cache, "taxi": taxi, "pay": pay,
		"media": media, "mx": mx, "mail": mail, "channel": channel, "vault": vault,
		"bank": bank, "identity": identity, "hello": hello, "burn": burn,
		"controller": controller, "setup": setup, "check": check,
		"promote": promote, "drain": drain, "move": move, "correct": correct, "rejoin": rejoin,
	}
	if len(args) == 0 || roles[args[0]] == nil {
		_, _ = fmt.Fprintf(stderr, "usage: superapp %s [flags]\n", strings.Join(slices.Sorted(maps.Keys(roles)), "|"))
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
