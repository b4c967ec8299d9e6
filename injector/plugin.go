package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/firedrill-io/firedrill/injector/internal/faultlist"
	"github.com/firedrill-io/firedrill/internal/pluginfolder"
	"github.com/firedrill-io/firedrill/plugins"
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
	cmd.Flags().StringVar(&folder, "plugins", "", "folder with third-party plugins, to be listed too")
	return cmd
}

// entriesOf lists the built-in faults and those of folder (empty: none), in the
// order of their kinds; only the named ones if any are.
func entriesOf(folder string, kinds []string) ([]faultlist.Entry, error) {
	infos, err := plugins.Catalogue()
	if err != nil {
		return nil, err
	}
	all := map[fault.Kind]faultlist.Entry{}
	for kind, info := range infos {
		all[kind] = faultlist.Entry{Info: info, From: faultlist.BuiltIn}
	}
	if folder != "" {
		programs, err := pluginfolder.List(folder)
		if err != nil {
			return nil, withCode(exitInvalid, err)
		}
		for kind, p := range programs {
			if _, taken := all[kind]; taken {
				return nil, withCode(exitInvalid, fmt.Errorf("plugin %s: there is a built-in fault of that kind; give it another name", p.Path))
			}
			all[kind] = faultlist.Entry{Info: p.Info, From: p.Path}
		}
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
