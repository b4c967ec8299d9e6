package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/firedrill-io/firedrill/injector/internal/plugintest"
)

func newPluginTestCommand() *cobra.Command {
	var o plugintest.Options
	var file string
	cmd := &cobra.Command{
		Use:   "test BINARY",
		Short: "Put a plugin, in any language, through the conformance suite in a lab host",
		Long: "Put a plugin, in any language, through the conformance suite in a lab host.\n" +
			"Exit code 0: all histories passed. 1: one failed. 5: no root, or the machine\n" +
			"lacks what a lab or the fault needs. 65: no plugin, or wrong parameters.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Path = args[0]
			if file != "" {
				b, err := os.ReadFile(file)
				if err != nil {
					return withCode(exitInvalid, fmt.Errorf("read parameters: %w", err))
				}
				o.Params = b
			}
			failed, err := plugintest.Run(cmd.Context(), o, cmd.OutOrStdout())
			if err == nil && failed > 0 {
				err = &exitError{Code: exitDeviated, Err: fmt.Errorf("%s does not keep the contract in %d histories", args[0], failed)}
			}
			return pluginError(err)
		},
	}
	f := cmd.Flags()
	f.StringVar(&file, "params", "", "file with the parameters, YAML or JSON (default: the examples of the plugin's schema)")
	f.Float64Var(&o.Tolerance, "tolerance", 0.05, "how far what is achieved may be from what is asked, as a share")
	f.StringArrayVar(&o.Only, "history", nil, "only this history (may be repeated)")
	return cmd
}

func newPluginManifestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "manifest BINARY",
		Short: "Print the manifest that pins a plugin for a host's plugin folder",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := plugintest.Manifest(cmd.Context(), args[0])
			if err == nil {
				_, err = cmd.OutOrStdout().Write(b)
			}
			return pluginError(err)
		},
	}
}

// pluginError gives what kept a plugin from being tried its exit code.
func pluginError(err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return withCode(exitInterrupted, err)
	case errors.Is(err, plugintest.ErrLacking):
		return withCode(exitRefused, err)
	case errors.Is(err, plugintest.ErrBadInput):
		return withCode(exitInvalid, err)
	}
	return err
}
