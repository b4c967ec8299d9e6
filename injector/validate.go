package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/firedrill-io/firedrill/injector/internal/faults"
	"github.com/firedrill-io/firedrill/injector/internal/load"
)

func newValidateCommand() *cobra.Command {
	o := load.Options{Bare: true}
	var folder string
	cmd := &cobra.Command{
		Use:   "validate FILE|FOLDER",
		Short: "Check an experiment and its lab files; touches no host",
		Args:  cobra.ExactArgs(1),
	}
	o.Variables = varFlag(cmd.Flags())
	cmd.Flags().StringVar(&o.Inventory, "inventory", "", "check against this inventory instead of the layouts' lab files")
	pluginsFlag(cmd.Flags(), &folder)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.Path = args[0]
		l, err := loadPlans(o, folder)
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

// loadPlans reads and plans with the built-in faults and those of folder; its
// errors have exit codes.
func loadPlans(o load.Options, folder string) (*load.Loaded, error) {
	infos, _, err := faults.Known(folder)
	if err != nil {
		return nil, withCode(exitInvalid, err)
	}
	o.Faults = infos
	l, err := load.Load(o)
	var invalid *load.InvalidError
	if errors.As(err, &invalid) {
		return nil, withCode(exitInvalid, err)
	}
	return l, withCode(exitRefused, err)
}
