package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/firedrill-io/firedrill/injector/internal/scaffold"
)

func newPluginNewCommand() *cobra.Command {
	repo := "."
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Begin a fault in a copy of the source: a small one that works, with its tests",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, err := scaffold.Find(repo)
			if err != nil {
				return withCode(exitUsage, err)
			}
			wrote, edited, err := scaffold.New(root, args[0])
			if errors.Is(err, scaffold.ErrName) {
				return withCode(exitUsage, err)
			}
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			for _, path := range wrote {
				if rel, err := filepath.Rel(root, path); err == nil {
					path = rel
				}
				fmt.Fprintln(out, "wrote", path)
			}
			if rel, err := filepath.Rel(root, edited); err == nil {
				edited = rel
			}
			fmt.Fprintf(out, "added one line to %s\nnext, in %s:\n  go test ./plugins/%[3]s   as root: its effect, and the conformance suite in a lab host\n  make generate             before you commit: the schema of experiments learns it\n", edited, root, args[0])
			return nil
		},
	}
	cmd.Flags().StringVar(&repo, "repo", repo, "a folder in the copy of the source")
	return cmd
}
