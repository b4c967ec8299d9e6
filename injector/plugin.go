package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/firedrill-io/firedrill/injector/internal/faultlist"
	"github.com/firedrill-io/firedrill/injector/internal/faults"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

func newPluginCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plugin",
		Short: "List kinds of fault, begin one of your own, and try it out",
	}
	cmd.AddCommand(newPluginListCommand(), newPluginNewCommand(), newPluginTestCommand(), newPluginManifestCommand())
	return cmd
}

func newPluginListCommand() *cobra.Command {
	var asJSON bool
	var folder string
	cmd := &cobra.Command{
		Use:   "list [KIND]…",
		Short: "Show kinds of fault: parameters with units, needs, protection layers, conflict keys",
		RunE: func(cmd *cobra.Command, kinds []string) error {
			entries, err := entriesOf(folder, kinds)
			if err != nil {
				return err
			}
			if asJSON {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(entries)
			}
			text, err := faultlist.Text(entries)
			if err == nil {
				_, err = fmt.Fprint(cmd.OutOrStdout(), text)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	pluginsFlag(cmd.Flags(), &folder)
	return cmd
}

// pluginsFlag adds the flag of the folder that hosts have their other plugins in.
func pluginsFlag(f *pflag.FlagSet, folder *string) {
	f.StringVar(folder, "plugins", "", "folder of third-party plugins, as hosts have it (default: only what is built in)")
}

// entriesOf lists the built-in faults and those of folder (empty: none), in the
// order of their kinds; only the named ones if any are.
func entriesOf(folder string, kinds []string) ([]faultlist.Entry, error) {
	infos, paths, err := faults.Known(folder)
	if err != nil {
		return nil, withCode(exitInvalid, err)
	}
	all := map[fault.Kind]faultlist.Entry{}
	for kind, info := range infos {
		all[kind] = faultlist.Entry{Info: info, From: cmp.Or(paths[kind], faultlist.BuiltIn)}
	}
	known := slices.Sorted(maps.Keys(all))
	if len(kinds) == 0 {
		for _, kind := range known {
			kinds = append(kinds, string(kind))
		}
	}
	var entries []faultlist.Entry
	var unknown []error
	for _, kind := range kinds {
		e, ok := all[fault.Kind(kind)]
		if !ok {
			unknown = append(unknown, fmt.Errorf("no fault %q; there are %v", kind, known))
			continue
		}
		entries = append(entries, e)
	}
	return entries, withCode(exitUsage, errors.Join(unknown...))
}
