package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/firedrill-io/firedrill/injector/internal/live"
	"github.com/firedrill-io/firedrill/injector/internal/runner"
)

// watch gives the run a live view where there is a terminal to show it on. The
// function it returns gives the terminal back, however the run ended.
func watch(cmd *cobra.Command, o *runner.Options) (ctx context.Context, release func()) {
	if cmd.OutOrStdout() != os.Stdout || !live.Possible(os.Stdin, os.Stdout, os.Environ()) {
		return cmd.Context(), func() {}
	}
	ctx, cancel := context.WithCancelCause(cmd.Context())
	view := live.New(live.Config{In: os.Stdin, Out: os.Stdout, Env: os.Environ(),
		Halt:      func() { cancel(runner.HaltedBy("a key in the terminal")) },
		Interrupt: func() { cancel(nil) },
		Keeper:    keepTerminal,
	})
	o.Observer = view
	o.Logger = slog.New(slog.NewTextHandler(view.Log(), &slog.HandlerOptions{Level: slog.LevelError}))
	return ctx, func() {
		view.Close()
		cancel(nil)
	}
}
