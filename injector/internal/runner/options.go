package runner

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/report"
)

// Options is one command line of injector run.
type Options struct {
	Path        string // experiment file, or the folder of an experiment.yaml
	Lab         bool
	Layouts     []string // empty: all, in file order
	Variables   map[string]string
	AsPredicted bool
	Dir         string // the run's folder is made in it
	Services    string // folder with the services' programs
	HostAgent   string // path of the host agent's program
	Plugins     string // folder of third-party plugins; empty: only what is built in
	NATS        string // a broker that injector and agents dial; empty: an embedded one
	Keys        string // folder with the injector's keys, with NATS
	Inventory   string // of real hosts
	Version     string
	Command     string // reproduces the run
	Out         io.Writer
	Observer    Observer // nil: plain lines to Out
	Logger      *slog.Logger

	agents time.Duration // that agents may take to be reachable; 0: agentsLimit
}

// patience is how long the agents may take to be reachable.
func (o Options) patience() time.Duration { return cmp.Or(o.agents, agentsLimit) }

// InvalidError says that an experiment, inventory or lab file is wrong, or that
// a selector of it picks nothing.
type InvalidError struct{ Err error }

func (e *InvalidError) Error() string { return e.Err.Error() }
func (e *InvalidError) Unwrap() error { return e.Err }

// ErrFolder says that the run's folder could not be made.
var ErrFolder = errors.New("name a folder that can be written with --out")

// stopError ends a layout before its judgement.
type stopError struct {
	outcome report.Outcome
	reason  string
}

func (e *stopError) Error() string { return string(e.outcome) + ": " + e.reason }

func refuse(format string, args ...any) error {
	return &stopError{outcome: report.RefusedRun, reason: fmt.Sprintf(format, args...)}
}
