package lab

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"
)

var errNotYet = errors.New("lab: not written yet")

// State stub.
type State struct{ ID, Dir string }

// HostProcess is a command that runs in a host.
type HostProcess struct{}

// Main runs the lab's roles when the program was re-executed for one, and returns otherwise.
func Main() {}

// Up raises a lab.
func Up(ctx context.Context, cfg Config) (*Lab, error) { return nil, errNotYet }

// MgmtDir is the folder every host sees at HostMgmt.
func (l *Lab) MgmtDir() string { return filepath.Join(l.state.Dir, "mgmt") }

// PowerSocket is the power controller's.
func (l *Lab) PowerSocket() string { return filepath.Join(l.state.Dir, "power.sock") }

// FabricNS is the path of the fabric's network namespace.
func (l *Lab) FabricNS() string { return "" }

// Start starts a command in host. The caller must Wait and Close.
func (l *Lab) Start(host string, s HostCommand) (*HostProcess, error) { return nil, errNotYet }

// StartServices starts the services on all hosts; they start again at every power-on.
func (l *Lab) StartServices(ctx context.Context) error { return errNotYet }

// StartAgents starts in-band and out-of-band agents.
func (l *Lab) StartAgents(ctx context.Context) error { return errNotYet }

// Settle writes everything unsynced of all hosts to their disks (syncfs(2)).
func (l *Lab) Settle(ctx context.Context) error { return errNotYet }

// Down takes the lab down.
func (l *Lab) Down() error { return errNotYet }

// Find finds a standing lab.
func Find(id string) (*Lab, error) { return nil, ErrNoLab }

// List lists labs.
func List() ([]*Lab, error) { return nil, nil }

// Janitor removes labs whose owner is gone.
func Janitor() error { return nil }

// PID is the process in the host's pid namespace.
func (p *HostProcess) PID() int { return 0 }

// Wait waits for the end and returns the exit code; 128 + n when signal n ended it.
func (p *HostProcess) Wait() (int, error) { return 0, errNotYet }

// Signal sends sig.
func (p *HostProcess) Signal(sig syscall.Signal) error { return errNotYet }

// Kill sends SIGKILL.
func (p *HostProcess) Kill() error { return errNotYet }

// Close kills the command if it still runs and lets go of it.
func (p *HostProcess) Close() error { return nil }
