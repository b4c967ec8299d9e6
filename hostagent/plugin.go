package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

func newPluginCommand() *cobra.Command {
	var describe bool
	cmd := &cobra.Command{
		Use:   "plugin KIND",
		Short: "Be a built-in plugin (started by the agent), or describe it",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			d, ok := builtin()[fault.Kind(args[0])]
			if !ok {
				return &exitError{exitUsage, fmt.Errorf("no built-in plugin %q", args[0])}
			}
			if describe {
				return fault.WriteDescription(os.Stdout, d)
			}
			fault.Serve(d)
			return nil
		},
	}
	cmd.Flags().BoolVar(&describe, "describe", false, "print what the fault is, with the schema of its parameters")
	return cmd
}
