package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/firedrill-io/firedrill/internal/inventory"
	"github.com/firedrill-io/firedrill/internal/lab"
)

func newLabCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Raise and use a simulated data centre on this machine",
	}
	cmd.AddCommand(newLabInitCommand(), newLabUpCommand(), newLabStatusCommand(), newLabExecCommand(), newLabDownCommand())
	return cmd
}

func newLabUpCommand() *cobra.Command {
	cfg := lab.Config{Standing: true}
	cmd := &cobra.Command{
		Use:   "up FILE",
		Short: "Raise the lab of a lab file; it stays until lab down",
		Args:  cobra.ExactArgs(1),
	}
	cfg.Variables = varFlag(cmd.Flags())
	cmd.Flags().StringVar(&cfg.Services, "services", "", servicesHelp)
	cmd.Flags().StringVar(&cfg.HostAgent, "hostagent", "", "the host agent's program (default: no agents)")
	cmd.Flags().StringVar(&cfg.Keys, "keys", "", "folder with the keys of the agents: command.pub, agent.nk")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		src, err := os.ReadFile(args[0])
		if err != nil {
			return withCode(exitInvalid, fmt.Errorf("read lab file: %w", err))
		}
		inv, err := inventory.Parse(src, args[0], cfg.Variables)
		if err != nil {
			return withCode(exitInvalid, err)
		}
		cfg.Inventory = *inv
		if cfg.Services == "" {
			cfg.Services = servicesFor(args[0])
		}
		if _, err := os.Stat(cfg.Services); err != nil && len(inv.Services) > 0 {
			return withCode(exitRefused, fmt.Errorf("find programs of services: %w: make build, or name the folder with --services", err))
		} else if err != nil {
			cfg.Services = ""
		}
		l, err := raise(cmd.Context(), cfg)
		if err != nil {
			return withCode(exitRefused, err)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "lab %s is up: %d hosts\n", l.ID(), len(l.Hosts()))
		return nil
	}
	return cmd
}

// raise raises a lab with all that runs in it, or leaves nothing.
func raise(ctx context.Context, cfg lab.Config) (*lab.Lab, error) {
	l, err := lab.Up(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(l.StartAgents(ctx), l.StartServices(ctx)); err != nil {
		return nil, errors.Join(err, l.Down())
	}
	return l, nil
}

func newLabStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status [ID]",
		Short: "List labs, or the hosts of one",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			labs, err := lab.List()
			if len(args) == 1 {
				var l *lab.Lab
				l, err = lab.Find(args[0])
				labs = []*lab.Lab{l}
			}
			if err != nil {
				return withCode(exitRefused, err)
			}
			if len(labs) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "no lab is up")
			}
			for _, l := range labs {
				printLab(cmd, l)
			}
			return nil
		},
	}
}

func printLab(cmd *cobra.Command, l *lab.Lab) {
	kind := fmt.Sprintf("goes with pid %d", l.Owner())
	if l.Standing() {
		kind = "standing"
	}
	fmt.Fprintf(cmd.OutOrStdout(), "lab %s (%s), folder %s\n", l.ID(), kind, l.Dir())
	for _, host := range l.Hosts() {
		s, err := l.Power().Status(cmd.Context(), host)
		if err != nil {
			// A lab may go down while it is listed.
			fmt.Fprintf(cmd.OutOrStdout(), "  %-12s %v\n", host, err)
			continue
		}
		state := "dark"
		if s.On {
			state = fmt.Sprintf("on    pid %-7d boot %s", s.PID1, s.BootID)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "  %-12s %-15s %s\n", host, s.Address, state)
	}
}

func newLabExecCommand() *cobra.Command {
	var id string
	cmd := &cobra.Command{
		Use:   "exec HOST -- COMMAND [ARGUMENT]…",
		Short: "Run a command inside a host of a standing lab",
		Args:  cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lab.Find(id)
			if err != nil {
				return withCode(exitRefused, err)
			}
			argv := args[1:]
			if argv[0] == "--" {
				argv = argv[1:]
			}
			code, err := l.Exec(cmd.Context(), args[0], argv, lab.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
			if err != nil {
				return withCode(exitRefused, err)
			}
			if code != 0 {
				return &exitError{Code: code} // the command's own
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&id, "lab", "", "id of the lab (default: the only standing one)")
	cmd.Flags().SetInterspersed(false)
	return cmd
}

func newLabDownCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "down [ID]",
		Short: "Take a lab down; without an id, your standing labs and all whose owner is gone",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := down(args)
			if len(ids) > 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "lab %s is down\n", strings.Join(ids, ", "))
			}
			return withCode(exitRefused, err)
		},
	}
}

func down(args []string) ([]string, error) {
	if len(args) == 0 {
		return lab.DownAll()
	}
	l, err := lab.Find(args[0])
	if err != nil {
		return nil, err
	}
	return []string{l.ID()}, l.Down()
}

// besideInjector is a path beside the running program.
func besideInjector(name string) string {
	exe, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(exe), name)
}
