package main

import (
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/firedrill-io/firedrill/injector/internal/runner"
)

func newRunCommand() *cobra.Command {
	o := runner.Options{Version: version}
	var verbose, plain bool
	cmd := &cobra.Command{
		Use:   "run FILE|FOLDER",
		Short: "Run an experiment, revert it, and report what was lost",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			level := slog.LevelError
			if verbose {
				level = slog.LevelDebug
			}
			o.Path, o.Out = args[0], cmd.OutOrStdout()
			if o.Services == "" {
				o.Services = servicesFor(o.Path)
			}
			o.Logger = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
			o.Command = "injector " + strings.Join(os.Args[1:], " ")
			ctx := cmd.Context()
			if !verbose && !plain {
				watched, release := watch(cmd, &o)
				defer release()
				ctx = watched
			}
			return run(ctx, cmd, o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.Lab, "lab", false, "raise each layout's simulated data centre on this machine")
	f.StringArrayVar(&o.Layouts, "layout", nil, "run only this layout (may be repeated; default: all, in file order)")
	o.Variables = varFlag(f)
	f.BoolVar(&o.AsPredicted, "as-predicted", false, "exit 0 if and only if every layout ends as its prediction says")
	f.StringVar(&o.Dir, "out", "runs", "folder for the run's folder")
	f.StringVar(&o.Services, "services", "", servicesHelp)
	f.StringVar(&o.HostAgent, "hostagent", besideInjector("hostagent"), "the host agent's program, for the lab")
	pluginsFlag(f, &o.Plugins)
	f.StringVar(&o.NATS, "nats", "", "broker that injector and agents dial (default: one inside the injector)")
	f.StringVar(&o.Keys, "keys", "", "folder with command.key and, if the broker asks for it, injector.nk (needed with --nats)")
	f.StringVar(&o.Inventory, "inventory", "", "inventory of the real hosts, instead of a layout's lab file")
	cmd.MarkFlagsMutuallyExclusive("lab", "nats") // a lab's agents have their own management network
	f.BoolVar(&plain, "plain", false, "plain lines, also on a terminal (without one, with TERM=dumb and with --verbose always)")
	f.BoolVarP(&verbose, "verbose", "v", false, "log what the injector itself does")
	return cmd
}
