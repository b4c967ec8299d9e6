package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/faults"
	"github.com/firedrill-io/firedrill/injector/internal/load"
	"github.com/firedrill-io/firedrill/internal/inventory"
)

//go:generate go test -run TestCommittedSchemas . -update

func newSchemaCommand() *cobra.Command {
	ofInventory, folder := false, ""
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the experiment file, for editors",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := experimentSchema(folder)
			if ofInventory {
				out, err = inventory.Schema(), nil
			}
			if err == nil {
				_, err = cmd.OutOrStdout().Write(out)
			}
			if err != nil {
				return fmt.Errorf("print schema: %w", err)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&ofInventory, "inventory", false, "of inventories and lab files instead")
	pluginsFlag(cmd.Flags(), &folder)
	return cmd
}

// experimentSchema has the parameters of all built-in faults, and of those of
// folder, merged in.
func experimentSchema(folder string) ([]byte, error) {
	infos, _, err := faults.Known(folder)
	if err != nil {
		return nil, withCode(exitInvalid, err)
	}
	return experiments.Schema(load.Schemas(infos))
}
