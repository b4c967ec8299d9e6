package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/firedrill-io/firedrill/hostagent/internal/guardian"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/journal"
)

type revertOptions struct {
	*options
	all, force bool
	within     time.Duration
}

func newRevertCommand(o *options) *cobra.Command {
	r := revertOptions{options: o}
	cmd := &cobra.Command{
		Use:   "revert --all",
		Short: "Undo everything that the journal says is live; needs no network and no agent",
		Args:  cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error {
			if !r.all {
				return &exitError{exitUsage, errors.New("say --all: every live injection of this agent is reverted")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return r.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.BoolVar(&r.all, "all", false, "every live injection of the agent of --root")
	f.BoolVar(&r.force, "force", false, "also while the agent is running: kill it first")
	f.DurationVar(&r.within, "within", time.Minute, "give up after this long")
	return cmd
}

func (r *revertOptions) run(ctx context.Context, out io.Writer) error {
	if _, err := os.Stat(r.root); errors.Is(err, os.ErrNotExist) {
		_, _ = fmt.Fprintf(out, "nothing to revert: there is no %s\n", r.root)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.within)
	defer cancel()
	bootID, err := guardian.BootID()
	if err != nil {
		return err
	}
	state, err := guardian.ReadState(r.root, bootID)
	if err != nil {
		fmt.Fprintln(os.Stderr, "hostagent:", err) // as good as none: the lock decides
	}
	if state.Agent.Alive() && !r.force {
		return &exitError{exitRefused, fmt.Errorf("the agent is running (pid %d): stop it, which reverts everything, or say --force to kill it first", state.Agent.PID)}
	}
	if err := guardian.Fence(ctx, state.Agent, state.Groups, state.Plugins); err != nil {
		return err
	}
	lock, err := journal.TakeLock(ctx, journal.LockPath(r.root))
	if err != nil {
		return &exitError{exitRefused, err}
	}
	defer func() { _ = lock.Release() }()
	defer guardian.Sweep(state.Groups)
	return r.revert(ctx, out, state.Name, bootID)
}

func (r *revertOptions) revert(ctx context.Context, out io.Writer, name, bootID string) error {
	j, err := journal.Open(journal.Path(r.root))
	if err != nil {
		return err
	}
	defer func() { _ = j.Close() }()
	live := j.Live()
	cold := &guardian.Reverter{Agent: name, Journal: j, Drivers: builtin(), Start: r.startHere(r.logger()), By: journal.ByRevert, BootID: bootID, Logger: r.logger()}
	if spool, err := control.OpenSpool(r.spoolDir()); err == nil {
		cold.Evidence = spool
		defer func() { _ = spool.Close() }()
	}
	left := cold.All(ctx)
	stuck := 0
	for _, rec := range live {
		now, _ := j.Find(rec.ID)
		_, _ = fmt.Fprintf(out, "%s\t%s\t%s\n", now.Phase, rec.Kind, rec.ID)
		if now.Phase == journal.Stuck {
			stuck++
		}
	}
	_, _ = fmt.Fprintf(out, "%d live, %d ended, %d left\n", len(live), len(live)-len(left), len(left))
	if len(left)+stuck > 0 {
		return &exitError{exitResidue, fmt.Errorf("%d injections could not be reverted, %d were changed by somebody else meanwhile", len(left), stuck)}
	}
	return nil
}
