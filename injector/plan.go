package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/firedrill-io/firedrill/injector/internal/load"
	"github.com/firedrill-io/firedrill/injector/internal/plan"
)

func newPlanCommand() *cobra.Command {
	var o load.Options
	asJSON, folder := false, ""
	cmd := &cobra.Command{
		Use:   "plan FILE|FOLDER",
		Short: "Show what an experiment would do, when and to whom; touches no host",
		Args:  cobra.ExactArgs(1),
	}
	f := cmd.Flags()
	o.Variables = varFlag(f)
	f.StringArrayVar(&o.Layouts, "layout", nil, "plan only this layout (may be repeated; default: all, in file order)")
	f.StringVar(&o.Inventory, "inventory", "", "inventory of the real hosts, instead of a layout's lab file")
	pluginsFlag(f, &folder)
	f.BoolVar(&asJSON, "json", false, "write JSON: a list of {digest, plan}, one a layout")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.Path = args[0]
		l, err := loadPlans(o, folder)
		if err != nil {
			return err
		}
		if asJSON {
			return writePlans(cmd.OutOrStdout(), l)
		}
		var text bytes.Buffer
		for i, layout := range l.Layouts {
			if i > 0 {
				text.WriteString("\n")
			}
			if err := plan.Render(&text, layout.Plan); err != nil {
				return fmt.Errorf("write plan: %w", err)
			}
		}
		_, err = text.WriteTo(cmd.OutOrStdout())
		return err
	}
	return cmd
}

func writePlans(w io.Writer, l *load.Loaded) error {
	type planned struct {
		Digest string     `json:"digest"`
		Plan   *plan.Plan `json:"plan"`
	}
	out := []planned{}
	for _, layout := range l.Layouts {
		out = append(out, planned{layout.Plan.Digest(), layout.Plan})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(out); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	return nil
}
