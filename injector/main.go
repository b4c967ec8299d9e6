// Command injector rehearses the loss of a data centre: it checks and plans an
// experiment, runs it on real hosts or in a lab on this machine, and reports
// what was lost.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/firedrill-io/firedrill/experiments/strict"
	"github.com/firedrill-io/firedrill/internal/conformance"
	"github.com/firedrill-io/firedrill/internal/lab"
)

// version is stamped by the Makefile.
var version = "dev"

func main() {
	lab.Main()
	conformance.Main()
	// Ctrl-C is caught for good: a second one must not end a revert half-way.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// execute runs one command line and returns the exit code. It is the one place
// where errors become exit codes: an error that carries none is a wrong command
// line when no command was reached yet, and a fault of our own afterwards.
func execute(ctx context.Context, args []string) int {
	reached := false
	root := newRootCommand()
	onRun(root, func() { reached = true })
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitHeld
	}
	if text := err.Error(); text != "" {
		if len(strict.Problems(err)) == 0 { // these begin with file:line:column, for editors
			text = "injector: " + text
		}
		fmt.Fprintln(os.Stderr, text)
	}
	var coded *exitError
	switch {
	case errors.As(err, &coded):
		return coded.Code
	case !reached:
		return exitUsage
	}
	return exitInternal
}

// onRun has hook called when a command of the tree begins, after its command
// line was found to be right.
func onRun(cmd *cobra.Command, hook func()) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			hook()
			return run(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		onRun(sub, hook)
	}
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "injector",
		Short:         "Rehearse losing a data centre before it happens",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetOut(os.Stdout)
	root.SetErr(os.Stderr)
	root.AddCommand(newRunCommand(), newClientsCommand(), newKeeperCommand(),
		newInitCommand(), newValidateCommand(), newPlanCommand(), newSchemaCommand(),
		newLabCommand(), newPreflightCommand(), newHaltCommand(), newPluginCommand())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w: see %s --help", err, cmd.CommandPath())
	})
	sayUsage(root)
	return root
}

// sayUsage has every command say how it is used when the number of its
// arguments is wrong.
func sayUsage(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if check(cmd, args) != nil {
				return fmt.Errorf("wrong number of arguments (%d): usage: %s", len(args), cmd.UseLine())
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		sayUsage(sub)
	}
}
