package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// example is a small experiment that works as it stands.
//
//go:embed example/*.yaml
var example embed.FS

func newInitCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init [FOLDER]",
		Short: "Write a small working experiment and its lab file",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			if err := writeExample(dir); err != nil {
				return withCode(exitUsage, err)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "wrote experiment.yaml and lab.yaml to %[1]s; next:\n  injector plan %[1]s\n  injector run %[1]s --lab\n", dir)
			return err
		},
	}
}

// writeExample writes the example's files and overwrites none.
func writeExample(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("create folder: %w", err)
	}
	files, err := example.ReadDir("example")
	if err != nil {
		return fmt.Errorf("read example: %w", err)
	}
	for _, f := range files {
		path := filepath.Join(dir, f.Name())
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("write %s: it exists; choose another folder", path)
		}
	}
	for _, f := range files {
		content, err := example.ReadFile("example/" + f.Name())
		if err != nil {
			return fmt.Errorf("read example: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, f.Name()), content, 0o644); err != nil {
			return fmt.Errorf("write example: %w", err)
		}
	}
	return nil
}
