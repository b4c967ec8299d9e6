package main

import (
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/injector/internal/clients"
)

// newClientsCommand is the process that sends probes and writes from inside the
// lab's clients host. It is hidden: the runner starts it, with one end of a
// socket pair as an inherited descriptor.
func newClientsCommand() *cobra.Command {
	var fd uint
	cmd := &cobra.Command{
		Use:    "clients",
		Short:  "Send probes and writes for a runner (started by injector run)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file := os.NewFile(uintptr(fd), "runner")
			if file == nil {
				return fmt.Errorf("open descriptor %d: not a valid number", fd)
			}
			conn, err := net.FileConn(file)
			if err != nil {
				return fmt.Errorf("open descriptor %d: %w: it must be a socket; this command is started by injector run", fd, err)
			}
			_ = file.Close() // FileConn holds a copy
			logger := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			if err := realTime(); err != nil {
				logger.Info("no real-time scheduling: a busy machine can make the clients late, which is recorded", "error", err)
			}
			return clients.Serve(cmd.Context(), conn, bootTime, logger)
		},
	}
	cmd.Flags().UintVar(&fd, "fd", 3, "number of the inherited socket")
	return cmd
}

// bootTime reads CLOCK_BOOTTIME in nanoseconds, the clock the agents use too.
func bootTime() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(fmt.Sprintf("read CLOCK_BOOTTIME: %v", err)) // the kernel has it since 2.6.39
	}
	return ts.Nano()
}
