package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/firedrill-io/firedrill/injector/internal/load"
	"github.com/firedrill-io/firedrill/plugins"
)

func newValidateCommand() *cobra.Command {
	o := load.Options{Bare: true}
	cmd := &cobra.Command{
		Use:   "validate FILE|FOLDER",
		Short: "Check an experiment and its lab files; touches no host",
		Args:  cobra.ExactArgs(1),
	}
	o.Variables = varFlag(cmd.Flags())
	cmd.Flags().StringVar(&o.Inventory, "inventory", "", "check against this inventory instead of the layouts' lab files")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.Path = args[0]
		l, err := loadPlans(o)
		if err != nil {
			return err
		}
		says := l.Path + " is valid"
		if names := layoutNames(l); names != "" {
			says += "; it can be planned for " + names
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), says)
		return err
	}
	return cmd
}

func layoutNames(l *load.Loaded) string {
	var names []string
	for _, layout := range l.Layouts {
		if layout.Name == "" {
			layout.Name = layout.Path
		}
		names = append(names, layout.Name)
	}
	return strings.Join(names, ", ")
}

// loadPlans reads and plans with the built-in faults; its errors have exit codes.
func loadPlans(o load.Options) (*load.Loaded, error) {
	infos, err := plugins.Catalogue()
	if err != nil {
		return nil, withCode(exitInternal, err)
	}
	o.Faults = infos
	l, err := load.Load(o)
	var invalid *load.InvalidError
	if errors.As(err, &invalid) {
		return nil, withCode(exitInvalid, err)
	}
	return l, withCode(exitRefused, err)
}
