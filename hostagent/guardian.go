package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/firedrill-io/firedrill/hostagent/internal/guardian"
	"github.com/firedrill-io/firedrill/internal/control"
)

func newGuardianCommand(o *options) *cobra.Command {
	c := guardian.Config{}
	cmd := &cobra.Command{
		Use:    "guardian",
		Short:  "Watch an agent process and take over when it dies (started by the agent)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			bootID, err := guardian.BootID()
			if err != nil {
				return err
			}
			c.Root, c.BootID, c.Drivers, c.Logger = o.root, bootID, builtin(), o.logger()
			c.Start = o.startHere(c.Logger)
			c.Spool = func() (guardian.Recorder, error) { return control.OpenSpool(o.spoolDir()) }
			// SIGTERM goes to all of a service at once; the guardian's end is the
			// agent's to decide.
			return guardian.Run(context.WithoutCancel(cmd.Context()), c)
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.Name, "name", "", "of the agent")
	f.IntVar(&c.Agent.PID, "agent-pid", 0, "process id of the agent")
	f.Uint64Var(&c.Agent.Start, "agent-start", 0, "start time of the agent, field 22 of /proc/PID/stat")
	f.StringVar(&c.Group, "group", "", "control group to enter")
	f.StringArrayVar(&c.Plugins, "plugins", nil, "control group of the agent's plugins")
	return cmd
}

// launchGuardian starts the guardian of this agent process.
func (o *options) launchGuardian(name string, self guardian.ProcessID, groups guardian.Groups) (*guardian.Guard, error) {
	args := []string{
		"guardian", "--root", o.root, "--name", name,
		"--agent-pid", strconv.Itoa(self.PID), "--agent-start", strconv.FormatUint(self.Start, 10),
	}
	if groups.Plugins != "" {
		args = append(args, "--group", groups.Guardian, "--plugins", groups.Plugins)
	}
	// A file of its own: the agent's output may be a pipe that breaks with it.
	log, err := os.OpenFile(filepath.Join(o.root, "guardian.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("launch guardian: %w", err)
	}
	defer func() { _ = log.Close() }()
	return guardian.Launch(args, log)
}
