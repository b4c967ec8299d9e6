package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/firedrill-io/firedrill/injector/internal/preflight"
)

func newPreflightCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "preflight",
		Short: "Say what this machine lacks, and what cannot run because of it",
		Long: "Say what this machine lacks, and what cannot run because of it.\n" +
			"Exit code 5 if something is missing that a fault or the lab needs.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			checks := preflight.Run()
			if asJSON {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				if err := e.Encode(checks); err != nil {
					return fmt.Errorf("write checks: %w", err)
				}
			} else {
				fmt.Fprint(cmd.OutOrStdout(), preflight.Text(checks))
			}
			if n := len(preflight.Missing(checks)); n > 0 {
				return withCode(exitRefused, fmt.Errorf("preflight: %d of %d things are missing", n, len(checks)))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}
