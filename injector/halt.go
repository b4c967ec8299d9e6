package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/firedrill-io/firedrill/injector/internal/halt"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/inventory"
)

// haltOptions is one command line of injector halt.
type haltOptions struct {
	nats, keys, inventory string
	variables             map[string]string
	wait                  time.Duration
}

func newHaltCommand() *cobra.Command {
	var o haltOptions
	cmd := &cobra.Command{
		Use:   "halt [RUN]",
		Short: "Halt a run and revert everything, from another terminal or without its injector",
		Long: `Halt a run of this machine: it reverts everything and ends with exit code 3.
With --nats, --keys and --inventory the halt goes to the agents of the inventory's
hosts directly, whether or not an injector is alive.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), o.wait)
			defer cancel()
			if o.nats != "" {
				return o.agents(ctx, cmd.OutOrStdout())
			}
			return haltRun(ctx, cmd.OutOrStdout(), args)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.nats, "nats", "", "broker that the agents dial: halt them directly")
	f.StringVar(&o.keys, "keys", "", "folder with command.key and, if the broker asks for it, injector.nk")
	f.StringVar(&o.inventory, "inventory", "", "inventory of the hosts to halt")
	o.variables = varFlag(f)
	f.DurationVar(&o.wait, "wait", 2*time.Minute, "how long to wait for everybody's word")
	cmd.MarkFlagsRequiredTogether("nats", "keys", "inventory")
	return cmd
}

// haltRun asks a run on this machine.
func haltRun(ctx context.Context, out io.Writer, args []string) error {
	runs, err := halt.Running()
	switch {
	case err != nil:
		return withCode(exitInternal, err)
	case len(runs) == 0:
		return withCode(exitRefused, errors.New("halt: no run on this machine; to halt agents without their injector, give --nats, --keys and --inventory"))
	case len(args) == 0 && len(runs) > 1:
		return withCode(exitRefused, fmt.Errorf("halt: several runs on this machine, name one: %s", strings.Join(runs, " ")))
	case len(args) == 1 && !slices.Contains(runs, args[0]):
		return withCode(exitRefused, fmt.Errorf("halt: no run %s on this machine; there is %s", args[0], strings.Join(runs, " ")))
	case len(args) == 1:
		runs = args
	}
	reply, err := halt.Ask(ctx, runs[0])
	if err != nil {
		return withCode(exitRefused, err)
	}
	fmt.Fprintf(out, "run %s: %s: %s\n", reply.Run, reply.Outcome, reply.Reason)
	for _, id := range reply.Reverted {
		fmt.Fprintf(out, "reverted %s\n", id)
	}
	if len(reply.Reverted) == 0 {
		fmt.Fprintln(out, "no fault was in force")
	}
	for _, left := range reply.Residue {
		fmt.Fprintf(out, "left: %s\n", left)
	}
	fmt.Fprintf(out, "report: %s\n", reply.Report)
	if len(reply.Residue) > 0 {
		return &exitError{Code: exitResidue}
	}
	return nil
}

// agents halts all agents of the inventory's hosts, and those beside them.
func (o haltOptions) agents(ctx context.Context, out io.Writer) error {
	src, err := os.ReadFile(o.inventory)
	if err != nil {
		return withCode(exitInvalid, fmt.Errorf("read inventory: %w", err))
	}
	inv, err := inventory.Parse(src, o.inventory, o.variables)
	if err != nil {
		return withCode(exitInvalid, err)
	}
	var hosts, beside []string
	for _, h := range inv.Hosts {
		if h.Site != inventory.Internet {
			hosts, beside = append(hosts, h.Name), append(beside, "oob-"+h.Rack)
		}
	}
	slices.Sort(beside)
	caller, done, err := o.dial()
	if err != nil {
		return withCode(exitRefused, err)
	}
	defer done()
	r := halt.Agents(ctx, caller, whoAmI(), hosts, slices.Compact(beside))
	for _, id := range r.Reverted {
		fmt.Fprintf(out, "reverted %s\n", id)
	}
	fmt.Fprintf(out, "%d of %d agents have nothing in force: %s\n", len(r.Confirmed), len(r.Confirmed)+len(r.Failed), strings.Join(r.Confirmed, " "))
	for _, agent := range slices.Sorted(maps.Keys(r.Failed)) {
		fmt.Fprintf(out, "not confirmed by %s: %v; on the host: hostagent status\n", agent, r.Failed[agent])
	}
	switch {
	case len(r.Failed) == 0:
		return nil
	case len(r.Confirmed) == 0:
		return &exitError{Code: exitRefused}
	}
	return &exitError{Code: exitResidue}
}

// dial connects to the broker with the injector's keys.
func (o haltOptions) dial() (*control.Caller, func(), error) {
	key, err := control.ReadCommandKey(o.keys)
	if err != nil {
		return nil, nil, err
	}
	nkey, err := control.NkeyOption(filepath.Join(o.keys, control.InjectorNK))
	if err != nil {
		return nil, nil, err
	}
	var more []nats.Option
	if nkey != nil {
		more = append(more, nkey)
	}
	nc, err := control.Dial(o.nats, "injector", slog.New(slog.DiscardHandler), more...)
	if err != nil {
		return nil, nil, err
	}
	caller, err := control.NewCaller(nc, key, fmt.Sprintf("halt-%d", time.Now().UnixNano()), "")
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return caller, func() { caller.Close(); nc.Close() }, nil
}

// whoAmI is named in the reports of the runs that are halted.
func whoAmI() string {
	name := fmt.Sprintf("user %d", os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}
