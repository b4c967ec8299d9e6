// Command hostagent applies faults to a host on the injector's signed orders
// and makes sure that each of them is undone, whoever dies on the way.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/firedrill-io/firedrill/internal/pluginhost"
)

// version is stamped by the Makefile.
var version = "dev"

// options are the flags that all subcommands share.
type options struct {
	root  string
	debug bool
}

func main() {
	pluginhost.Main()
	// A terminal or log pipe that goes away must not end who guards a host.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, args []string) int {
	reached := false
	cmd := newRootCommand()
	persistent := cmd.PersistentPreRunE
	cmd.PersistentPreRunE = func(c *cobra.Command, args []string) error {
		err := persistent(c, args)
		reached = err == nil
		return err
	}
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(os.Stderr, "hostagent: "+err.Error())
	if !reached {
		return exitUsage
	}
	return exitCode(err)
}

func newRootCommand() *cobra.Command {
	o := &options{}
	root := &cobra.Command{
		Use:           "hostagent",
		Short:         "Apply faults to this host on signed orders, and undo every one of them",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			abs, err := filepath.Abs(o.root)
			o.root = abs
			return err
		},
	}
	root.PersistentFlags().StringVar(&o.root, "root", "/var/lib/firedrill", "folder of all state of this agent")
	root.PersistentFlags().BoolVar(&o.debug, "debug", false, "log more")
	root.AddCommand(newServeCommand(o), newRevertCommand(o), newStatusCommand(o), newPluginCommand(), newGuardianCommand(o))
	return root
}

func (o *options) logger() *slog.Logger {
	level := slog.LevelInfo
	if o.debug {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// The folders below root.
func (o *options) spoolDir() string  { return filepath.Join(o.root, "spool") }
func (o *options) pluginDir() string { return filepath.Join(o.root, "plugins") }
